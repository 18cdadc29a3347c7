"""Compare check_host() with a second evaluator, written from the RFC's text, on the RFC 7208 suite and ten thousand random records.

For a million records: `python -m tests.kit.data.spf.comparison`.
"""

from __future__ import annotations

import functools
from collections import Counter

import pytest

from rdns_milter.checks.spf_evaluation import Evaluation
from tests.kit.data.spf import suite
from tests.kit.data.spf.comparison import disagreement, ours
from tests.kit.data.spf.random_records import case
from tests.kit.data.spf.reference_grammar import is_domain_spec, pieces, read
from tests.kit.data.spf.suite import SuiteCase
from tests.kit.data.spf.suite_reference import of_mailfrom
from tests.kit.dns.zone import Zone

SUITE = tuple(suite.cases())
CASES, CHUNK = 10_000, 1_000


@functools.cache
def zone(scenario: str) -> Zone:
    """Return the zone of a scenario."""
    return next(Zone.from_suite(each.zonedata) for each in SUITE if each.scenario == scenario)


@pytest.mark.parametrize("each", SUITE, ids=str)
def test_the_reference_passes_the_suite(each: SuiteCase) -> None:
    verdict = of_mailfrom(each, zone(each.scenario))
    assert verdict.result == suite.expected(each)
    if each.explanation is not None:
        assert verdict.explanation == each.explanation


@pytest.mark.parametrize("first", range(0, CASES, CHUNK))
def test_random_records(first: int) -> None:
    found = [text for number in range(first, first + CHUNK) if (text := disagreement(number))]
    assert not found, "\n".join(found[:5])


def test_random_records_have_all_results_and_problems() -> None:
    facts = [ours(case(number))[0].spf for number in range(3 * CHUNK)]
    results = Counter(spf.result for spf in facts)
    assert results.keys() == {"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"}
    assert min(results.values()) > CHUNK // 100
    problems = {spf.problem.partition(":")[0] for spf in facts}
    assert problems >= {
        "CIDR not allowed",
        "Dual CIDR not allowed",
        "Invalid IP4 CIDR length",
        "Invalid IP6 CIDR length",
        "Invalid IP4 address",
        "Invalid IP6 address",
        "Invalid domain found",
        "Invalid macro",
        "Invalid character found",
        "Missing domain",
        "More than 10 MX records",
        "More than 10 terms that need lookups",
        "More than 2 lookups found nothing",
        "No valid SPF record for included domain",
        "Two or more type TXT spf records found.",
        "Unknown mechanism found",
        "redirect domain has no SPF record",
        "redirect= appears more than once",
    }
    assert any(spf.explanation for spf in facts)


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("check_lookups", lambda self: None),
        ("validated_ptrs", lambda self: []),
        ("_redirected", lambda self, spec, recursion: ("neutral", 250, "")),
        ("explain", lambda self, explanation: ""),
    ],
)
def test_the_comparison_sees_a_fault(name: str, replacement: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluation, name, replacement)
    assert any(disagreement(number) for number in range(CHUNK))


def test_the_comparison_sees_a_query_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expand macros before their term is reached."""

    unpatched = Evaluation.check0

    def check0(self: Evaluation, spf: str | None, recursion: int) -> tuple[str, int, str]:
        if spf is not None and "%{p}" in spf:
            self.validated_ptrs()
        return unpatched(self, spf, recursion)

    monkeypatch.setattr(Evaluation, "check0", check0)
    assert any("questions" in disagreement(number) for number in range(CHUNK))


@pytest.mark.parametrize("text", ["%%{d}", "a.b/24", "%{d0}.example", "a.%{c}", "", ".", "a..", "a.1", "a.-b"])
def test_the_reference_reads_the_grammar(text: str) -> None:
    assert not is_domain_spec(text)
    assert is_domain_spec(f"{text.replace('%{c}', 'c').replace('0', '')}.example")
    assert pieces("%%{d}%{D1r.-}") == ["%%", "{", "d", "}", "%{D1r.-}"]
    assert read("v=spf1 REDIRECT=a.b x=y x=z").redirect == "a.b"
