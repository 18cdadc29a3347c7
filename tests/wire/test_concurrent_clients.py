"""No client delays another: bursts of clients that all wait, good clients beside those whose DNS is silent, and idle connections.

Debian's libmilter by itself serves sessions that wait two at a time, and in a burst may leave one out until a wait is over. The
bounds lie far above what it takes, and below two waits in a row.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from tests.bench.clients import HOLES
from tests.bench.load import Load
from tests.bench.peers import milter
from tests.bench.stub import StubProcess
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import Conversation, Outcome, burst, deliver
from tests.kit.smtp.client_identity import Client

COUNT = 100
LATE = 2.5  # seconds until DNS answers
BOUND = 4.9  # seconds within which clients that wait for it are answered
PROMPT = 3.0  # seconds within which clients that need not wait are answered
STRICT = [{"name": "strict", "unless": {"iprev": "pass"}, "action": "reject"}]
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)


def zone() -> Zone:
    """Return COUNT clients of each kind: `late` with a late PTR record; `slow` with a late SPF record; `hole` with silent DNS;
    `good`."""
    lines = []
    for number in range(COUNT):
        for kind, net in NETS.items():
            address, name = f"{net}.{number + 1}", f"m{number}.{kind}.example"
            lines += [f"{address} PTR {name}", f"{name} A {address}", f"d{name} TXT v=spf1 ip4:{address} -all"]
            lines.append(f"{name} TXT v=spf1 -all")
            if kind == "late":
                lines.append(f"{address} PTR!DELAY {LATE}")
            elif kind == "slow":
                lines.append(f"d{name} DELAY {LATE}")
            elif kind == "hole":
                lines += [f"{address} SILENT", f"{name} SILENT", f"d{name} SILENT"]
    return Zone("\n".join(lines))


NETS = {"late": "192.0.2", "slow": "198.51.100", "hole": "203.0.113", "good": "198.18.0"}


def message(kind: str, number: int) -> dict[str, Any]:
    """Return the arguments of a message of a client of that kind."""
    name = f"m{number}.{kind}.example"
    return {"client": Client(f"{NETS[kind]}.{number + 1}"), "helo": name, "mailfrom": f"a@d{name}"}


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(zone()) as running:
        yield running


def sent(daemon: Daemon, kind: str, count: int = COUNT) -> list[Outcome]:
    """Send a message from each of this many clients of a kind at the same moment; return the outcomes."""
    return burst([partial(deliver, daemon.spec, **message(kind, number)) for number in range(count)])


@pytest.mark.parametrize(("socket", "workers"), [("inet", 1), ("unix", 2)])
def test_all_wait_for_a_recipient(server: NameServer, socket: str, workers: int) -> None:
    with Daemon({}, STRICT, server, workers=workers, socket=socket) as daemon:
        outcomes = sent(daemon, "late")
        assert all(outcome.accepted for outcome in outcomes)
        assert max(outcome.seconds() for outcome in outcomes) < BOUND
        decisions = daemon.wait_for_decisions(COUNT)
    assert {decision["iprev"] for decision in decisions} == {"pass"}
    assert sum(float(decision["waited_ms"]) > 0 for decision in decisions) > COUNT / 2


def test_all_wait_at_the_end(server: NameServer) -> None:
    with Daemon({}, DEFAULT_RULES, server) as daemon:
        outcomes = sent(daemon, "slow")
        assert all(outcome.accepted for outcome in outcomes)
        assert max(outcome.seconds() for outcome in outcomes) < BOUND
        decisions = daemon.wait_for_decisions(COUNT)
    assert {decision["spf_mailfrom"] for decision in decisions} == {"pass"}


@pytest.mark.parametrize("count", [3, 8])
def test_a_few_wait(server: NameServer, count: int) -> None:
    """As many as libmilter has threads at first, and a few more: none is left out when all threads wait."""
    with Daemon({}, STRICT, server) as daemon:
        outcomes = sent(daemon, "late", count)
        assert all(outcome.accepted for outcome in outcomes)
        assert max(outcome.seconds() for outcome in outcomes) < BOUND


@pytest.mark.parametrize("workers", [1, 2])
def test_no_client_is_left_out_of_a_burst(workers: int) -> None:
    """No client waits twice when some of libmilter's threads are idle at first: it counts one that was woken as idle until it
    runs."""
    deadline = 2.5
    holes = itertools.count(HOLES)
    with StubProcess() as stub, milter(stub.hostport, workers, deadline) as peer:
        for count in (5, 20, 50):
            Load(peer.path, itertools.repeat(0), 10, messages=50).run()
            result = Load(peer.path, holes, count, messages=count).run()
            assert result.ended == {"accepted": count}
            assert result.waits[-1] < 2 * deadline - 0.1


def test_good_clients_do_not_wait_for_others(server: NameServer) -> None:
    """Good clients are answered, one by one and many at once, before the first of the others whose DNS is silent."""
    answered: list[float] = []

    def hole(number: int) -> None:
        deliver(daemon.spec, timeout=30, **message("hole", number))
        answered.append(time.monotonic())

    with Daemon({"milter": {"deadline": 6.0}, "dns": {"timeout": 20.0}}, STRICT, server) as daemon:
        holes = [threading.Thread(target=hole, args=[number], daemon=True) for number in range(COUNT)]
        server.queries.reset()
        for thread in holes:
            thread.start()
        until(lambda: server.queries.unanswered >= COUNT)
        healthy = [deliver(daemon.spec, **message("good", number)) for number in range(20)]
        healthy += sent(daemon, "good", 20)
        ended = time.monotonic()
        for thread in holes:
            thread.join(30)
        assert len(answered) == COUNT
        assert all(outcome.accepted for outcome in healthy)
        assert ended < min(answered)
        assert max(outcome.seconds() for outcome in healthy) < PROMPT
        assert max(answered) - min(answered) < BOUND


def test_idle_connections_delay_no_client(server: NameServer) -> None:
    with Daemon({}, STRICT, server) as daemon, ExitStack() as idle:
        dialogues = [idle.enter_context(Conversation(daemon.spec)) for _ in range(2 * COUNT)]
        for number, dialogue in enumerate(dialogues):
            about = message("good", number % COUNT)
            dialogue.connect("x", about["client"].address)
            dialogue.helo(about["helo"])
        outcomes = [deliver(daemon.spec, **message("good", number)) for number in range(10)] + sent(daemon, "late", 20)
        assert all(outcome.accepted for outcome in outcomes)
        assert max(outcome.seconds() for outcome in outcomes) < BOUND
        for dialogue in dialogues:
            assert dialogue.mail("a@dm0.good.example").goes_on
            assert dialogue.rcpt("b@rcpt.example").goes_on
            assert dialogue.end().reply.goes_on
        assert len(daemon.wait_for_decisions(2 * COUNT + 30)) == 2 * COUNT + 30
