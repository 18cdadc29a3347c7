"""Records of facts: what the checks find out about a client and its message, and what the policy is evaluated on. Also what follows
from these records alone: which reverse name stands for all (Iprev.ptr), which facts are in doubt or missing, the facts of an exempt
client.

Judges nothing and makes no lookup. Every field always has a value: a fact that is not known yet is `unknown` (never written to the
log or to a header field); a fact that a temporary DNS error leaves open is `temperror`.

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
PASS = "pass"
REFUSED = "refused"  # a DNS list has refused the query: temporary trouble, too
TROUBLES = frozenset((TEMPERROR, REFUSED))
# The facts about which rules ask by name, and that are looked up only then: whether SPF of a domain passes for the client, and
# whether a DNS list has it. One of them, such as "client_spf example.com", is called a source.
SOURCES = ("client_spf", "dnslist")

SPF_RESULTS = ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror")
MATCHES = ("same", "aligned", "different", "none")


@dataclass(frozen=True, slots=True)
class Iprev:
    """The result of iprev (RFC 8601 2.7.3, 3). `claimed`: the PTR names, sorted, at most `max_ptr_names` of them; `names`: the
    claimed names that resolve back to the address, sorted; `count`: the number of all PTR names."""

    result: str = UNKNOWN
    reason: str = UNKNOWN
    names: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    count: int = 0

    @property
    def ptr(self) -> str:
        """The name that stands for all reverse names: the first confirmed name, else the first claimed name, else "". Rules, log
        and replies use it, and the check for generic names examines it."""
        return self.names[0] if self.names else self.claimed[0] if self.claimed else ""


@dataclass(frozen=True, slots=True)
class Generic:
    """Whether the PTR name looks generic. `pattern`: the indicator or configured pattern that decided it."""

    result: str = UNKNOWN
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Helo:
    """The facts about the HELO name. `kind` and `own` need no lookup, `result` needs one, `match` depends on iprev.
    `reason`: the status of the lookup that gave `result`, "" if there was none."""

    kind: str = "missing"
    own: str = "no"
    result: str = UNKNOWN
    match: str = UNKNOWN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spf:
    """The SPF result for one identity (RFC 7208 2.6). `domain`: the domain that was evaluated, "" if there was none;
    `mechanism`: the term that matched; `problem`: the error, for permerror and temperror; `explanation`: the domain owner's
    explanation of a fail: untrusted text, not escaped, at most one line."""

    result: str = UNKNOWN
    domain: str = ""
    mechanism: str = ""
    problem: str = ""
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a message's facts. `queries`: the number of questions; `cached`: those answered from the cache; `unused`: those
    that were prefetched and not needed; `dns_ms`: milliseconds during which a lookup was in progress; `waited_ms`: milliseconds
    for which the MTA had to wait."""

    queries: int = 0
    cached: int = 0
    unused: int = 0
    dns_ms: float = 0.0
    waited_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Late:
    """The facts of a message that were not known in time. `client`, `sender`: where the message comes from, as in
    resolver.admission's Requester."""

    facts: tuple[str, ...] = ()
    client: str = ""
    sender: str = ""


NOTHING_LATE = Late()


Sources = tuple[tuple[str, str], ...]
MORE_SOURCES = ("", UNKNOWN)  # others may hold: a log line had no room for them


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a rule can test. `client`: None if the client has no IP address; `helo_name`: as the client sent it;
    `mailfrom`, `rcpt`: normalized by net.mailboxes.normalized_path; `exempt`: why the client is not judged ("network",
    "authenticated", "not-ip", "relay"), or ""; `forged`: the number of header fields so far that falsely claim to be written by
    this host; `via`: the relay of ours that handed the message on, None if the client is connected itself.

    `client_spf`: the domains that were asked about, each with `pass`, `none` (any other result), `temperror` or `unknown`.
    `dnslist`: the lists that were asked, each with an answer, `none`, `temperror`, `refused` or `unknown`; a list with several
    answers is there once for each of them. Both are None if it is not known what was asked. A domain or list that is not there does
    not hold, unless the last item is MORE_SOURCES."""

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
    via: Address | None = None
    client_spf: Sources | None = ()
    dnslist: Sources | None = ()

    @property
    def sender(self) -> Mailbox:
        """The mailbox of MAIL FROM."""
        return parse_mailbox(self.mailfrom) if self.mailfrom else NULL_SENDER


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `get`: reads its value from the evidence; `words`: its values; `rests_on`: the facts that it is derived from."""

    get: Callable[[Evidence], str]
    words: tuple[str, ...]
    rests_on: tuple[str, ...] = ()


