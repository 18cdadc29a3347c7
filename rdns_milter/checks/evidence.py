"""What is known about a client: the record that checks fill in and policy judges.

Holds facts, decides nothing, looks nothing up. Every field is always present: what has not been found out yet is `unknown`
(a word that never reaches log or header), what cannot be found out for DNS's sake is `temperror`.

RFC 8601 2.7.3 (iprev), RFC 7208 2.6 (SPF), RFC 5321 4.1.1.1 (HELO).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from types import MappingProxyType

from ..net.mailboxes import NULL_SENDER, Mailbox, parse_mailbox
from ..net.names import Address

UNKNOWN = "unknown"
TEMPERROR = "temperror"

SPF_RESULTS = ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror")
MATCHES = ("same", "aligned", "different", "none")


@dataclass(frozen=True, slots=True)
class Iprev:
    """The reverse name (RFC 8601 2.7.3, 3). `names`: those that resolve back to the address, sorted; `claimed`: the PTR
    names as published, sorted; at most `max_ptr_names` of them; `count`: how many there are in all."""

    result: str = UNKNOWN
    reason: str = UNKNOWN
    names: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    count: int = 0

    @property
    def ptr(self) -> str:
        """The confirmed name, else the first claimed, else ""."""
        return self.names[0] if self.names else self.claimed[0] if self.claimed else ""


@dataclass(frozen=True, slots=True)
class Generic:
    """Whether the PTR name looks generic, and which pattern says so."""

    result: str = UNKNOWN
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Helo:
    """The greeting. `kind` and `own` are known at once, `result` from DNS, `match` from DNS by way of iprev.
    `reason`: the status of the lookup that led to the result, "" without one."""

    kind: str = "missing"
    own: str = "no"
    result: str = UNKNOWN
    match: str = UNKNOWN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spf:
    """SPF's result for one identity (RFC 7208 2.6). `domain`: whose record it was, "" if no domain could be asked;
    `mechanism`: the term that matched; `problem`: what is wrong, for permerror and temperror; `explanation`: what the
    domain's owner says of a fail, foreign text, not yet escaped, at most a line long."""

    result: str = UNKNOWN
    domain: str = ""
    mechanism: str = ""
    problem: str = ""
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the facts cost: questions asked and, of these, answered from memory; questions asked ahead in vain;
    milliseconds in which DNS was at work, and milliseconds that the MTA was made to wait."""

    queries: int = 0
    cached: int = 0
    vain: int = 0
    dns_ms: float = 0.0
    waited_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Late:
    """`facts`: those of a message that were not there in time; `client`, `sender`: whose it was, as an Asker names them."""

    facts: tuple[str, ...] = ()
    client: str = ""
    sender: str = ""


NOTHING_LATE = Late()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a rule can ask about. `client` is None if it has no IP address; `helo_name` is as the client sent it;
    `mailfrom`, `rcpt` are mailboxes normalized (mailboxes.normalized_path); `exempt` says why it is not judged ("network",
    "authenticated", "not-ip"), or "".
    `forged`: how many header fields of the message claim to be ours, as far as they have been seen."""

    client: Address | None = None
    helo_name: str = ""
    mailfrom: str = ""
    rcpt: str = ""
    authenticated: bool = False
    tls: bool = False
    exempt: str = ""
    iprev: Iprev = field(default_factory=Iprev)
    generic: Generic = field(default_factory=Generic)
    helo: Helo = field(default_factory=Helo)
    spf_helo: Spf = field(default_factory=Spf)
    spf_mailfrom: Spf = field(default_factory=Spf)
    mailfrom_match: str = UNKNOWN
    forged: int = 0

    @property
    def sender(self) -> Mailbox:
        """The mailbox of MAIL FROM."""
        return parse_mailbox(self.mailfrom) if self.mailfrom else NULL_SENDER


@dataclass(frozen=True, slots=True)
class Fact:
    """One word of the evidence: where it stands, the values it may have, and the facts that it is made of."""

    get: Callable[[Evidence], str]
    words: tuple[str, ...]
    rests_on: tuple[str, ...] = ()


