"""Name servers that answer and yet are of no use: they only refer, say nothing, or cannot be reached. Nobody is refused for it, the
next server is asked, and the log says what to do. A sender's broken zone is none of this."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver.resolver import Resolver
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.resolver_run import ZONE as KNOWN
from tests.kit.dns.resolver_run import ask, endpoint, resolved
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import burst, deliver
from tests.kit.mta.network_namespace import Network, NoNetwork
from tests.kit.smtp.client_identity import Client
from tests.wire.test_metrics import Measured
from tests.wire.test_resolver_down import BACK, FACTS, PROPER, QUICK, STRICT, outage, proper, recover, said

USELESS = {"referral root": "referrals", "referral parent": "referrals", "lame": "empty messages"}
ROUTES = ("unreachable", "prohibit", "blackhole", "throw")  # EHOSTUNREACH, EACCES, EINVAL, ENETUNREACH
AWAY = "192.0.2.53"


@pytest.fixture
def good() -> Iterator[NameServer]:
    with NameServer(Zone(PROPER)) as running:
        yield running


# A server that only refers


@pytest.mark.parametrize("behaviour", USELESS)
def test_the_only_server_is_no_resolver(behaviour: str) -> None:
    """From the first message on; then it becomes one."""
    numbers = itertools.count(1)
    with NameServer(Zone(f"* {behaviour}\n")) as server, Daemon(QUICK, STRICT, server, workers=2) as daemon:
        outcome, (decision,) = daemon.judge(**proper(next(numbers)))
        assert outcome.verdict.code == 451
        assert (decision["iprev_reason"], *(decision[fact] for fact in FACTS)) == ("servfail", *["temperror"] * 4)
        wanted = f"answers with {USELESS[behaviour]}: it is not a recursive resolver; set dns.nameservers to one"
        until(lambda: deliver(daemon.spec, **proper(next(numbers))).verdict.code == 451 and said(daemon, wanted))
        recovered = Zone(PROPER)
        until(lambda: {deliver(daemon.spec, **proper(next(numbers))).verdict.code for _ in range(4)} == {451}
              and daemon.decisions()[-1]["iprev_reason"] == "resolver-down")  # fmt: skip
        server.zone = recovered
        until(lambda: said(daemon, BACK))
        recover(daemon, numbers)
        (line,), _ = said(daemon, wanted), said(daemon, BACK)
        assert f"name server {server.hostport} {wanted}" in line
        assert "no client is refused because of that" in line


@pytest.mark.parametrize("behaviour", [*USELESS, "notauth", "refused", "other-soa", "additional-only"])
@pytest.mark.parametrize("first", [True, False])
def test_the_other_servers_answer_is_taken(good: NameServer, behaviour: str, first: bool) -> None:
    numbers = itertools.count(1)
    with NameServer(Zone(f"* {behaviour}\n")) as bad:
        servers = [bad.hostport, good.hostport] if first else [good.hostport, bad.hostport]
        config = QUICK | {"dns": QUICK["dns"] | {"nameservers": servers}}
        with Daemon(config, STRICT) as daemon:
            for _ in range(4):
                outcome, (decision,) = daemon.judge(**proper(next(numbers)))
                assert outcome.accepted
                assert [decision[fact] for fact in FACTS] == ["pass"] * 4
            if first and behaviour in USELESS:
                until(lambda: daemon.judge(**proper(next(numbers)))[0].accepted and said(daemon, "not a recursive"))
                (line,) = said(daemon, "not a recursive")
                assert line.endswith("the others are asked instead")
                bad.queries.reset()
                assert daemon.judge(**proper(next(numbers)))[0].accepted
                assert bad.queries.count(f"h{next(numbers) - 1}.example", "A") == 0
            else:
                assert said(daemon, "name server") == said(daemon, "listening at")


@pytest.mark.parametrize("behaviour", ["referral parent", "lame"])
def test_a_senders_broken_zone_is_no_useless_server(good: NameServer, behaviour: str) -> None:
    """Though nothing else is asked for, and all that was ever answered is that sender's."""
    evil = "".join(f"203.0.113.{n} PTR e{n}.evil.example\ne{n}.evil.example A 203.0.113.{n}\n" for n in range(1, 30))

    def bad(n: int) -> dict[str, Any]:
        return {"client": Client(f"203.0.113.{n}"), "helo": f"e{n}.evil.example", "mailfrom": f"a@e{n}.evil.example"}

    good.zone = Zone(evil)
    with Daemon(QUICK, STRICT, good) as daemon:
        for n in range(1, 10):
            assert daemon.judge(**bad(n))[0].accepted
        good.zone = Zone(f"*.113.0.203.in-addr.arpa {behaviour}\n*.evil.example {behaviour}\n{PROPER}")
        good.queries.reset()
        numbers = itertools.count(10)
        # Until it has been probed with a question of nobody's.
        until(
            lambda: (
                deliver(daemon.spec, **bad(next(numbers))).verdict.code == 451
                and good.queries.count("in-addr.arpa", "PTR")
            )
        )
        assert {
            outcome.verdict.code for outcome in burst([partial(deliver, daemon.spec, **bad(n)) for n in range(20, 29)])
        } == {451}
        assert {decision["iprev_reason"] for decision in daemon.decisions()[9:]} == {"servfail"}
        assert daemon.judge(**proper(1))[0].accepted
        assert said(daemon, "recursive resolver") == []


