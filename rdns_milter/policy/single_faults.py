"""Find the rules that refuse a client because of a single fault, by evaluating the policy with and without that fault.

Pure. Evaluates the policy itself, so that scores, exceptions and the order of the rules are taken into account. The simulated
clients have no name and no address that a list could contain: rules against particular clients are the administrator's choice.

RFC 5321 4.1.4, RFC 7208 8.5, RFC 2505 2.6.1 (faults that must not be the only reason for a refusal).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

from ..checks.evidence import UNKNOWN, Evidence, Generic, Helo, Iprev, Spf
from .decide import decide, possible_actions
from .rules import ENFORCE, KEPT_OUT, REJECT, TEMPFAIL, Policy, Rule

REFUSED = frozenset((TEMPFAIL, REJECT))
REJECTED = frozenset((REJECT,))

_NO_MAILBOX = "\0@\0"  # matches no list
_GOOD = Evidence(
    mailfrom=_NO_MAILBOX,
    rcpt=_NO_MAILBOX,
    iprev=Iprev("pass", "confirmed", ("",), ("",), 1),
    generic=Generic("no"),
    helo=Helo("fqdn", "no", "pass", "same"),
    spf_helo=Spf("pass"),
    spf_mailfrom=Spf("pass"),
    mailfrom_match="same",
)

Fault = Callable[[Evidence], Iterator[Evidence]]


def mismatch(good: Evidence) -> Iterator[Evidence]:
    """Yield variants of the evidence in which the HELO name matches the client's address or reverse name only partly or not at
    all."""
    for kind, result, match in (
        ("fqdn", "fail", "different"),
        ("fqdn", "fail", "aligned"),
        ("fqdn", "pass", "different"),
        ("fqdn", "pass", "aligned"),
        ("literal", "fail", "different"),
    ):
        yield replace(good, helo=Helo(kind, "no", result, match))


def softfail(good: Evidence) -> Iterator[Evidence]:
    """Yield variants of the evidence in which SPF gives softfail for one identity."""
    yield replace(good, spf_mailfrom=Spf("softfail"))
    yield replace(good, spf_helo=Spf("softfail"))


def null_sender(good: Evidence) -> Iterator[Evidence]:
    """Yield the evidence with the null sender, as for a bounce."""
    yield replace(good, mailfrom="")


def rules_triggered_by(policy: Policy, today: date, fault: Fault, actions: frozenset[str]) -> frozenset[str]:
    """Return the names of the rules that take one of these actions on a client with the fault, but not on one without it. A shadow
    rule counts as if it alone were enforced."""
    names = set()
    for variant, enforced in _variants(policy, today, actions):
        for good in _good_clients():
            if decide(good, variant).action in actions:
                continue
            for faulty in fault(good):
                verdict = decide(faulty, variant)
                if verdict.action in actions and verdict.because and (enforced is None or verdict.because is enforced):
                    names.add(verdict.because.name)
    return frozenset(names)


def first_refusing(policy: Policy, today: date, recipient: str) -> Rule | None:
    """Return the first rule that can refuse or defer mail to the recipient, for some values of the facts; None if no rule can."""
    rules = policy.in_force(today).rules
    evidence = Evidence(mailfrom=_NO_MAILBOX, rcpt=recipient, helo=Helo(UNKNOWN, UNKNOWN))
    for count, rule in enumerate(rules, 1):
        if possible_actions(evidence, Policy(rules[:count])) & KEPT_OUT:
            return rule
    return None


def _good_clients() -> Iterator[Evidence]:
    """Yield the evidence of clients without a fault."""
    unsuspicious, matches = ("pass", "none", "neutral"), ("same", "aligned", "different")
    for helo, mailfrom, match, tls in itertools.product(unsuspicious, unsuspicious, matches, (False, True)):
        yield replace(_GOOD, spf_helo=Spf(helo), spf_mailfrom=Spf(mailfrom), mailfrom_match=match, tls=tls)


def _variants(policy: Policy, today: date, actions: frozenset[str]) -> Iterator[tuple[Policy, Rule | None]]:
    """Yield each policy to evaluate, in enforce mode: first the policy itself, with None; then, for each shadow rule with one of
    the actions, the policy with that rule enforced, with the rule."""
    policy = replace(policy.in_force(today), mode=ENFORCE)
    yield policy, None
    for index, rule in enumerate(policy.rules):
        if rule.shadow and rule.action in actions:
            enforced = replace(rule, shadow=False)
            yield replace(policy, rules=(*policy.rules[:index], enforced, *policy.rules[index + 1 :])), enforced
