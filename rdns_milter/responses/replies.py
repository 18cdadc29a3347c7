"""Compose the SMTP reply for a verdict.

Pure. States the reason and what the sender's postmaster can do. Never mentions a rule or how it works, unless the administrator's
own text does. Text from the network is shortened and made printable ASCII, and cannot end the line. A temporary DNS error is never
answered with a permanent reply code.

RFC 5321 4.2 and 4.5.3.1.5 (replies), RFC 3463 (enhanced status codes), RFC 7372 3 and 4 (which code), RFC 7208 8.4 to 8.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..checks.evidence import FACTS, Evidence, Spf, facts_in_trouble
from ..policy.rules import ENHANCED_CODE, REJECT, TEMPFAIL, Rule, Verdict
from ..text.escape import clipped, filled, printable
from .advice import Advice, advice

MAX_REPLY_LINE = 512  # bytes of a reply line, including code and CRLF (RFC 5321 4.5.3.1.5)
MAX_VALUE = 253  # characters of the value of a placeholder; enough for a name of maximum length
MAX_ADVICE = 380
MAX_FAULT = 160
MAX_EXPLANATION = 120

# Placeholders that a rule's `text` can contain.
PLACEHOLDERS = ("client", "helo", "mailfrom", "ptr", "rule", "reason", "advice")

_NO_ADVICE = Advice(
    "local policy of the receiving server", "if this is a mistake, write to the postmaster of the receiving domain"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one line. `code`: 4yz or 5yz; `enhanced`: an RFC 3463 code of the same class; `text`: printable ASCII."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"


# The default reply code of an action. The rule's own code must be of the same class.
_CODES: Mapping[str, int] = MappingProxyType({REJECT: 550, TEMPFAIL: 451})

# The detail of the enhanced code X.7.DETAIL for a fact that has failed. HELO has no code of its own: 1, "delivery not authorized".
_REVERSE, _SPF_FAIL, _SPF_ERROR, _SEVERAL, _OTHER = 25, 23, 24, 26, 1
_DETAILS: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("iprev", "fail"): _REVERSE,
        ("iprev", "permerror"): _REVERSE,
        ("iprev_reason", "no-ptr"): _REVERSE,
        ("iprev_reason", "not-confirmed"): _REVERSE,
        ("iprev_reason", "no-forward"): _REVERSE,
        ("iprev_reason", "bad-name"): _REVERSE,
        ("generic", "yes"): _REVERSE,
        ("spf_helo", "fail"): _SPF_FAIL,
        ("spf_mailfrom", "fail"): _SPF_FAIL,
        ("spf_helo", "permerror"): _SPF_ERROR,
        ("spf_mailfrom", "permerror"): _SPF_ERROR,
        ("helo", "fail"): _OTHER,
        ("helo", "permerror"): _OTHER,
        ("helo_own", "yes"): _OTHER,
        ("helo_kind", "unqualified"): _OTHER,
        ("helo_kind", "address"): _OTHER,
        ("helo_kind", "invalid"): _OTHER,
        ("helo_kind", "missing"): _OTHER,
    }
)
# The enhanced code for a temporary DNS error, by the facts that it affects. RFC 7372 defines one for SPF (instead of 4.4.3, RFC
# 7208 8.6) and one for reverse names. For HELO, or for several facts, it is X.4.3, "directory server failure" (RFC 3463).
_TROUBLE: Mapping[frozenset[str], str] = MappingProxyType(
    {
        frozenset(("iprev",)): "4.7.25",
        frozenset(("spf_helo",)): "4.7.24",
        frozenset(("spf_mailfrom",)): "4.7.24",
        frozenset(("spf_helo", "spf_mailfrom")): "4.7.24",
    }
)
_ANY_TROUBLE = "4.4.3"


def compose(verdict: Verdict, evidence: Evidence) -> Reply | None:
    """Return the reply to RCPT for a verdict; None if the recipient is accepted (accept, tag, quarantine).

    The rule's text, if it has one, replaces the default. So do its code and enhanced code, if they are of the class of the verdict.
    A refusal that was softened to `tempfail` has the defaults, because the rule's reply is meant for a refusal."""
    code = _CODES.get(verdict.action)
    if code is None:
        return None
    rule = None if verdict.softened else verdict.because
    trouble = _trouble(verdict, evidence)
    tested = trouble or (verdict.because.facts() if verdict.because else frozenset())
    enhanced = (
        _TROUBLE.get(trouble, _ANY_TROUBLE) if trouble else f"{code // 100}.7.{_detail(verdict.because, evidence)}"
    )
    text = _trouble_text(evidence, trouble) if trouble else _default_text(verdict, evidence, tested)
    if rule is not None:
        if rule.code // 100 == code // 100:
            code = rule.code
        if ENHANCED_CODE.match(rule.enhanced) and int(rule.enhanced[0]) == code // 100:
            enhanced = rule.enhanced
        text = filled(rule.text, _values(rule, evidence, tested)).strip() or text
    room = MAX_REPLY_LINE - len(f"{code} {enhanced} \r\n")
    return Reply(code, enhanced, clipped(printable(text, 4 * MAX_REPLY_LINE), room))


