"""The name server is silent, closes its port, comes back: the milter notices it, logs it once, and goes on. Senders' silent zones
are different."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import Outcome, burst, deliver
from tests.kit.milter.worker_of import connections_to_each
from tests.kit.smtp.client_identity import Client

# Host n is a good one; 198.51.100.0/24 and silent.example are silent.
KNOWN_HOSTS = "".join(
    f"192.0.{n // 250}.{n % 250} PTR h{n}.example\nh{n}.example A 192.0.{n // 250}.{n % 250}\nh{n}.example TXT v=spf1 a -all\n"
    for n in range(1, 1000)
)
SILENT_HOSTS = "*.100.51.198.in-addr.arpa SILENT\n*.silent.example SILENT\n"
QUICK: dict[str, dict[str, Any]] = {"milter": {"deadline": 1.0}, "dns": {"timeout": 0.3, "tries": 1}}
# The strictest policy: all that is not confirmed is refused, permanently if the code allows it.
STRICT: list[dict[str, Any]] = [{"name": "strict", "unless": {"iprev": "pass"}, "action": "reject"}]
FACTS = ("iprev", "helo", "spf_helo", "spf_mailfrom")
SILENT, BACK = "does not answer", "answers again"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(Zone(KNOWN_HOSTS + SILENT_HOSTS)) as running:
        yield running


def known_host(n: int) -> dict[str, Any]:
    """Return the arguments of a message from a good host."""
    return {"client": Client(f"192.0.{n // 250}.{n % 250}"), "helo": f"h{n}.example", "mailfrom": f"a@h{n}.example"}


def silent_host(n: int) -> dict[str, Any]:
    """Return the arguments of a message about which DNS is silent."""
    name = f"h{n}.silent.example"
    return {"client": Client(f"198.51.100.{n}"), "helo": name, "mailfrom": f"a@{name}"}


def started(server: NameServer) -> bool:
    """Return whether the server could have its port back: another connection may have it meanwhile."""
    try:
        server.start()
    except OSError:
        return False
    return True


def notices(daemon: Daemon, what: str) -> list[str]:
    """Return the lines of the log about it."""
    return [line for line in daemon.notices() if what in line]


def outage(daemon: Daemon, numbers: Iterator[int], at_once: int = 4) -> list[Outcome]:
    """Send messages from other hosts each time, this many at once, until all workers judge without DNS and the log says why."""
    outcomes: list[Outcome] = []

    def judged_without() -> bool:
        outcomes.extend(burst([partial(deliver, daemon.spec, **known_host(next(numbers))) for _ in range(at_once)]))
        return reasons(daemon, numbers) == {"resolver-down"}

    until(judged_without)
    until(lambda: notices(daemon, SILENT))
    return outcomes


def test_the_resolver_falls_silent_and_comes_back(server: NameServer) -> None:
    numbers = itertools.count(1)
    with Daemon(QUICK, STRICT, server, workers=2) as daemon:
        for _ in range(6):
            assert daemon.judge(**known_host(next(numbers)))[0].accepted
        server.pause()
        # The kernel chooses the worker: this many in a row show that both have noticed.
        outcomes = outage(daemon, numbers)
        assert {outcome.verdict.code for outcome in outcomes} == {451}

        def judged_at_once() -> bool:
            """Judge a host that no worker knows; return whether that took no question."""
            number = next(numbers)
            outcome, (decision,) = daemon.judge(**known_host(number))
            assert {decision[fact] for fact in FACTS} == {"temperror"}
            assert outcome.verdict.code == 451
            return server.queries.count(f"h{number}.example") == 0

        until(judged_at_once)
        until(lambda: daemon.judge(**known_host(1))[0].accepted)  # what a worker has in its cache stays known
        server.queries.reset()
        began = time.monotonic()
        assert server.queries.wait(4, within=20.0)
        assert len(server.queries) <= 2 * (time.monotonic() - began + 1)  # one probe a second for each worker
        server.resume()
        until(lambda: daemon.judge(**known_host(next(numbers)))[0].accepted)
        until(lambda: notices(daemon, BACK))
        recover(daemon, numbers)
        (silent,), (back,) = notices(daemon, SILENT), notices(daemon, BACK)
        assert f"name server {server.hostport} {SILENT}" in silent
        assert "temperror, resolver-down" in silent
        assert f"name server {server.hostport} {BACK}" in back
        server.queries.reset()
        time.sleep(1.2)
        assert len(server.queries) == 0  # a server that works is not probed


def reasons(daemon: Daemon, numbers: Iterator[int]) -> set[str]:
    """Return the iprev_reason of good hosts in the log, one judged by each worker."""
    before = len(daemon.decisions())
    held = connections_to_each(daemon)
    for (dialogue,) in held.values():
        message = known_host(next(numbers))
        client = message["client"]
        dialogue.connect(client.hostname, client.address)
        dialogue.helo(message["helo"])
        dialogue.mail(message["mailfrom"])
        if dialogue.rcpt("b@rcpt.example").goes_on:
            dialogue.end()
        dialogue.quit()
    decisions = daemon.wait_for_decisions(before + len(held))[before:]
    return {decision["iprev_reason"] for decision in decisions}


def recover(daemon: Daemon, numbers: Iterator[int]) -> None:
    """Wait until all workers have noticed, each by its own probe, once a second."""

    def recovered() -> bool:
        time.sleep(0.1)
        return reasons(daemon, numbers) == {"confirmed"}

    until(recovered)


def test_the_port_is_closed_and_opened_again(server: NameServer) -> None:
    numbers = itertools.count(1)
    with Daemon(QUICK, STRICT, server) as daemon:
        assert daemon.judge(**known_host(next(numbers)))[0].accepted
        server.stop()
        assert {outcome.verdict.code for outcome in outage(daemon, numbers)} == {451}
        until(lambda: started(server))
        until(lambda: notices(daemon, BACK))
        recover(daemon, numbers)
        assert len(notices(daemon, SILENT)) == 1


def test_it_was_never_there(server: NameServer) -> None:
    """No server has ever answered, and a burst of clients waits for one."""
    numbers = itertools.count(1)
    server.pause()
    with Daemon(QUICK, STRICT, server) as daemon:
        assert {outcome.verdict.code for outcome in outage(daemon, numbers, at_once=40)} == {451}
        server.resume()
        until(lambda: notices(daemon, BACK))
        recover(daemon, numbers)


# Dead zones of senders


@pytest.mark.parametrize("warm", [False, True])
def test_dead_zones_are_no_outage(server: NameServer, warm: bool) -> None:
    """Whether other names are asked for meanwhile, or are all in the cache."""
    numbers, dead_numbers = itertools.cycle(range(1, 5)) if warm else itertools.count(1), itertools.count(1)
    with Daemon(QUICK, STRICT, server) as daemon:
        for n in range(1, 5):
            assert daemon.judge(**known_host(n))[0].accepted
        for _ in range(4):
            outcomes = burst(
                [partial(deliver, daemon.spec, **silent_host(next(dead_numbers))) for _ in range(15)]
                + [partial(deliver, daemon.spec, **known_host(next(numbers))) for _ in range(4)]
            )
            assert {outcome.verdict.code for outcome in outcomes[:15]} == {451}
            assert all(outcome.accepted for outcome in outcomes[15:])
        decisions = daemon.wait_for_decisions(4 * 19 + 4)
        assert {line["iprev_reason"] for line in decisions} <= {"timeout", "deadline", "confirmed"}
        assert notices(daemon, SILENT) == []


def test_a_zone_that_dies_after_it_has_answered(server: NameServer) -> None:
    """Only names of one sender were asked for, so that the probes are that sender's names, too, which then become silent."""
    evil = "".join(f"203.0.113.{n} PTR e{n}.evil.example\ne{n}.evil.example A 203.0.113.{n}\n" for n in range(1, 30))

    def bad(n: int) -> dict[str, Any]:
        return {"client": Client(f"203.0.113.{n}"), "helo": f"e{n}.evil.example", "mailfrom": f"a@e{n}.evil.example"}

    server.zone = Zone(evil)
    with Daemon(QUICK, STRICT, server) as daemon:
        for n in range(1, 10):
            assert daemon.judge(**bad(n))[0].accepted
        server.zone = Zone(f"*.113.0.203.in-addr.arpa SILENT\n*.evil.example SILENT\n{KNOWN_HOSTS}")
        for start in (10, 16, 22):
            outcomes = burst([partial(deliver, daemon.spec, **bad(n)) for n in range(start, start + 6)])
            assert {outcome.verdict.code for outcome in outcomes} == {451}
        assert notices(daemon, SILENT) == []
        assert daemon.judge(**known_host(1))[0].accepted


