"""The facts about a client are the same with and without prefetch, with empty, full and without caches, after checks of other
clients, and for each order in which the answers arrive.

Uses the product's resolver, caches and check runner with zones in memory (tests.kit.dns.zone_resolver): the RFC 7208 suite, the
cases of iprev and HELO, and random zones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter.checks.spf_prefetch import Prefetch
from rdns_milter.resolver.lookup import Question
from tests.kit.data.spf import random_zones, suite
from tests.kit.data.spf.suite import SuiteCase
from tests.kit.dns.dict_answers import Entry
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_resolver import Facts, Message, SimulatedWorker
from tests.unit.checks.test_helo import RESOLVED
from tests.unit.checks.test_iprev import CASES as IPREV_CASES

CASES = tuple(suite.cases())
NAMEABLE = {name: case for name, case in IPREV_CASES.items() if name != "label too long"}  # no zone can hold that label
SEEDS = st.integers(0, 2**32)
HOUR = 3600.0
LATEST = (
    0.05  # longest delay of an answer in seconds: shorter than the wait for an explanation or a second reverse name
)
STRANGER = "stranger@{}", "stranger.example"

Delay = Callable[[Question], float]
thorough = settings(max_examples=150, deadline=None)


@functools.cache
def suite_zone(scenario: str) -> Zone:
    """Return the zone of a scenario."""
    return next(Zone.from_suite(case.zonedata) for case in CASES if case.scenario == scenario)


def table_zone(entries: dict[str, Entry]) -> Zone:
    """Return the zone of a case of iprev or HELO. A list of a case holds records (an empty one: the name exists without such
    records), a text is an error."""
    lines = []
    for key, entry in entries.items():
        owner, kind = key.split()
        if isinstance(entry, str):
            lines.append(f"{owner} {kind}!{'SILENT' if entry == 'timeout' else entry}")
        else:
            lines += [f"{owner} {kind} {value or '.'}" for value in entry]
            lines.append(f"{owner} MX 0 .")
    return Zone("\n".join(lines))


def late(seed: int) -> Delay:
    """Return delays of answers, with a different order for each seed."""
    return lambda question: Random(f"{seed} {question}").uniform(0, LATEST)


def alone(zone: Zone, *messages: Message) -> list[Facts]:
    """Return the facts about each message, found without caches and one after the other. All other results are compared with
    them."""
    found = []
    for message in messages:
        with SimulatedWorker(zone, entries=0) as worker:
            found += worker.facts(message)
    return found


def unplanned(zone: Zone, message: Message, delay: Delay) -> tuple[Facts, list[Question]]:
    """Return the same without prefetch, and the questions asked."""
    with pytest.MonkeyPatch.context() as patch, SimulatedWorker(zone, 0, delay) as worker:
        patch.setattr(Prefetch, "wanted", lambda self, known: [])
        (facts,) = worker.facts(message)
        return facts, worker.resolver.asked


def same_everywhere(zone: Zone, message: Message, *others: Message) -> None:
    """Check that the facts are those of `alone`: with empty caches, for two equal messages at the same time, with full caches, with
    cached answers but no cached facts, with the facts of the other messages in the cache, and after all of it has expired."""
    (expected,) = alone(zone, message)
    with SimulatedWorker(zone) as worker:
        worker.facts(*others)
        assert worker.facts(message) == [expected], "cold"
    with SimulatedWorker(zone) as worker:
        assert worker.facts(message, *others, message)[:: len(others) + 1] == [expected, expected], "at once"
        asked = len(worker.resolver.asked)
        assert worker.facts(message) == [expected], "warm"
        worker.check_runner.clear_cache()
        assert worker.facts(message) == [expected], "answers remembered"
        assert len(worker.resolver.asked) == asked, "asked again"
        worker.loop.advance(HOUR)
        assert worker.facts(message) == [expected], "long after"


# The RFC 7208 suite


def of_suite(case: SuiteCase) -> tuple[Message, Message]:
    """Return the message of a case, and one from the same client with another local part and HELO name, whose results may
    differ."""
    _, at, domain = case.mailfrom.rpartition("@")
    sender, greeting = STRANGER
    stranger = sender.format(domain) if at else case.mailfrom
    return Message(case.client, case.helo, case.mailfrom), Message(case.client, greeting, stranger)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_suite(case: SuiteCase) -> None:
    message, stranger = of_suite(case)
    same_everywhere(suite_zone(case.scenario), message, stranger)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_suite_for_another_sender(case: SuiteCase) -> None:
    message, stranger = of_suite(case)
    same_everywhere(suite_zone(case.scenario), stranger, message)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_suite_in_any_order_of_arrival(case: SuiteCase) -> None:
    message, _ = of_suite(case)
    zone = suite_zone(case.scenario)
    (expected,) = alone(zone, message)
    for seed in range(2):
        assert unplanned(zone, message, late(seed))[0] == expected
        with SimulatedWorker(zone, 0, late(seed)) as worker:
            assert worker.facts(message) == [expected]


# The tables of iprev and HELO


@pytest.mark.parametrize(("client", "entries", "result", "reason", "ptr"), NAMEABLE.values(), ids=NAMEABLE.keys())
def test_iprev(client: str, entries: dict[str, Entry], result: str, reason: str, ptr: str) -> None:
    zone, message = table_zone(entries), Message(client, "nowhere.test", "a@nowhere.test")
    same_everywhere(zone, message)
    (facts,) = alone(zone, message)
    iprev = facts.reverse.iprev
    assert (iprev.result, iprev.reason, iprev.ptr) == (result, reason, ptr)


@pytest.mark.parametrize(("greeting", "client", "entries", "result", "reason"), RESOLVED)
def test_helo(greeting: str, client: str, entries: dict[str, Entry], result: str, reason: str) -> None:
    zone, message = table_zone(entries), Message(client, greeting, "a@nowhere.test")
    same_everywhere(zone, message, Message("192.0.2.77", greeting, "a@nowhere.test"))
    (facts,) = alone(zone, message)
    assert (facts.helo.result, facts.helo.reason) == (result, reason)


# Random zones


@given(SEEDS)
@thorough
def test_prefetch_changes_no_fact(seed: int) -> None:
    rng = Random(seed)
    zone, message = Zone(random_zones.zone(seed)), random_zones.message(rng)
    expected, asked = unplanned(zone, message, late(seed))
    with SimulatedWorker(zone, 0, late(seed + 1)) as worker:
        assert worker.facts(message) == [expected]
        assert set(asked) <= set(worker.resolver.asked)


def groups(rng: Random, messages: Sequence[Message]) -> list[list[Message]]:
    """Yield the messages in groups; those of a group are checked at the same time."""
    grouped: list[list[Message]] = [[]]
    for message in messages:
        if grouped[-1] and rng.random() < 0.6:
            grouped.append([])
        grouped[-1].append(message)
    return grouped


@given(SEEDS)
@thorough
def test_cached_facts_of_others_change_no_fact(seed: int) -> None:
    rng = Random(seed)
    zone = Zone(random_zones.zone(seed))
    messages = [random_zones.message(rng) for _ in range(rng.randint(2, 8))]
    with SimulatedWorker(zone, rng.choice((1, 7, 1000)), late(seed)) as worker:
        for group in groups(rng, messages):
            assert worker.facts(*group) == alone(zone, *group)
            worker.loop.advance(rng.choice((0.0, 0.0, 4.0, 61.0)))


@given(SEEDS)
@thorough
def test_changes_of_the_zone_are_seen_when_answers_expire(seed: int) -> None:
    before, after = Zone(random_zones.zone(seed)), Zone(random_zones.zone(seed + 1))
    message = random_zones.message(Random(seed))
    with SimulatedWorker(before) as worker:
        worker.facts(message)
        worker.resolver.zone = after
        worker.loop.advance(301)  # longer than the TTL of all answers of these zones
        assert worker.facts(message) == alone(after, message)


# Results that depend on the sender


PERSONAL = """
v.example TXT {record}
*.yes.example A 127.0.0.2
alice.some.example A 127.0.0.2
alice@v.example.some.example A 127.0.0.2
h0.example.some.example A 127.0.0.2
alice.in.example TXT v=spf1 +all
bob.in.example TXT v=spf1 -all
why.example TXT Not %{{l}} at %{{h}}
"""
ALICE = Message("192.0.2.1", "h0.example", "alice@v.example")
BOB = Message("192.0.2.1", "h0.example", "bob@v.example")
ELSEWHERE = Message("192.0.2.1", "h1.example", "alice@v.example")


@pytest.mark.parametrize(
    ("record", "alice", "bob", "elsewhere"),
    [
        ("v=spf1 exists:%{l}.some.example -all", "pass", "fail", "pass"),
        ("v=spf1 exists:%{L}.some.example -all", "pass", "fail", "pass"),
        ("v=spf1 exists:%{l1r+}.some.example -all", "pass", "fail", "pass"),
        ("v=spf1 exists:%{s}.some.example -all", "pass", "fail", "pass"),
        ("v=spf1 exists:%{h}.some.example -all", "pass", "pass", "fail"),
        ("v=spf1 include:%{l}.in.example -all", "pass", "fail", "pass"),
        ("v=spf1 redirect=%{l}.in.example", "pass", "fail", "pass"),
        ("v=spf1 exists:%{i}.yes.example -all", "pass", "pass", "pass"),
        ("v=spf1 exp=why.example -all", "fail", "fail", "fail"),
    ],
)
def test_no_sender_gets_the_result_of_another(record: str, alice: str, bob: str, elsewhere: str) -> None:
    zone = Zone(PERSONAL.format(record=record))
    messages = {"alice": ALICE, "bob": BOB, "elsewhere": ELSEWHERE}
    expected = {name: alone(zone, message)[0].spf_mailfrom for name, message in messages.items()}
    assert [spf.result for spf in expected.values()] == [alice, bob, elsewhere]
    for first in messages:
        with SimulatedWorker(zone) as worker:
            for name in (first, *messages, *reversed(messages)):
                (facts,) = worker.facts(messages[name])
                assert (name, facts.spf_mailfrom) == (name, expected[name])


def test_a_result_that_does_not_depend_on_the_sender_is_shared() -> None:
    with SimulatedWorker(Zone(PERSONAL.format(record="v=spf1 exists:%{i}.yes.example -all"))) as worker:
        worker.facts(ALICE)
        asked = len(worker.resolver.asked)
        worker.facts(BOB)
        assert len(worker.resolver.asked) == asked