def _trouble(verdict: Verdict, evidence: Evidence) -> frozenset[str]:
    """Return the looked-up facts and sources whose temporary DNS error is the reason for a `tempfail`.

    These are the facts that the rule tests. If the rule tests no fact with an error, but the refusal was softened because another
    rule could have accepted the message, these are all facts with an error."""
    if verdict.action != TEMPFAIL:
        return frozenset()
    trouble = facts_in_trouble(evidence)
    tested = verdict.because.tested() & trouble if verdict.because else frozenset()
    facts = tested or (trouble if verdict.softened else frozenset())
    return frozenset(root for fact in facts for root in (fact in FACTS and FACTS[fact].rests_on) or (fact,))


def _detail(rule: Rule | None, evidence: Evidence) -> int:
    """Return the last part of the enhanced code, from the facts that the rule tests and that have failed.

    X.7.26 is for mail that failed more than one check (RFC 7372 3.4, 4). A softfail does not count as a failure: X.7.23 is for
    "fail" only (3.2)."""
    if rule is None:
        return _OTHER
    keys = {(fact, FACTS[fact].get(evidence)) for fact in rule.facts()}
    details = {_DETAILS[key] for key in keys if key in _DETAILS}
    if not details:
        return _REVERSE if any(condition.name == "ptr" for condition in rule.when) else _OTHER
    if len(details) > 1:
        # HELO is not an authentication method: it does not count if a check with a code in RFC 7372 has failed too.
        details.discard(_OTHER)
    return details.pop() if len(details) == 1 else _SEVERAL


def _trouble_text(evidence: Evidence, trouble: frozenset[str]) -> str:
    found = advice(evidence, trouble)
    what = f": {found[0].fault}; {found[0].remedy}" if found else ""
    return f"Temporary DNS error, please try again later{what}"


def _default_text(verdict: Verdict, evidence: Evidence, tested: frozenset[str]) -> str:
    found = _advice(verdict.because, evidence, tested)
    host = f"Client host [{evidence.client}]: " if evidence.client else ""
    what = f"{host}{_faults(found)}; {clipped(found[0].remedy, MAX_ADVICE)}"
    if verdict.action == TEMPFAIL:
        return f"Not accepted for now, please try again later. {what}"
    return what + _explained(evidence, tested)


def _faults(found: tuple[Advice, ...]) -> str:
    return ", ".join(clipped(each.fault, MAX_FAULT) for each in found[:3])


def _advice(rule: Rule | None, evidence: Evidence, tested: frozenset[str]) -> tuple[Advice, ...]:
    """Return advice on the facts that the rule tests, or on all facts if the rule tests only the score. It is never empty."""
    scored = rule is not None and not tested and any(condition.name == "min_score" for condition in rule.when)
    return advice(evidence, None if scored else tested) or (_NO_ADVICE,)


def _explained(evidence: Evidence, tested: frozenset[str]) -> str:
    """Return the domain owner's explanation of a fail, attributed to the domain (RFC 7208 6.2, 8.4)."""
    by_fact: dict[str, Spf] = {"spf_mailfrom": evidence.spf_mailfrom, "spf_helo": evidence.spf_helo}
    for fact, spf in by_fact.items():
        if fact in tested and spf.result == "fail" and spf.explanation and spf.domain:
            words = printable(spf.explanation, MAX_EXPLANATION).replace('"', "'")
            return f'; the domain {printable(spf.domain, MAX_VALUE)} explains: "{words}"'
    return ""


def _values(rule: Rule, evidence: Evidence, tested: frozenset[str]) -> dict[str, str]:
    """Return the values of PLACEHOLDERS for a rule's text."""
    found = _advice(rule, evidence, tested)
    values = {
        "client": str(evidence.client or "unknown"),
        "helo": evidence.helo_name or "none",
        "mailfrom": evidence.mailfrom or "<>",
        "ptr": evidence.iprev.ptr or "none",
        "rule": rule.name,
    }
    return {
        **{name: printable(text, MAX_VALUE) for name, text in values.items()},
        "reason": clipped(_faults(found), MAX_ADVICE),
        "advice": clipped(str(found[0]), MAX_ADVICE),
    }