def test_metrics_tell_of_referrals() -> None:
    numbers = itertools.count(1)
    with NameServer(Zone("* REFERRAL root")) as server, Measured(server) as daemon:
        until(lambda: deliver(daemon.spec, **proper(next(numbers))) and said(daemon, "with referrals"))
        told = daemon.told("resolver_up", 0)
        assert told.value("dns_queries_total", outcome="referral") > 0
        assert told.value("dns_queries_total", outcome="nodata") == 0


# A server that cannot be reached


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        with Network() as inside:
            yield inside
    except NoNetwork as why:
        pytest.skip(str(why))


def route(verb: str, kind: str) -> None:
    """Close the way to the name server's address, or open it again."""
    subprocess.run(["ip", "route", verb, kind, f"{AWAY}/32", "table", "local"], check=True, timeout=20)


@pytest.mark.parametrize("kind", ROUTES)
def test_no_way_to_the_only_server(network: Network, kind: str) -> None:
    numbers = itertools.count(1)
    with NameServer(Zone(PROPER), AWAY) as server, Daemon(QUICK, STRICT, server) as daemon:
        assert daemon.judge(**proper(next(numbers)))[0].accepted
        route("add", kind)
        assert {outcome.verdict.code for outcome in outage(daemon, numbers)} == {451}
        route("del", kind)
        until(lambda: said(daemon, BACK))
        recover(daemon, numbers)
        outcome, (decision,) = daemon.judge(**proper(2))  # it was trouble when the way was closed
        assert (outcome.accepted, decision["iprev_reason"]) == (True, "confirmed")


def test_no_way_to_the_first_of_two(network: Network) -> None:
    numbers = itertools.count(1)
    with NameServer(Zone(PROPER)) as other, NameServer(Zone(PROPER), AWAY) as server:
        config = QUICK | {"dns": QUICK["dns"] | {"nameservers": [server.hostport, other.hostport]}}
        route("add", "unreachable")
        with Daemon(config, STRICT) as daemon:
            until(lambda: daemon.judge(**proper(next(numbers)))[0].accepted and said(daemon, "does not answer"))
            assert {decision["iprev_reason"] for decision in daemon.decisions()} == {"confirmed"}
            route("del", "unreachable")
            until(lambda: said(daemon, BACK))


# The same by itself


def test_what_was_remembered_goes_when_the_way_is_open(network: Network) -> None:
    """One question that could not be sent makes no server suspect; its trouble is forgotten at the first answer all the same."""

    async def job(resolver: Resolver) -> list[str]:
        route("add", "throw")
        (lost,) = await ask(resolver, "mail.example.com A")
        (kept,) = await ask(resolver, "mail.example.com A")
        route("del", "throw")
        (other,) = await ask(resolver, "text.example TXT")
        (found,) = await ask(resolver, "mail.example.com A")
        assert (kept.cached, found.cached, resolver.is_down) == (True, False, False)
        return [lost.status, kept.status, other.status, found.status]

    with NameServer(Zone(KNOWN), AWAY) as server:
        assert resolved(job, server) == ["timeout", "timeout", "ok", "ok"]


def test_addresses_to_which_nothing_can_be_sent(good: NameServer) -> None:
    """Whatever the kernel says to them."""
    for address in ("255.255.255.255", "fe80::1", "0.0.0.0"):
        nowhere = Endpoint(address, 1)

        async def alone(resolver: Resolver) -> None:
            answers = await ask(resolver, "h1.example A", "h2.example A", "h3.example A")
            assert {answer.status for answer in answers} <= {"timeout", "resolver-down"}
            while not resolver.is_down:
                await asyncio.sleep(0.01)

        async def beside(resolver: Resolver) -> None:
            (answer,) = await ask(resolver, "h1.example A")
            assert answer.status == "ok"

        resolved(alone, nowhere)
        resolved(beside, nowhere, endpoint(good))
