"""Whether two rules can match the same message: never "no" if they do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings

from rdns_milter.checks.evidence import Evidence
from rdns_milter.config.load import parse
from rdns_milter.policy.decide import decide
from rdns_milter.policy.overlap import may_both_match
from rdns_milter.policy.rules import Policy, Rule
from tests.kit.data.strategies import SEEDS, evidences, policies, possible

APART = [
    ('client = "192.0.2.0/24"', 'client = ["198.51.100.0/24", "2001:db8::1"]'),
    ('ptr = "mx.example.com"', 'ptr = [".mx.example.com", "mx.example.net"]'),
    ('ptr = ".example.com"', 'ptr = ["example.com", ".example.net"]'),
    ('mailfrom = "a@example.com"', 'mailfrom = ["b@", "c@example.com", "example.net", ".example.com", "<>"]'),
    ('rcpt = ["a@", "b@"]', 'rcpt = ["c@", "d@example.com"]'),
    ('iprev = "pass"', 'iprev = ["fail", "permerror"]'),
    ('ptr = ".example.com"', 'iprev = "fail"'),
    ("tls = true", "tls = false"),
]
TOGETHER = [
    ('client = "192.0.2.0/24"', 'client = "192.0.2.7"'),
    ('client = "192.0.2.0/28"', 'iprev = "fail"'),
    ('ptr = "mx.example.com"', 'ptr = ".example.com"'),
    ('ptr = ".mx.example.com"', 'ptr = [".example.com", "example.net"]'),
    ('mailfrom = "a@example.com"', 'mailfrom = "a@"'),
    ('mailfrom = "a@example.com"', 'mailfrom = "example.com"'),
    ('mailfrom = "a@"', 'mailfrom = ".example.com"'),
    ('mailfrom = "<>"', 'mailfrom = ["a@", "<>"]'),
    ('iprev = ["pass", "fail"]', 'iprev = ["fail", "permerror"]'),
    ("min_score = 3", "min_score = 5"),
    ("tls = true", 'generic = "yes"'),
]


def rules(*conditions: str) -> tuple[Rule, ...]:
    scores = '[[rule]]\nname = "s"\nscore = 9\n'
    tables = (f'[[rule]]\nname = "r{n}"\naction = "tag"\nwhen = {{ {each} }}\n' for n, each in enumerate(conditions))
    return parse(scores + "".join(tables), "c.toml").policy.rules[1:]


@pytest.mark.parametrize(("one", "other"), APART)
def test_apart(one: str, other: str) -> None:
    first, second = rules(one, other)
    assert not may_both_match(first, second)
    assert not may_both_match(second, first)


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_together(one: str, other: str) -> None:
    first, second = rules(one, other)
    assert may_both_match(first, second)
    assert may_both_match(second, first)


def test_exceptions_count() -> None:
    first, second = rules('client = "192.0.2.7"', 'iprev = "fail"')
    assert not may_both_match(first, replace(second, unless=rules('client = "192.0.2.0/24"')[0].when))
    assert may_both_match(first, replace(second, unless=rules('client = "192.0.2.8"')[0].when))


@settings(max_examples=300, deadline=None)
@given(policies(), evidences(), SEEDS)
def test_rules_that_match_the_same_message_overlap(policy: Policy, evidence: Evidence, number: int) -> None:
    evidence = possible(evidence, number)
    decisive = [
        replace(rule, action="tag", score=0, shadow=False, until=None)
        for rule in policy.in_force(date(2026, 1, 1)).rules
    ]
    matching = [rule for rule in decisive if decide(evidence, Policy((rule,))).because is rule]
    for first in matching:
        assert all(may_both_match(first, second) for second in matching)
