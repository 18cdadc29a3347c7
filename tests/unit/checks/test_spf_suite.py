"""Run the RFC 7208 suite through `check_host()`: results, explanations, and the cost and benefit of prefetching."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import spf as pyspf

from rdns_milter.checks.spf import CheckHostResult, Limits, check_host, helo_mailbox
from rdns_milter.checks.spf_prefetch import Prefetch
from rdns_milter.net.mailboxes import parse_mailbox
from rdns_milter.net.names import parse_address
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Question
from tests.kit.data.spf import suite
from tests.kit.data.spf.suite import SuiteCase
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

CASES = tuple(suite.cases())


@functools.cache
def zone(scenario: str) -> Zone:
    """Return the zone of a scenario."""
    return next(Zone.from_suite(case.zonedata) for case in CASES if case.scenario == scenario)


def find(case: SuiteCase) -> tuple[CheckHostResult, VirtualTimeLookup]:
    """Return the result for a case, and the lookup."""
    address = parse_address(case.client)
    assert address is not None
    mailbox = parse_mailbox(case.mailfrom)
    lookup = VirtualTimeLookup(zone(case.scenario))
    sender = helo_mailbox(case.helo) if mailbox.is_null else mailbox
    return run(check_host(lookup, address, sender, case.helo, limits=Limits())), lookup


def test_the_suite_is_complete() -> None:
    assert len(CASES) == suite.CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_result(case: SuiteCase) -> None:
    checked, _ = find(case)
    assert checked.spf.result in case.allowed
    assert checked.spf.result == suite.expected(case)


@pytest.mark.parametrize("case", [case for case in CASES if case.explanation is not None], ids=str)
def test_explanation(case: SuiteCase) -> None:
    checked, _ = find(case)
    assert checked.spf.explanation == case.explanation


@pytest.fixture
def no_plan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Disable prefetching."""
    with monkeypatch.context() as patch:
        patch.setattr(Prefetch, "wanted", lambda self, known: [])
        yield


@pytest.mark.parametrize("case", CASES, ids=str)
def test_asking_ahead_changes_nothing(case: SuiteCase, request: pytest.FixtureRequest) -> None:
    ahead, lookup = find(case)
    request.getfixturevalue("no_plan")
    plain, slow = find(case)
    assert ahead.spf == plain.spf
    assert ahead.message_specific == plain.message_specific
    assert ahead.ttl == plain.ttl
    assert plain.unused == 0
    assert ahead.unused == len(lookup.begun) - len(slow.begun)
    assert lookup.now <= slow.now


def asked_by_pyspf(case: SuiteCase, monkeypatch: pytest.MonkeyPatch) -> set[Question]:
    """pyspf alone, recording its questions."""
    lookup = VirtualTimeLookup(zone(case.scenario), delay=0.0)

    def dns_lookup(name: str, kind: str, strict: bool, timeout: float) -> list[object]:
        question = Question(name.lower(), kind)  # type: ignore[arg-type]  # pyspf asks only for types that we have
        (answer,) = run(lookup.ask((question,)))
        if answer.temporary:
            raise pyspf.TempError(answer.status)
        return [((name, kind), (value,) if kind == "TXT" else value) for value in answer.values]

    monkeypatch.setattr(pyspf, "DNSLookup", dns_lookup)
    pyspf.query(case.client, case.mailfrom, case.helo).check()
    return set(lookup.begun)


def test_questions_are_no_more_than_half_again_of_what_pyspf_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = sum(len(find(case)[1].begun) for case in CASES)
    theirs = sum(len(asked_by_pyspf(case, monkeypatch)) for case in CASES)
    assert ours <= 1.5 * theirs
