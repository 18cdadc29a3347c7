"""What the sender's postmaster can do: which record is missing or wrong, and the record to publish, literally.

Pure: one table from facts to sentences. Judges nothing, names no rule, gives no URL. What comes from the network is bounded
and in printable ASCII before it stands in a sentence.

RFC 8601 3 and RFC 1912 2.1 (reverse names), RFC 5321 4.1.1.1 (HELO), RFC 7208 10.1 (what a domain's owner should publish).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..checks.evidence import FACTS, Evidence, Spf
from ..net.names import MAX_NAME, Address, canonical, is_domain, is_hostname, is_special_use, reverse_name
from ..resolver.lookup import forward_type
from ..text.escape import clipped, filled, printable

MAX_SENTENCE = 700  # characters; two names of full length and an ip6.arpa name fit in
MAX_TERM = MAX_NAME + 100  # characters of anything that stands in one
MAX_FOREIGN = 100  # characters of a text of the sender's own making


@dataclass(frozen=True, slots=True)
class Advice:
    """`fault`: what is missing or wrong; `remedy`: what to do about it. `str()` gives the sentence."""

    fault: str
    remedy: str

    def __str__(self) -> str:
        return clipped(f"{self.fault}; {self.remedy}", MAX_SENTENCE)


@dataclass(frozen=True, slots=True)
class _Row:
    """Holds where the fact `fact` is one of `words`, its reason one of `reasons` (if any are named), and the term `needs` is
    not empty. Of each `group` the first row that holds speaks. `quiet`: no fault by any RFC; said only to one who asked."""

    group: str
    fact: str
    words: tuple[str, ...]
    fault: str
    remedy: str
    reasons: tuple[str, ...] = ()
    needs: str = ""
    quiet: bool = False


_PTR = "ask whoever runs the network of {client} to publish {reverse}. PTR {host}."
_PUBLISH = "publish {ptr}. {type} {client}, or have whoever runs the network of {client} correct {reverse}. PTR {host}."
_OURS = "nothing is wrong on the sender's side"


def _spf_rows(fact: str, serious: bool) -> tuple[_Row, ...]:
    """The rows of one identity: those that get mail refused, or the others."""
    if serious:
        return (
            _Row(
                fact, fact, ("fail",),
                "the SPF record of {domain} does not authorize {client}{term}",
                'if that host may send mail of {domain}, add {ip} (or an include: of its operator) to the record: {domain}. TXT'
                ' "v=spf1 {ip} ..."; otherwise send by a host that the record names',
                needs="domain",
            ),
            _Row(
                fact, fact, ("permerror",),
                "the SPF record of {domain} cannot be evaluated{problem}",
                "mend the TXT record of {domain}. that begins with v=spf1, or what it includes",
                needs="domain",
            ),
        )  # fmt: skip
    return (
        _Row(
            fact, fact, ("softfail",),
            "the SPF record of {domain} says softfail for {client}{term}",
            'if that host sends mail of {domain}, add {ip} to the record: {domain}. TXT "v=spf1 {ip} ..."',
            needs="domain",
        ),
        _Row(
            fact, fact, ("neutral",),
            "the SPF record of {domain} says nothing for or against {client}{term}",
            'if that host sends mail of {domain}, add {ip} to the record: {domain}. TXT "v=spf1 {ip} ..."',
            needs="domain", quiet=fact == "spf_helo",
        ),
    )  # fmt: skip


def _spf_none(fact: str, needs: str, quiet: bool) -> _Row:
    return _Row(
        fact, fact, ("none",),
        "{domain} has no SPF record",
        'publish {domain}. TXT "v=spf1 {ip} -all", with every other host that sends its mail named there too',
        needs=needs, quiet=quiet,
    )  # fmt: skip


def _spf_trouble(fact: str) -> _Row:
    return _Row(
        fact, fact, ("temperror",),
        "the SPF record of {domain} could not be looked up{problem}",
        "nothing need be wrong; if it lasts, see that the name servers of {domain} and of what its record includes answer",
        needs="domain",
    )  # fmt: skip


# The most important first.
_ROWS: tuple[_Row, ...] = (
    _Row("helo", "helo_own", ("yes",), "HELO name {helo} is the receiving server's own", "{greet}"),
    _Row(
        "iprev", "iprev", ("fail", "permerror"),
        "the PTR record of {client} holds no name that is valid in the public DNS", _PTR, reasons=("bad-name",),
    ),
    _Row("iprev", "iprev", ("permerror",), "no reverse name (PTR record)", _PTR),
    _Row(
        "iprev", "iprev", ("fail",),
        "reverse name {ptr} of {client} has no {type} record",
        _PUBLISH, reasons=("no-forward",), needs="ptr",
    ),
    _Row(
        "iprev", "iprev", ("fail",),
        "reverse name {ptr} does not resolve back to {client}",
        _PUBLISH, needs="ptr",
    ),
    _Row("iprev", "iprev", ("fail",), "no reverse name of {client} resolves back to it", _PTR),
    *_spf_rows("spf_mailfrom", serious=True),
    _Row("helo", "helo_kind", ("missing",), "no HELO or EHLO was given", "{greet}"),
    _Row("helo", "helo_kind", ("invalid",), "HELO name {helo} is no valid host name", "{greet}"),
    _Row("helo", "helo_kind", ("unqualified",), "HELO name {helo} is not fully qualified", "{greet}"),
    _Row("helo", "helo_kind", ("address",), "HELO name {helo} is an address without brackets", "{greet}"),
    _Row(
        "helo", "helo", ("fail",),
        "HELO name {helo} does not resolve to {client}",
        "publish {helo_domain}. {type} {client}, or {greet}", needs="helo_domain",
    ),
    _Row(
        "helo", "helo", ("permerror",),
        "HELO name {helo} has no A or AAAA record",
        "publish {helo_domain}. {type} {client}, or {greet}", needs="helo_domain",
    ),
    _Row("helo", "helo", ("fail", "permerror"), "HELO {helo} is not the address of {client}", "{greet}", needs="literal"),
    _Row("helo", "helo", ("fail", "permerror"), "HELO name {helo} does not resolve to {client}", "{greet}"),
    _Row(
        "generic", "generic", ("yes",),
        "reverse name {ptr} of {client} looks like one of a pool of addresses",
        "ask whoever runs the network of {client} for a name of your own: {reverse}. PTR {host}., with {host}. {type} {client};"
        " or send through the provider's mail server",
        needs="ptr",
    ),
    *_spf_rows("spf_mailfrom", serious=False),
    _spf_none("spf_mailfrom", needs="sender_domain", quiet=False),
    _Row(
        "spf_mailfrom", "spf_mailfrom", ("none",),
        "the sender's address has no domain that DNS could hold",
        "send with an address whose domain has an MX or A record", needs="badly_sent",
    ),
    *_spf_rows("spf_helo", serious=True),
    *_spf_rows("spf_helo", serious=False),
    _Row(
        "iprev", "iprev", ("temperror",), "the reverse name of {client} could not be looked up (the receiver's resolver is down)",
        _OURS, reasons=("resolver-down",),
    ),
    _Row(
        "iprev", "iprev", ("temperror",), "the reverse name of {client} could not be looked up ({why})",
        "mend the DNSSEC signatures of {asked}", reasons=("bogus",),
    ),
    _Row(
        "iprev", "iprev", ("temperror",), "the reverse name of {client} could not be looked up ({why})",
        "nothing need be wrong; if it lasts, see that the name servers of {asked} answer",
    ),
    _spf_trouble("spf_mailfrom"),
    _Row(
        "helo", "helo", ("temperror",), "HELO name {helo} could not be looked up ({helo_why})",
        "nothing need be wrong; if it lasts, see that the name servers of {helo} answer",
    ),
    _spf_trouble("spf_helo"),
    # From here on nothing is wrong: words for a rule that asks for more than the RFCs do.
    _spf_none("spf_mailfrom", needs="domain", quiet=True),
    _spf_none("spf_helo", needs="domain", quiet=True),
    _Row("helo", "helo_kind", ("literal",), "HELO is an address literal, {helo}", "{greet}", quiet=True),
    _Row(
        "helo", "helo_match", ("aligned", "different"), "HELO name {helo} is not the reverse name {ptr} of {client}", "{greet}",
        needs="ptr", quiet=True,
    ),
    _Row("helo", "helo_match", ("none",), "{client} has no confirmed reverse name beside HELO name {helo}", _PTR, quiet=True),
    _Row(
        "mailfrom_match", "mailfrom_match", ("aligned", "different"),
        "reverse name {ptr} of {client} is not of the sender's domain {sender_domain}",
        "send by a host of {sender_domain}", needs="sender_domain", quiet=True,
    ),
)  # fmt: skip

_WHY: Mapping[str, str] = MappingProxyType(
    {
        "timeout": "no answer in time",
        "deadline": "no answer in time",
        "servfail": "SERVFAIL",
        "refused": "REFUSED",
        "bogus": "DNSSEC validation failed",
        "resolver-down": "the receiver's resolver is down",
    }
)


def advice(evidence: Evidence, facts: Collection[str] | None = None) -> tuple[Advice, ...]:
    """Return advice for the sender's postmaster, the most important first; () if there is none or the client is not judged.

    `facts`: limit the advice to these facts, and include what violates no RFC but is required by a rule."""
    if evidence.exempt or evidence.client is None:
        return ()
    wanted = None if facts is None else {*facts, *(("iprev",) if "iprev_reason" in facts else ())}
    found: dict[str, Advice] = {}
    for row in _ROWS:
        if row.group in found or (row.quiet if wanted is None else row.fact not in wanted):
            continue
        if FACTS[row.fact].get(evidence) not in row.words or (row.reasons and evidence.iprev.reason not in row.reasons):
            continue
        terms = _terms(evidence, evidence.client, row.fact)
        if row.needs and not terms[row.needs]:
            continue
        found[row.group] = Advice(filled(row.fault, terms), filled(row.remedy, terms))
    return tuple(dict.fromkeys(found.values()))


def _terms(evidence: Evidence, client: Address, fact: str) -> dict[str, str]:
    """What the sentences of a fact are filled with."""
    record = f"{forward_type(client)} {client}"
    host = _good_name(evidence)
    greeting = host if host != canonical(evidence.helo_name) else ""
    terms = {
        "client": str(client),
        "reverse": reverse_name(client),
        "type": forward_type(client),
        "ip": f"ip{client.version}:{client}",
        "host": host or "<host name>",
        "ptr": evidence.iprev.ptr if is_hostname(evidence.iprev.ptr) else "",
        "helo": printable(evidence.helo_name, MAX_FOREIGN) or "(none)",
        "helo_domain": _greeted_name(evidence),
        "literal": evidence.helo_name if evidence.helo.kind == "literal" else "",
        "greet": f"set the HELO name to {greeting or f'a name of the host that has the record {record}'}",
        "sender_domain": evidence.sender.domain,
        "badly_sent": evidence.mailfrom if not evidence.sender.domain else "",
        "why": _WHY.get(evidence.iprev.reason, "DNS error"),
        "helo_why": _WHY.get(evidence.helo.reason, "DNS error"),
        "asked": evidence.iprev.claimed[0] if evidence.iprev.claimed else reverse_name(client),
        **_spf_terms(evidence, fact),
    }
    return {name: printable(term, MAX_TERM) for name, term in terms.items()}


def _spf_terms(evidence: Evidence, fact: str) -> dict[str, str]:
    spf: Spf = evidence.spf_helo if fact == "spf_helo" else evidence.spf_mailfrom
    domain = canonical(spf.domain)
    if not domain:
        domain = (
            evidence.sender.domain if fact == "spf_mailfrom" and evidence.mailfrom else canonical(evidence.helo_name)
        )
    return {
        "domain": domain if is_hostname(domain) else "",
        "term": f" ({printable(spf.mechanism, MAX_FOREIGN)})" if spf.mechanism else "",
        "problem": f" ({printable(spf.problem, MAX_FOREIGN)})" if spf.problem else "",
    }


def _greeted_name(evidence: Evidence) -> str:
    """The HELO name, if it is one under which a host could be known in the public DNS."""
    name = canonical(evidence.helo_name)
    return name if evidence.helo.kind == "fqdn" and is_domain(name) and not is_special_use(name) else ""


def _good_name(evidence: Evidence) -> str:
    """The name that the client's reverse name and greeting should be: the confirmed one, else the one it greets with; "" if
    neither is good for it."""
    if evidence.iprev.names and evidence.generic.result != "yes":
        return evidence.iprev.names[0]
    name = _greeted_name(evidence) if evidence.helo.own == "no" else ""
    return name if name != evidence.iprev.ptr else ""