# Several name servers


@pytest.mark.parametrize("how", ["silent", "closed"])
@pytest.mark.parametrize("first", [True, False])
def test_a_dead_one_is_passed_over(server: NameServer, how: str, first: bool) -> None:
    numbers = itertools.count(1)
    with NameServer(Zone(KNOWN_HOSTS)) as other:
        servers = [other.hostport, server.hostport] if first else [server.hostport, other.hostport]
        config = QUICK | {"dns": QUICK["dns"] | {"nameservers": servers}, "milter": {"deadline": 6.0}}
        with Daemon(config, STRICT) as daemon:
            if how == "silent":
                other.pause()
            else:
                other.stop()

            def passed_over() -> bool:
                # The working one may be asked first, and then the other is not needed.
                return bool(notices(daemon, SILENT)) or (not first and next(numbers) > 20)

            until(lambda: daemon.judge(**known_host(next(numbers)))[0].accepted and passed_over())
            decisions = daemon.decisions()
            assert {line["iprev_reason"] for line in decisions} == {"confirmed"}
            if not first:
                assert notices(daemon, SILENT) == []
                return
            (line,) = notices(daemon, SILENT)
            assert f"name server {other.hostport} {SILENT}" in line
            assert line.endswith("the others are asked instead")

            def only_the_other_is_asked() -> bool:
                number = next(numbers)
                assert daemon.judge(**known_host(number))[0].accepted
                return other.queries.count(f"h{number}.example") == 0

            if how == "silent":
                until(only_the_other_is_asked)
                other.resume()
            else:
                until(lambda: started(other))
            until(lambda: notices(daemon, BACK))
            other.queries.reset()
            assert daemon.judge(**known_host(next(numbers)))[0].accepted
            assert len(other.queries) >= 2  # it is asked again


def test_all_of_them_are_dead(server: NameServer) -> None:
    numbers = itertools.count(1)
    with NameServer(Zone(KNOWN_HOSTS)) as other:
        config = QUICK | {"dns": QUICK["dns"] | {"nameservers": [other.hostport, server.hostport]}}
        with Daemon(config, STRICT, workers=2) as daemon:
            server.pause()
            other.stop()
            assert {outcome.verdict.code for outcome in outage(daemon, numbers)} == {451}
            until(lambda: len(notices(daemon, SILENT)) > 1)
            lines = notices(daemon, SILENT)
            assert len(lines) == 2
            assert lines[0].endswith("the others are asked instead")
            assert "temperror, resolver-down" in lines[1]
            server.resume()
            until(lambda: notices(daemon, BACK))
            until(lambda: daemon.judge(**known_host(next(numbers)))[0].accepted)
            recover(daemon, numbers)
