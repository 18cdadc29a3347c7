"""Decide what happens to a recipient: evaluate the rules of a policy on the evidence.

Pure and total: makes no lookup, reads no clock, changes nothing, raises nothing. Knows no SMTP code and no header field;
`responses` derives those from the verdict. A refusal that a temporary DNS error could have caused becomes `tempfail`, whatever the
rules say. A message that comes through a relay of ours is never refused or deferred, because the relay would have to bounce it.

RFC 7208 8.6 and RFC 5321 4.2.1 (a temporary error is not answered with a permanent one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..checks.evidence import FACTS, PASS, UNKNOWN, Evidence, facts_in_doubt, facts_in_trouble, hide_doubtful_facts
from ..net.names import canonical
from .rules import (
    ACCEPT,
    DEFAULT_RULE,
    FORGED_RESULTS,
    LET_IN,
    MAX_FORGED,
    OBSERVE,
    QUARANTINE,
    REFUSALS,
    REJECT,
    REPLIED,
    TAG,
    TAKEN,
    TEMPFAIL,
    Condition,
    Policy,
    Rule,
    Verdict,
    Words,
)

ScoreRange = tuple[float, float]  # the lowest and the highest score that the message can have


def decide(evidence: Evidence, policy: Policy) -> Verdict:
    """Return the verdict on one recipient.

    The first rule that matches, has an action and is not a shadow rule decides; if none does, the message is accepted. A condition
    on an unknown fact does not match. A message with more than MAX_FORGED forged fields is refused even if the client is exempt.
    """
    if evidence.forged > MAX_FORGED:
        return _refused_for_forged_results(evidence, policy)
    if evidence.exempt:
        return Verdict(rule=f"exempt:{evidence.exempt}")
    score = 0.0
    shadows: list[Rule] = []
    deciding: Rule | None = None
    for rule in policy.rules:
        if _matches(rule, evidence, (score, score)) is not True:
            continue
        if rule.shadow:
            shadows.append(rule)
        elif rule.action:
            deciding = rule
            break
        else:
            score += rule.score
    action = deciding.action if deciding else ACCEPT
    softened = deciding is not None and action in REFUSALS and _depends_on_trouble(deciding, evidence, policy)
    enforced = TEMPFAIL if softened else action
    taken = _allowed(enforced, evidence, policy)
    would = (enforced,) if taken != enforced else tuple([_shadow_action(rule, evidence, policy) for rule in shadows])
    return Verdict(
        action=taken,
        rule=deciding.name if deciding else DEFAULT_RULE,
        score=score,
        would=would,
        shadow_rules=tuple([rule.name for rule in shadows]),
        because=deciding,
        softened=softened,
        withheld=enforced if taken != enforced else "",
    )


def _allowed(action: str, evidence: Evidence, policy: Policy) -> str:
    """Return the action that is taken when the rules call for `action`. Observe mode and a relay do not allow every action."""
    if action in LET_IN:
        return action
    if policy.mode == OBSERVE:
        return ACCEPT
    return TAG if evidence.via is not None and action in REPLIED else action


def _refused_for_forged_results(evidence: Evidence, policy: Policy) -> Verdict:
    """Return the verdict on a message with more forged fields than can be removed. It must not be delivered with these fields. So
    it is held if it comes through a relay, and refused otherwise; in observe mode it is accepted."""
    taken = ACCEPT if policy.mode == OBSERVE else REJECT if evidence.via is None else QUARANTINE
    withheld = REJECT if taken != REJECT else ""
    would = (withheld,) if withheld else ()
    return Verdict(taken, FORGED_RESULTS.name, would=would, because=FORGED_RESULTS, withheld=withheld)


def possible_actions(evidence: Evidence, policy: Policy) -> frozenset[str]:
    """Return the actions that the verdict can have once the unknown facts are known.

    A refusal that depends on unknown facts, or on facts with a temporary DNS error, can also become `tempfail`.
    """
    if evidence.exempt:
        return frozenset((ACCEPT,))
    candidates = _candidates(evidence, policy)
    actions = {_action(rule) for rule in candidates}
    if actions & REFUSALS and _may_soften(candidates, evidence, policy):
        actions.add(TEMPFAIL)
    return frozenset(_allowed(action, evidence, policy) for action in actions)


def reply_is_settled(evidence: Evidence, policy: Policy) -> bool:
    """Return whether RCPT can be answered now: the recipient is accepted whatever the unknown facts turn out to be."""
    return possible_actions(evidence, policy) <= TAKEN


def _candidates(evidence: Evidence, policy: Policy) -> list[Rule | None]:
    """Return the rules that can decide, None for the default.

    In three-valued logic a rule matches, does not match, or may match. The rules after the first certain match have no effect.
    """
    low = high = 0.0
    candidates: list[Rule | None] = []
    for rule in policy.rules:
        match = False if rule.shadow else _matches(rule, evidence, (low, high))
        if match is False:
            continue
        if not rule.action:
            low, high = _scored((low, high), rule.score, match)
            continue
        candidates.append(rule)
        if match is True:
            return candidates
    return [*candidates, None]


def _action(rule: Rule | None) -> str:
    return rule.action if rule else ACCEPT


def _may_soften(candidates: list[Rule | None], evidence: Evidence, policy: Policy) -> bool:
    """Return whether a refusal by one of these rules can become `tempfail` once all facts are known."""
    doubt = facts_in_doubt(evidence)
    if not doubt:
        return False
    if any(rule.tested() & doubt for rule in candidates if rule and rule.action in REFUSALS):
        return True
    return len({_action(rule) for rule in _candidates(hide_doubtful_facts(evidence), policy)}) > 1


def _depends_on_trouble(rule: Rule, evidence: Evidence, policy: Policy) -> bool:
    """Return whether a refusal by the rule depends on a temporary DNS error.

    It does if the rule uses a fact with such an error. It also does if a definite answer could have led to another rule or score,
    and so to another action."""
    trouble = facts_in_trouble(evidence)
    if not trouble:
        return False
    if rule.tested() & trouble:
        return True
    return any(_action(other) != rule.action for other in _candidates(hide_doubtful_facts(evidence), policy))


def _shadow_action(rule: Rule, evidence: Evidence, policy: Policy) -> str:
    """Return the action that the shadow rule would have had if it alone were enforced."""
    if rule.action in REFUSALS:
        enforced = replace(rule, shadow=False)
        rules = tuple(enforced if other is rule else other for other in policy.rules)
        if _depends_on_trouble(enforced, evidence, replace(policy, rules=rules)):
            return TEMPFAIL
    return rule.action


def _scored(score: ScoreRange, points: float, match: bool | None) -> ScoreRange:
    """Return the score after a rule that matches (`match` is True) or may match (None)."""
    low, high = score
    if match is True:
        return low + points, high + points
    return low + min(0.0, points), high + max(0.0, points)


def _matches(rule: Rule, evidence: Evidence, score: ScoreRange) -> bool | None:
    """Return whether the rule matches; None if that depends on unknown facts."""
    answer: bool | None = True
    for condition in rule.when:
        holds = _holds(condition, evidence, score)
        if holds is False:
            return False
        if holds is None:
            answer = None
    for condition in rule.unless:
        holds = _holds(condition, evidence, score)
        if holds is True:
            return False
        if holds is None:
            answer = None
    return answer


def _holds(condition: Condition, evidence: Evidence, score: ScoreRange) -> bool | None:
    fact = FACTS.get(condition.name)
    if fact is not None:
        word = fact.get(evidence)
        if word == UNKNOWN:
            return None
        assert isinstance(condition.values, Words)
        return word in condition.values.words
    return CONDITIONS[condition.name](evidence, condition.values, score)


def _client(evidence: Evidence, values: Any, score: ScoreRange) -> bool:
    return evidence.client is not None and evidence.client in values


def _ptr(evidence: Evidence, values: Any, score: ScoreRange) -> bool | None:
    if evidence.iprev.result == UNKNOWN:
        return None
    # Only a confirmed name matches: a PTR record can claim any name.
    return evidence.iprev.result == "pass" and values.match(evidence.iprev.ptr)


def _client_spf(evidence: Evidence, values: Any, score: ScoreRange) -> bool | None:
    if evidence.client_spf is None:
        return None
    results = [result for domain, result in evidence.client_spf if not domain or domain in values.names]
    return True if PASS in results else None if UNKNOWN in results else False


def _dnslist(evidence: Evidence, values: Any, score: ScoreRange) -> bool | None:
    if evidence.dnslist is None:
        return None
    is_unknown = False
    for name, answer in evidence.dnslist:
        entries = [entry for entry in values.entries if not name or entry.name == name]
        is_unknown = is_unknown or (answer == UNKNOWN and bool(entries))
        if "." in answer and any(entry.match(answer) for entry in entries):
            return True
    return None if is_unknown else False


def _min_score(evidence: Evidence, values: Any, score: ScoreRange) -> bool | None:
    low, high = score
    if low >= values:
        return True
    return None if high >= values else False


# Conditions other than facts: name, and the function that evaluates the condition.
CONDITIONS: Mapping[str, Callable[[Evidence, Any, ScoreRange], bool | None]] = MappingProxyType(
    {
        "client": _client,
        "ptr": _ptr,
        "helo_name": lambda evidence, values, score: values.match(canonical(evidence.helo_name)),
        "mailfrom": lambda evidence, values, score: values.match(evidence.mailfrom),
        "rcpt": lambda evidence, values, score: values.match(evidence.rcpt),
        "client_spf": _client_spf,
        "dnslist": _dnslist,
        "authenticated": lambda evidence, values, score: evidence.authenticated is values,
        "tls": lambda evidence, values, score: evidence.tls is values,
        "min_score": _min_score,
    }
)
