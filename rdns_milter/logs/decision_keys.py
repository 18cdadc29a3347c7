"""A decision and the keys of its log line: their order, values and limits. A new key is added here, and read back in
logs/logged_evidence.py.

Pure. Must never lack a fact that a rule can test, except `authenticated` and `tls`: `replay` has nothing but the line.

packaging/doc/log.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..checks.evidence import FACTS, PASS, UNKNOWN, Cost, Evidence, Sources
from ..policy.rules import ACCEPT, OBSERVE, QUARANTINE, TAG, Verdict
from .truncation import MAX_ADDRESS, cut, cut_address, joined, whole_items

KEYS = (
    "action", "rule", "qid", "client", "helo_name", "mailfrom", "rcpt", "nrcpt",
    "iprev", "iprev_reason", "ptr", "ptrs", "generic", "helo_kind", "helo", "helo_match", "helo_own",
    "spf_helo", "spf_mailfrom", "mailfrom_match", "client_spf", "dnslist", "via", "forged", "score", "mode", "would", "shadow_rule",
    "queries", "cached", "dns_ms", "waited_ms", "policy", "reply",
)  # fmt: skip
LATER = frozenset(("client_spf", "dnslist", "via", "forged"))  # keys that lines of older versions do not have

NONE = "none"  # an absent value; a text that reads "none" is quoted
NO_QUEUE = "NOQUEUE"
NULL_PATH = "<>"
EXEMPT = "exempt:"

MAX_SOURCES = 500  # characters of the providers, or the DNS lists, that a line names

# Characters of each text, before escaping.
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "rule": 128,
        "qid": 64,
        "helo_name": 255,
        "mailfrom": MAX_ADDRESS,
        "rcpt": 1000,
        "ptr": 255,
        "client_spf": MAX_SOURCES,
        "dnslist": MAX_SOURCES,
        "would": 255,
        "shadow_rule": 255,
        "policy": 64,
        "reply": 512,
    }
)
# The texts that are cut at any character.
_CUT = {key: limit for key, limit in LIMITS.items() if key not in ("mailfrom", "rcpt", "client_spf", "dnslist")}
WORDS = frozenset((*FACTS, "action", "mode"))  # keys whose values are words
_NOT_HELD = frozenset((NONE, UNKNOWN))
OBSERVING, THROUGH_RELAY = "observe mode", "through a relay"  # the beginning of a note in place of a reply
_DONE: Mapping[str, str] = MappingProxyType({ACCEPT: "accepted", TAG: "tagged", QUARANTINE: "held"})
# Keys whose absent value is read back as "".
TEXTS = ("client", "helo_name", "mailfrom", "rcpt", "ptr", "client_spf", "dnslist", "via")


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on recipients of a message: on all those for whom it is the same.

    `evidence`: that of the first recipient; `qid`: the queue id, "" without one; `policy`: the digest of the rules; `reply`: the
    reply to the client, "" if the message was not refused or deferred; `count`: the number of recipients, 0 if `rcpts` has all of
    them."""

    verdict: Verdict
    evidence: Evidence
    rcpts: tuple[str, ...]
    qid: str = ""
    mode: str = "enforce"
    policy: str = ""
    cost: Cost = field(default_factory=Cost)
    reply: str = ""
    count: int = 0


Value = str | int | float | None


def values(decision: Decision, share: int = 1) -> dict[str, Value]:
    """Return the value of each key in the order of KEYS, None for an absent one. `share`: the length of texts is the limit in
    LIMITS divided by this number."""
    evidence, verdict, cost = decision.evidence, decision.verdict, decision.cost
    each = MAX_ADDRESS // share
    found: dict[str, Value] = {
        "action": verdict.action,
        "rule": verdict.rule,
        "qid": decision.qid or NO_QUEUE,
        "client": None if evidence.client is None else str(evidence.client),
        "helo_name": evidence.helo_name or None,
        "mailfrom": cut_address(evidence.mailfrom, each) or NULL_PATH,
        "rcpt": joined(decision.rcpts, LIMITS["rcpt"] // share, each),
        "nrcpt": decision.count or len(decision.rcpts),
        "ptr": evidence.iprev.ptr or None,
        "ptrs": evidence.iprev.count,
        "client_spf": _held(evidence.client_spf, LIMITS["client_spf"] // share) if evidence.client_spf else None,
        "dnslist": _held(evidence.dnslist, LIMITS["dnslist"] // share) if evidence.dnslist else None,
        "via": None if evidence.via is None else str(evidence.via),
        "forged": evidence.forged,
        "score": _number(verdict.score, 6),
        "mode": decision.mode,
        "would": ",".join(verdict.would),
        "shadow_rule": ",".join(verdict.shadow_rules),
        "queries": cost.queries,
        "cached": cost.cached,
        "dns_ms": _number(cost.dns_ms),
        "waited_ms": _number(cost.waited_ms),
        "policy": decision.policy,
        "reply": decision.reply or _note(decision),
    }
    for key, limit in _CUT.items():
        value = found[key]
        if isinstance(value, str) and len(value) > limit // share:
            found[key] = cut(value, limit // share)
    for name, fact in FACTS.items():
        word = fact.get(evidence)
        found[name] = NONE if word == UNKNOWN else word
    return {key: found[key] for key in KEYS}


def _held(found: Sources, limit: int) -> str | None:
    """Return the sources that hold, and those in trouble, in at most `limit` characters; None if there are none. A domain holds if
    SPF passes. An entry of a list is written with its answer."""
    written = (name if value == PASS else f"{name}:{value}" for name, value in found if value not in _NOT_HELD)
    return whole_items(written, limit) or None


def _note(decision: Decision) -> str:
    """Return the note that the line has in place of a reply, if observe mode or a relay did not allow the rule's action; else "".
    It makes clear that the rule is not why the message was let in."""
    verdict = decision.verdict
    if not verdict.withheld:
        return ""
    why = OBSERVING if decision.mode == OBSERVE else THROUGH_RELAY
    return f"({why}: {_DONE[verdict.action]} although rule {verdict.rule} would {verdict.withheld})"


def _number(value: float, digits: int = 0) -> int | float:
    rounded = round(float(value), digits)
    return int(rounded) if rounded.is_integer() else rounded
