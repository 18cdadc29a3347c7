"""No client delays another: bursts of clients that all wait, good clients beside those whose DNS is silent, and idle connections.

Debian's libmilter by itself serves sessions that wait two at a time, and in a burst may leave one out until a wait is over
(packaging/doc/platform.md 1.1). Here no wait ends before all are served: the name server keeps its answers until then.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import deliver
from tests.kit.milter.waiting.clients import (
    COUNT,
    DNS,
    MILTER,
    SENDERS,
    all_ask,
    answered,
    conversations,
    message,
    released,
    sent,
    waiting_at_rcpt,
    zone,
)

CONFIG = {"milter": MILTER, "dns": DNS}
STRICT = [{"name": "strict", "unless": {"iprev": "pass"}, "action": "reject"}]
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(zone()) as running:
        yield running


@pytest.mark.parametrize(("socket", "workers"), [("inet", 1), ("unix", 2)])
def test_all_wait_for_a_recipient(server: NameServer, socket: str, workers: int) -> None:
    with Daemon(CONFIG, STRICT, server, workers=workers, socket=socket) as daemon:
        with waiting_at_rcpt(server, daemon, COUNT) as dialogues:
            assert all(reply.goes_on for reply in released(server, dialogues))
            assert all(dialogue.end().reply.goes_on for dialogue in dialogues)
        decisions = daemon.wait_for_decisions(COUNT)
    assert {decision["iprev"] for decision in decisions} == {"pass"}


def test_all_wait_at_the_end(server: NameServer) -> None:
    server.hold(SENDERS)
    with Daemon(CONFIG, DEFAULT_RULES, server) as daemon:
        with conversations(daemon, "held", COUNT) as dialogues:
            for number, dialogue in enumerate(dialogues):
                dialogue.mail(message("held", number)["mailfrom"])
                assert dialogue.rcpt("b@rcpt.example").goes_on
            all_ask(server, dialogues, b"E")
            assert all(reply.goes_on for reply in released(server, dialogues))
        decisions = daemon.wait_for_decisions(COUNT)
    assert {decision["spf_mailfrom"] for decision in decisions} == {"pass"}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("idle", [0, 10])
def test_no_client_is_left_out_of_a_burst(server: NameServer, workers: int, idle: int) -> None:
    """As many clients as libmilter has threads at first, and more. If some threads are idle at first, libmilter counts one that was
    woken as idle until it runs. `idle`: clients that were served before."""
    for count in (3, 5, 8, 20, 50):
        with Daemon(CONFIG, STRICT, server, workers=workers, socket="unix") as daemon:
            assert all(outcome.accepted for outcome in (sent(daemon, "good", idle) if idle else ()))
            with waiting_at_rcpt(server, daemon, count) as dialogues:
                assert all(reply.goes_on for reply in released(server, dialogues))


def test_others_do_not_wait_for_clients_whose_dns_is_silent(server: NameServer) -> None:
    """Good clients are answered, one by one and many at once, and so are those whose DNS is late."""
    with Daemon(CONFIG, STRICT, server) as daemon, waiting_at_rcpt(server, daemon, COUNT) as dialogues:
        healthy = [deliver(daemon.spec, **message("good", number)) for number in range(20)]
        healthy += sent(daemon, "good", 20) + sent(daemon, "late", 20)
        assert answered(dialogues) == 0
        assert all(outcome.accepted for outcome in healthy)
        assert all(reply.goes_on for reply in released(server, dialogues))


def test_idle_connections_delay_no_client(server: NameServer) -> None:
    with Daemon(CONFIG, STRICT, server) as daemon:
        with conversations(daemon, "good", COUNT) as idle, waiting_at_rcpt(server, daemon, 20) as dialogues:
            outcomes = [deliver(daemon.spec, **message("good", number)) for number in range(10)]
            outcomes += sent(daemon, "late", 20)
            assert all(outcome.accepted for outcome in outcomes)
            assert all(reply.goes_on for reply in released(server, dialogues))
            assert all(dialogue.end().reply.goes_on for dialogue in dialogues)
            for dialogue in idle:
                assert dialogue.mail("a@m0.good-sender.example").goes_on
                assert dialogue.rcpt("b@rcpt.example").goes_on
                assert dialogue.end().reply.goes_on
        assert len(daemon.wait_for_decisions(COUNT + 50)) == COUNT + 50
