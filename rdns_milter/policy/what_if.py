"""What a policy does to a client with one blemish, and would not do without it: so one can tell what a rule really rests on.

Pure. Asks the policy itself, so that scores, exceptions and the order of the rules count. The clients here bear no name and no
address that could be on a list: what an admin aims at somebody by name is his own choice.

RFC 5321 4.1.4, RFC 7208 8.5, RFC 2505 2.6.1 (what one must not be refused for).
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

_NOBODY = "\0@\0"
_GOOD = Evidence(
    mailfrom=_NOBODY,
    rcpt=_NOBODY,
    iprev=Iprev("pass", "confirmed", ("",), ("",), 1),
    generic=Generic("no"),
    helo=Helo("fqdn", "no", "pass", "same"),
    spf_helo=Spf("pass"),
    spf_mailfrom=Spf("pass"),
    mailfrom_match="same",
)

Fault = Callable[[Evidence], Iterator[Evidence]]


def mismatch(good: Evidence) -> Iterator[Evidence]:
    """The HELO name does not match the address, or not the reverse name."""
    for kind, result, match in (
        ("fqdn", "fail", "different"),
        ("fqdn", "fail", "aligned"),
        ("fqdn", "pass", "different"),
        ("fqdn", "pass", "aligned"),
        ("literal", "fail", "different"),
    ):
        yield replace(good, helo=Helo(kind, "no", result, match))


def softfail(good: Evidence) -> Iterator[Evidence]:
    """SPF says softfail of one of the identities."""
    yield replace(good, spf_mailfrom=Spf("softfail"))
    yield replace(good, spf_helo=Spf("softfail"))


def null_sender(good: Evidence) -> Iterator[Evidence]:
    """It sends a bounce."""
    yield replace(good, mailfrom="")


def rules_triggered_by(policy: Policy, today: date, fault: Fault, actions: frozenset[str]) -> frozenset[str]:
    """The names of the rules by which a client with the blemish would be treated so, but not without it. A shadow rule counts as
    if it alone were none."""
    names = set()
    for judging, lit in _enforced(policy, today, actions):
        for good in _good_clients():
            if decide(good, judging).action in actions:
                continue
            for faulty in fault(good):
                verdict = decide(faulty, judging)
                if verdict.action in actions and verdict.because and (lit is None or verdict.because is lit):
                    names.add(verdict.because.name)
    return frozenset(names)


def first_refusing(policy: Policy, today: date, recipient: str) -> Rule | None:
    """The first rule that may keep mail to the recipient out, whatever is found out about its sender; None if none may."""
    rules = policy.in_force(today).rules
    evidence = Evidence(mailfrom=_NOBODY, rcpt=recipient, helo=Helo(UNKNOWN, UNKNOWN))
    for count, rule in enumerate(rules, 1):
        if possible_actions(evidence, Policy(rules[:count])) & KEPT_OUT:
            return rule
    return None


def _good_clients() -> Iterator[Evidence]:
    """Clients that nothing speaks against."""
    unsuspicious, matches = ("pass", "none", "neutral"), ("same", "aligned", "different")
    for helo, mailfrom, match, tls in itertools.product(unsuspicious, unsuspicious, matches, (False, True)):
        yield replace(_GOOD, spf_helo=Spf(helo), spf_mailfrom=Spf(mailfrom), mailfrom_match=match, tls=tls)


def _enforced(policy: Policy, today: date, actions: frozenset[str]) -> Iterator[tuple[Policy, Rule | None]]:
    """The policy without observe mode, and once more for each shadow rule with such an action, lit."""
    policy = replace(policy.in_force(today), mode=ENFORCE)
    yield policy, None
    for index, rule in enumerate(policy.rules):
        if rule.shadow and rule.action in actions:
            lit = replace(rule, shadow=False)
            yield replace(policy, rules=(*policy.rules[:index], lit, *policy.rules[index + 1 :])), lit