IPREV_REASONS = (
    "confirmed", "no-ptr", "not-confirmed", "no-forward", "timeout", "servfail", "refused",
    "bogus", "bad-name", "resolver-down", "deadline", "exempt", "error",
)  # fmt: skip

# Every fact, by its name in rules, log lines and metrics.
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

# The facts that can be `temperror`. All others are derived from these or need no lookup.
LOOKED_UP: tuple[str, ...] = tuple(name for name, fact in FACTS.items() if TEMPERROR in fact.words)


def source(kind: str, name: str) -> str:
    """Return the name of a source. `kind`: one of SOURCES; `name`: the name of the domain or the list. If `name` is "" because the
    source is not known, the kind stands for it."""
    return f"{kind} {name}" if name else kind


def facts_in_trouble(evidence: Evidence) -> frozenset[str]:
    """Return the names of the facts that are `temperror`, of the facts derived from them, and of the sources in trouble."""
    names = _with_dependents(name for name in LOOKED_UP if FACTS[name].get(evidence) == TEMPERROR)
    return names | _sources(evidence, TROUBLES) if evidence.client_spf or evidence.dnslist else names


def facts_in_doubt(evidence: Evidence) -> frozenset[str]:
    """Return the names of the facts that are `temperror`, or unknown and so may become it; of the facts derived from them; and of
    the sources for which the same is true. If it is not known which sources were asked, their kind (SOURCES) stands for them."""
    names = _with_dependents(name for name, fact in FACTS.items() if fact.get(evidence) in (TEMPERROR, UNKNOWN))
    if evidence.client_spf == evidence.dnslist == ():
        return names
    return names | _sources(evidence, TROUBLES | {UNKNOWN}) | _unknown_sources(evidence)


def _sources(evidence: Evidence, values: frozenset[str]) -> frozenset[str]:
    """Return the sources that have one of these values."""
    return frozenset(
        source(kind, name)
        for kind, found in zip(SOURCES, (evidence.client_spf, evidence.dnslist), strict=True)
        for name, value in found or ()
        if value in values
    )


def _unknown_sources(evidence: Evidence) -> frozenset[str]:
    asked = zip(SOURCES, (evidence.client_spf, evidence.dnslist), strict=True)
    return frozenset(kind for kind, found in asked if found is None)


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
    if evidence.client_spf or evidence.dnslist:
        evidence = replace(evidence, client_spf=_hidden(evidence.client_spf), dnslist=_hidden(evidence.dnslist))
    return evidence


def _hidden(found: Sources | None) -> Sources | None:
    return found and tuple((name, UNKNOWN if value in TROUBLES else value) for name, value in found)


def missing_facts(evidence: Evidence) -> frozenset[str]:
    """Return the names of the facts that are unknown. A fact of SOURCES is unknown if one of its sources is."""
    names = frozenset(name for name, fact in FACTS.items() if fact.get(evidence) == UNKNOWN)
    if evidence.client_spf == evidence.dnslist == ():
        return names
    sources = {each.partition(" ")[0] for each in _sources(evidence, frozenset((UNKNOWN,)))}
    return names | sources | _unknown_sources(evidence)


def exempted(evidence: Evidence, why: str) -> Evidence:
    """Return the evidence for a client that is not judged: without the result of any lookup. `why`: see Evidence.exempt."""
    return replace(
        evidence,
        exempt=why,
        iprev=Iprev("none", "exempt"),
        generic=Generic("none"),
        helo=replace(evidence.helo, result="none", match="none", own="no", reason=""),
        spf_helo=Spf("none"),
        spf_mailfrom=Spf("none"),
        mailfrom_match="none",
        client_spf=(),
        dnslist=(),
    )
