"""The facts do not depend on the cache: over the network the same as without it, cold, warm, and with nothing cached.

What the running milter makes of them is the same, too. More orders and faster: tests/unit/session/test_differential.py.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rdns_milter.config.load import BUILT_IN, Config, parse
from rdns_milter.config.sample import sample
from rdns_milter.net.endpoints import Endpoint
from rdns_milter.session.dns_thread import DnsThread
from tests.kit.data.scenario import GOOD, GOOD6, GOOD_FROM, GOOD_HELO, LATE, LIAR, NAMELESS, POOL, TROUBLED
from tests.kit.data.spf import suite
from tests.kit.data.spf.suite import SuiteCase
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_resolver import Facts, Message, SimulatedWorker, begin, found
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import Outcome
from tests.kit.smtp.client_identity import Client

SCENARIOS = {name: list(cases) for name, cases in itertools.groupby(suite.cases(), lambda case: case.scenario)}
CONFIG = Config()
PATIENCE = 20.0
COSTS = ("queries", "cached", "dns_ms", "waited_ms")
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)


def facts(dns_thread: DnsThread, config: Config, messages: Sequence[Message]) -> list[Facts]:
    """Return the facts about the messages, found one after the other."""
    results = []
    for message in messages:
        pendings = begin(dns_thread.check_runner, message, config)
        for pending in pendings:
            settled = threading.Event()
            pending.add_callback(settled.set)
            assert settled.wait(PATIENCE)
        results.append(found(pendings))
    return results


def broken(where: str, error: BaseException) -> None:
    """No check may fail with an exception."""
    raise AssertionError(where) from error


def by_network(zone: Zone, entries: int, messages: Sequence[Message]) -> tuple[list[Facts], list[Facts], int]:
    """Return the facts of a worker's checks at first and again, and the number of questions sent the second time."""
    config = replace(CONFIG, dns=replace(CONFIG.dns, cache_entries=entries))
    with NameServer(zone) as server, DnsThread(config, [Endpoint(*server.address)], broken) as dns_thread:
        first = facts(dns_thread, config, messages)
        server.queries.reset()
        return first, facts(dns_thread, config, messages), len(server.queries)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_suite(scenario: str) -> None:
    cases: list[SuiteCase] = SCENARIOS[scenario]
    zone = Zone.from_suite(cases[0].zonedata)
    messages = [Message(case.client, case.helo, case.mailfrom) for case in cases]
    expected = []
    for message in messages:
        with SimulatedWorker(zone, entries=0) as worker:
            expected += worker.facts(message)
    for entries in (0, CONFIG.dns.cache_entries):
        cold, warm, asked = by_network(zone, entries, messages)
        assert cold == expected
        assert warm == expected
        assert (asked == 0) == bool(entries)


# The running milter

MESSAGES = {
    "good": (GOOD, GOOD_HELO, GOOD_FROM),
    "good, IPv6": (GOOD6, "mail6.good.example", GOOD_FROM),
    "null sender": (GOOD, GOOD_HELO, "<>"),
    "liar": (LIAR, "mx.liar.example", "a@liar.example"),
    "nobody": (NAMELESS, "nosuch.example", "a@nobody.example"),
    "pool": (POOL, "pool", "a@broken.example"),
    "strict": (POOL, "[192.0.2.9]", "a@strict.example"),
    "trouble": (TROUBLED, "mail.trouble.example", "a@trouble.example"),
    "late": (LATE, "mail.late.example", "a@late.example"),
}


@pytest.fixture(scope="module")
def remembering(server: NameServer) -> Iterator[Daemon]:
    with Daemon({"headers": {"received_spf": True}}, DEFAULT_RULES, server) as running:
        yield running


@pytest.fixture(scope="module")
def forgetful(server: NameServer) -> Iterator[Daemon]:
    config: dict[str, dict[str, Any]] = {"headers": {"received_spf": True}, "dns": {"cache_entries": 0}}
    with Daemon(config, DEFAULT_RULES, server) as running:
        yield running


def judged(daemon: Daemon, client: Client, helo: str, mailfrom: str) -> tuple[Outcome, dict[str, str], dict[str, str]]:
    """Return the outcome of a message, its log line without the costs, and the costs."""
    outcome, (decision,) = daemon.judge(client=client, helo=helo, mailfrom=mailfrom)
    return outcome, decision, {cost: decision.pop(cost) for cost in COSTS}


@pytest.mark.parametrize(("client", "helo", "mailfrom"), MESSAGES.values(), ids=MESSAGES)
def test_the_milter_says_the_same_cold_and_warm(
    remembering: Daemon, forgetful: Daemon, client: Client, helo: str, mailfrom: str
) -> None:
    expected, line, _ = judged(forgetful, client, helo, mailfrom)
    for daemon in (forgetful, remembering, remembering):
        outcome, decision, costs = judged(daemon, client, helo, mailfrom)
        assert decision == line
        assert [step.reply for step in outcome.steps] == [step.reply for step in expected.steps]
        assert outcome.changes == expected.changes
    if client is not TROUBLED:  # trouble is not remembered as a fact: it is looked up again, from the cache of answers
        assert costs == dict.fromkeys(COSTS, "0")
    assert int(costs["queries"]) == int(costs["cached"])
