"""What the client is told: the SMTP reply that a verdict gives.

Pure. Says what happened and what the sender's postmaster can do; never a rule's name or its inner workings, unless the
admin's own text does. What comes from the network reaches the reply bounded and in printable ASCII, and cannot end the line.
DNS trouble is never answered for good.

RFC 5321 4.2 and 4.5.3.1.5 (replies), RFC 3463 (enhanced codes), RFC 7372 3 and 4 (which code), RFC 7208 8.4 to 8.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..checks.evidence import FACTS, Evidence, Spf, facts_in_trouble
from ..policy.rules import ENHANCED_CODE, REJECT, TEMPFAIL, Rule, Verdict
from ..text.escape import clipped, filled, printable
from .advice import Advice, advice

MAX_LINE = 512  # octets of a reply line, code and CRLF included (RFC 5321 4.5.3.1.5)
MAX_VALUE = 253  # characters of what stands for a placeholder; a name of full length fits
MAX_ADVICE = 380
MAX_FAULT = 160
MAX_EXPLANATION = 120

# What a rule's `text` may hold.
PLACEHOLDERS = ("client", "helo", "mailfrom", "ptr", "rule", "reason", "advice")

_NO_ADVICE = Advice(
    "local policy of the receiving server", "if it is wrong, write to the postmaster of the receiving domain"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one line. `code`: 4yz or 5yz; `enhanced`: its RFC 3463 code, of the same class; `text`: printable ASCII."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"


# The class of the reply, and its code where the rule names none, by what is done to the recipient.
_CODES: Mapping[str, int] = MappingProxyType({REJECT: 550, TEMPFAIL: 451})

# Which detail of X.7 a fact calls for when it has failed. HELO has none of its own: 1, "delivery not authorized".
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
# The code of trouble, by the looked-up facts in trouble: RFC 7372 has one for SPF (in place of 4.4.3, RFC 7208 8.6) and one
# for reverse names. For HELO, or for several at once, it is the directory that failed: RFC 3463's X.4.3.
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
    """The reply to RCPT that a verdict gives; None where the recipient is taken (accept, tag, quarantine). The rule's own
    code, enhanced code and text win where they are of the verdict's class; a refusal softened to `tempfail` has none of
    them, for they speak of a refusal."""
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
    room = MAX_LINE - len(f"{code} {enhanced} \r\n")
    return Reply(code, enhanced, clipped(printable(text, 4 * MAX_LINE), room))


def _trouble(verdict: Verdict, evidence: Evidence) -> frozenset[str]:
    """The lookups in trouble because of which a recipient is deferred: those behind the facts that the rule tests, or all,
    where the refusal was softened for the sake of another rule that could have spared it."""
    if verdict.action != TEMPFAIL:
        return frozenset()
    trouble = facts_in_trouble(evidence)
    tested = verdict.because.facts() & trouble if verdict.because else frozenset()
    facts = tested or (trouble if verdict.softened else frozenset())
    return frozenset(root for fact in facts for root in FACTS[fact].rests_on or (fact,))


def _detail(rule: Rule | None, evidence: Evidence) -> int:
    """The last part of the code, by the facts that the rule tests. Only those count that have failed: X.7.26 is for mail
    that failed more than one check (RFC 7372 3.4, 4), and a softfail is no failure (X.7.23 is for "fail" alone, 3.2)."""
    if rule is None:
        return _OTHER
    keys = {(fact, FACTS[fact].get(evidence)) for fact in rule.facts()}
    details = {_DETAILS[key] for key in keys if key in _DETAILS}
    if not details:
        return _REVERSE if any(condition.name == "ptr" for condition in rule.when) else _OTHER
    if len(details) > 1:
        details.discard(
            _OTHER
        )  # a greeting is no authentication: beside a check that RFC 7372 has a code for it does not count
    return details.pop() if len(details) == 1 else _SEVERAL


def _trouble_text(evidence: Evidence, trouble: frozenset[str]) -> str:
    found = advice(evidence, trouble)
    what = f": {found[0].fault}; {found[0].remedy}" if found else ""
    return f"Temporary DNS trouble, please try again later{what}"


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
    """What is wrong with the facts that the rule tests; a rule that tests the score alone rests on all of them. Not empty."""
    scored = rule is not None and not tested and any(condition.name == "min_score" for condition in rule.when)
    return advice(evidence, None if scored else tested) or (_NO_ADVICE,)


def _explained(evidence: Evidence, tested: frozenset[str]) -> str:
    """What the domain's owner says of a fail, marked as such (RFC 7208 6.2, 8.4): the words are not ours."""
    by_fact: dict[str, Spf] = {"spf_mailfrom": evidence.spf_mailfrom, "spf_helo": evidence.spf_helo}
    for fact, spf in by_fact.items():
        if fact in tested and spf.result == "fail" and spf.explanation and spf.domain:
            words = printable(spf.explanation, MAX_EXPLANATION).replace('"', "'")
            return f'; in the words of the owner of {printable(spf.domain, MAX_VALUE)}: "{words}"'
    return ""


def _values(rule: Rule, evidence: Evidence, tested: frozenset[str]) -> dict[str, str]:
    """What stands for PLACEHOLDERS in a rule's text."""
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