IPREV_REASONS = (
    "confirmed", "no-ptr", "not-confirmed", "no-forward", "timeout", "servfail", "refused",
    "bogus", "bad-name", "resolver-down", "deadline", "exempt", "error",
)  # fmt: skip

# Every fact under the name that it has in rule, log and metric.
FACTS: Mapping[str, Fact] = MappingProxyType(
    {
        "iprev": Fact(attrgetter("iprev.result"), ("pass", "fail", "permerror", "temperror", "none")),
        "iprev_reason": Fact(attrgetter("iprev.reason"), IPREV_REASONS, ("iprev",)),
        "generic": Fact(attrgetter("generic.result"), ("yes", "no", "none"), ("iprev",)),
        "helo_kind": Fact(attrgetter("helo.kind"), ("fqdn", "unqualified", "literal", "address", "invalid", "missing")),
        "helo": Fact(attrgetter("helo.result"), ("pass", "fail", "permerror", "temperror", "none")),
        "helo_match": Fact(attrgetter("helo.match"), MATCHES, ("iprev",)),
        "helo_own": Fact(attrgetter("helo.own"), ("yes", "no")),
        "spf_helo": Fact(attrgetter("spf_helo.result"), SPF_RESULTS),
        "spf_mailfrom": Fact(attrgetter("spf_mailfrom.result"), SPF_RESULTS),
        "mailfrom_match": Fact(attrgetter("mailfrom_match"), MATCHES, ("iprev",)),
    }
)

# The facts of which DNS may say: not now. All others are made of these, or of no lookup at all.
LOOKED_UP: tuple[str, ...] = tuple(name for name, fact in FACTS.items() if TEMPERROR in fact.words)


def facts_in_trouble(evidence: Evidence) -> frozenset[str]:
    """The names of the facts that are `temperror`, and of those made of them."""
    return _with_dependents(name for name in LOOKED_UP if FACTS[name].get(evidence) == TEMPERROR)


def facts_in_doubt(evidence: Evidence) -> frozenset[str]:
    """The names of the facts that are `temperror` or still unknown (and so may become it), and of those made of them."""
    return _with_dependents(name for name, fact in FACTS.items() if fact.get(evidence) in (TEMPERROR, UNKNOWN))


def _with_dependents(names: Iterable[str]) -> frozenset[str]:
    names = frozenset(names)
    if not names:
        return names
    return names | {name for name, fact in FACTS.items() if names.intersection(fact.rests_on)}


def hide_doubtful_facts(evidence: Evidence) -> Evidence:
    """Return the evidence with each fact in doubt set to `unknown`, so that rules see every value that DNS could have given."""
    doubt = facts_in_doubt(evidence)
    if "iprev" in doubt:
        evidence = replace(
            evidence,
            iprev=Iprev(),
            generic=Generic(),
            mailfrom_match=UNKNOWN,
            helo=replace(evidence.helo, match=UNKNOWN),
        )
    if "helo" in doubt:
        evidence = replace(evidence, helo=replace(evidence.helo, result=UNKNOWN))
    if "spf_helo" in doubt:
        evidence = replace(evidence, spf_helo=Spf())
    if "spf_mailfrom" in doubt:
        evidence = replace(evidence, spf_mailfrom=Spf())
    return evidence


def missing_facts(evidence: Evidence) -> frozenset[str]:
    """The names of the facts that are still unknown."""
    return frozenset(name for name, fact in FACTS.items() if fact.get(evidence) == UNKNOWN)


def exempted(evidence: Evidence, why: str) -> Evidence:
    """The evidence of a client that is not judged: no lookup's result stands in it."""
    return replace(
        evidence,
        exempt=why,
        iprev=Iprev("none", "exempt"),
        generic=Generic("none"),
        helo=replace(evidence.helo, result="none", match="none", own="no", reason=""),
        spf_helo=Spf("none"),
        spf_mailfrom=Spf("none"),
        mailfrom_match="none",
    )
