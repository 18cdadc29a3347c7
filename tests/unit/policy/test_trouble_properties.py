"""What temporary DNS trouble and missing facts do to a verdict, for any evidence and any policy: no policy answers temperror with a
refusal that another answer of DNS would have spared. Cases, one a line, are in test_trouble_examples.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rdns_milter.checks.evidence import (
    FACTS,
    LOOKED_UP,
    MORE_SOURCES,
    TEMPERROR,
    TROUBLES,
    UNKNOWN,
    Evidence,
    facts_in_trouble,
    missing_facts,
)
from rdns_milter.policy.decide import decide, possible_actions, reply_is_settled
from rdns_milter.policy.rules import ENFORCE, REFUSALS, TAKEN, Policy, Rule
from tests.kit.data.strategies import (
    SEEDS,
    every_replacement,
    evidences,
    policies,
    replaced,
    with_facts,
    with_sources,
)

ENFORCED = policies(modes=(ENFORCE,))
CATCH_ALL = Rule("all", action="reject")
MADE_OF_IPREV = {"iprev_reason", "generic", "helo_match", "mailfrom_match", "ptr"}
NO_TROUBLE = frozenset((TEMPERROR,))

# Much is drawn in vain where a property is about refusals or trouble only.
thorough = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@st.composite
def troubled(draw: st.DrawFn) -> Evidence:
    """Evidence with one fact in trouble at least."""
    evidence = draw(evidences())
    return with_facts(evidence, dict.fromkeys(draw(st.sets(st.sampled_from(LOOKED_UP), min_size=1)), TEMPERROR))


def every_way(
    data: st.DataObject,
    evidence: Evidence,
    policy: Policy,
    facts: frozenset[str],
    without: frozenset[str] = frozenset(),
) -> Iterator[Evidence]:
    """The evidence with other words for these facts: every combination for those that the policy asks about."""
    asked = frozenset[str]().union(*(rule.facts() for rule in policy.rules))
    drawn = data.draw(replaced(evidence, facts, without))
    return every_replacement(drawn, facts & asked, without)


@given(troubled(), ENFORCED)
@thorough
def test_no_refusal_where_the_deciding_rule_tests_a_fact_in_trouble(evidence: Evidence, policy: Policy) -> None:
    verdict = decide(evidence, policy)
    if verdict.action in REFUSALS:
        assert verdict.because is not None
        tested = {condition.name for condition in verdict.because.when + verdict.because.unless}
        in_trouble = {name for name in LOOKED_UP if FACTS[name].get(evidence) == TEMPERROR}
        assert not tested & in_trouble
        assert "iprev" not in in_trouble or not tested & MADE_OF_IPREV


@given(st.data(), troubled(), ENFORCED)
@thorough
def test_a_refusal_in_trouble_would_have_been_one_without(
    data: st.DataObject, evidence: Evidence, policy: Policy
) -> None:
    # Most policies let the message pass as soon as anything is unsure: a catch-all makes refusals frequent.
    policy = replace(policy, rules=(*policy.rules, CATCH_ALL))
    verdict = decide(evidence, policy)
    assume(verdict.action in REFUSALS)
    for answered in every_way(data, evidence, policy, facts_in_trouble(evidence), NO_TROUBLE):
        assert decide(answered, policy).action == verdict.action


@given(st.data(), troubled(), ENFORCED)
@thorough
def test_trouble_softens_only_what_it_could_have_changed(
    data: st.DataObject, evidence: Evidence, policy: Policy
) -> None:
    verdict = decide(evidence, policy)
    assert verdict.softened == (
        verdict.action == "tempfail" and verdict.because is not None and verdict.because.action in REFUSALS
    )
    answered = data.draw(replaced(evidence, facts_in_trouble(evidence), without=NO_TROUBLE))
    assert not decide(answered, policy).softened


@given(st.data(), evidences(unknown=True, via=True), policies())
@thorough
def test_every_completion_has_a_possible_action(data: st.DataObject, evidence: Evidence, policy: Policy) -> None:
    possible = possible_actions(evidence, policy)
    assert possible
    for completion in every_way(data, evidence, policy, missing_facts(evidence)):
        assert decide(completion, policy).action in possible


@given(st.data(), evidences(unknown=True, via=True), policies())
@thorough
def test_a_settled_reply_stays(data: st.DataObject, evidence: Evidence, policy: Policy) -> None:
    assume(reply_is_settled(evidence, policy))
    for completion in every_way(data, evidence, policy, missing_facts(evidence)):
        assert decide(completion, policy).action in TAKEN
        assert reply_is_settled(completion, policy)


@given(evidences(), policies())
@thorough
def test_with_all_facts_known_only_trouble_leaves_a_choice(evidence: Evidence, policy: Policy) -> None:
    possible = possible_actions(evidence, policy)
    assert decide(evidence, policy).action in possible
    if not facts_in_trouble(evidence):
        assert len(possible) == 1


@pytest.mark.parametrize("action", sorted(REFUSALS))
@given(evidence=troubled())
def test_a_rule_without_conditions_refuses_in_trouble_too(action: str, evidence: Evidence) -> None:
    assert decide(evidence, Policy((Rule("all", action=action),))).action == action


# Policies that ask providers and DNS lists, often.
ASKING = policies(but=frozenset(FACTS) | {"client", "ptr", "helo_name", "mailfrom", "rcpt", "authenticated", "tls"})


def sources(without: frozenset[str] = frozenset()) -> st.SearchStrategy[Evidence]:
    """Evidence with any values of providers and DNS lists, but those `without`."""
    return st.tuples(evidences(), SEEDS).map(lambda drawn: with_sources(drawn[0], Random(drawn[1]), without))


def every_answer(evidence: Evidence, values: frozenset[str]) -> Iterator[Evidence]:
    """The evidence with each combination of answers in place of sources that have one of these values."""
    choices = [
        [(name, each) for each in answers] if value in values else [(name, value)]
        for found, answers in (
            (evidence.client_spf, ("pass", "none")),
            (evidence.dnslist, ("127.0.10.2", "127.0.3.4", "none")),
        )
        for name, value in found or ()
    ]
    for answered in itertools.product(*choices):
        spf = len(evidence.client_spf or ())
        yield replace(evidence, client_spf=answered[:spf], dnslist=answered[spf:])


@given(sources(frozenset((UNKNOWN,))), ASKING)
@thorough
def test_no_refusal_where_another_answer_of_a_source_in_trouble_would_spare(evidence: Evidence, policy: Policy) -> None:
    policy = replace(policy, mode=ENFORCE, rules=(*policy.rules, CATCH_ALL))
    verdict = decide(evidence, policy)
    if verdict.action in REFUSALS:
        assert verdict.because is not None
        assert not verdict.because.tested() & facts_in_trouble(evidence)
        for answered in every_answer(evidence, TROUBLES):
            assert decide(answered, policy).action == verdict.action


@given(sources(frozenset(TROUBLES)), ASKING)
@thorough
def test_every_answer_of_an_unknown_source_gives_a_possible_action(evidence: Evidence, policy: Policy) -> None:
    possible = possible_actions(evidence, policy)
    for answered in every_answer(evidence, frozenset((UNKNOWN,))):
        assert decide(answered, policy).action in possible
        if reply_is_settled(evidence, policy):
            assert decide(answered, policy).action in TAKEN


@given(sources(), ASKING)
@thorough
def test_what_was_asked_is_not_known_leaves_every_action_open(evidence: Evidence, policy: Policy) -> None:
    """Lines of an older version say nothing about providers and lists."""
    possible = possible_actions(replace(evidence, client_spf=None, dnslist=None), policy)
    if not facts_in_trouble(evidence) and not missing_facts(evidence):
        assert decide(evidence, policy).action in possible


@given(sources(frozenset((UNKNOWN,))), ASKING, st.integers(0, 3))
@thorough
def test_what_a_log_line_has_no_room_for_leaves_the_action_open(evidence: Evidence, policy: Policy, kept: int) -> None:
    """The line names what holds and what is in trouble, as far as there is room."""
    assume(not missing_facts(evidence))
    named = [
        tuple(each for each in found or () if each[1] != "none") for found in (evidence.client_spf, evidence.dnslist)
    ]
    cut = [(*each[:kept], MORE_SOURCES) if len(each) > kept else each for each in named]
    logged = replace(evidence, client_spf=cut[0], dnslist=cut[1])
    assert decide(evidence, policy).action in possible_actions(logged, policy)
