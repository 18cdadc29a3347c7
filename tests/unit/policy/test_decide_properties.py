"""What holds of a verdict for any evidence and any policy, however senseless. What DNS trouble does: test_trouble_properties.py."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdns_milter.checks.evidence import LOOKED_UP, TEMPERROR, Evidence
from rdns_milter.policy.decide import decide, possible_actions, reply_is_settled
from rdns_milter.policy.rules import ACTIONS, ENFORCE, OBSERVE, Policy, Rule
from tests.kit.data.strategies import RELAY, evidences, policies, replaced

CATCH_ALL = Rule("all", action="reject")

thorough = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def calm() -> st.SearchStrategy[Evidence]:
    """Evidence without any trouble, of a client that is judged."""
    return evidences().flatmap(lambda evidence: replaced(evidence, LOOKED_UP, without=frozenset((TEMPERROR,))))


@given(evidences(unknown=True, exempt=True, via=True), policies())
@thorough
def test_there_is_always_a_verdict_and_always_the_same(evidence: Evidence, policy: Policy) -> None:
    verdict = decide(evidence, policy)
    assert verdict.action in ACTIONS
    assert verdict == decide(evidence, policy)
    assert set(verdict.would) <= {*ACTIONS, ""}  # "": a shadow rule that has no action


@given(evidences(unknown=True), policies(modes=(OBSERVE,)))
@thorough
def test_observing_refuses_nothing_and_says_what_enforcing_would_do(evidence: Evidence, policy: Policy) -> None:
    observed, enforced = decide(evidence, policy), decide(evidence, replace(policy, mode=ENFORCE))
    assert observed.action in ("accept", "tag")
    assert (observed.rule, observed.score) == (enforced.rule, enforced.score)
    assert observed.action == enforced.action or (observed.action == "accept" and observed.would == (enforced.action,))
    assert possible_actions(evidence, policy) <= {"accept", "tag"}


@given(evidences(unknown=True), policies())
@thorough
def test_nothing_is_refused_or_deferred_through_a_relay(evidence: Evidence, policy: Policy) -> None:
    relayed = replace(evidence, via=RELAY)
    verdict, direct = decide(relayed, policy), decide(evidence, policy)
    assert verdict.action in ("accept", "tag", "quarantine")
    assert (verdict.rule, verdict.score, verdict.softened) == (direct.rule, direct.score, direct.softened)
    if direct.action in ("reject", "tempfail"):
        assert (verdict.action, verdict.would, verdict.withheld) == ("tag", (direct.action,), direct.action)
    else:
        assert verdict == direct
    assert possible_actions(relayed, policy) <= {"accept", "tag", "quarantine"}
    assert reply_is_settled(relayed, policy)


@given(calm(), policies(), policies())
@thorough
def test_rules_behind_the_decisive_one_do_not_matter(evidence: Evidence, policy: Policy, more: Policy) -> None:
    policy = replace(policy, rules=(*policy.rules, CATCH_ALL))
    verdict = decide(evidence, policy)
    index = next(index for index, rule in enumerate(policy.rules) if rule is verdict.because)
    assert decide(evidence, replace(policy, rules=policy.rules[: index + 1] + more.rules)) == verdict


@given(evidences(unknown=True), policies())
@thorough
def test_shadow_rules_change_nothing_but_what_is_said_of_them(evidence: Evidence, policy: Policy) -> None:
    verdict = decide(evidence, policy)
    without = decide(evidence, replace(policy, rules=tuple(rule for rule in policy.rules if not rule.shadow)))
    assert replace(verdict, would=(), shadow_rules=()) == replace(without, would=(), shadow_rules=())


@given(evidences(), policies(modes=(ENFORCE,)), st.sampled_from(("network", "authenticated", "not-ip")))
def test_the_exempt_are_accepted(evidence: Evidence, policy: Policy, why: str) -> None:
    verdict = decide(replace(evidence, exempt=why), policy)
    assert (verdict.action, verdict.rule, verdict.would) == ("accept", f"exempt:{why}", ())
