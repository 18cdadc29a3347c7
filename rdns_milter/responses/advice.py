"""Advice for the sender's postmaster: which record is missing or wrong, and the exact record to publish.

Pure: a table from facts to sentences. Makes no decision, names no rule and gives no URL. Text from the network is shortened and
made printable ASCII before it is inserted in a sentence.

RFC 8601 3 and RFC 1912 2.1 (reverse names), RFC 5321 4.1.1.1 (HELO), RFC 7208 10.1 (what a domain owner should publish).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..checks.evidence import FACTS, Evidence, Spf
from ..net.names import MAX_NAME, Address, canonical, is_domain, is_hostname, is_special_use, reverse_name
from ..resolver.lookup import forward_type
from ..text.escape import clipped, filled, printable

MAX_SENTENCE = 700  # characters; enough for two names of maximum length and an ip6.arpa name
MAX_TERM = MAX_NAME + 100  # characters of a value inserted in a sentence
MAX_FOREIGN = 100  # characters of a text that the sender chose


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice. `fault`: what is missing or wrong; `remedy`: how to correct it. `str()` returns the whole sentence."""

    fault: str
    remedy: str

    def __str__(self) -> str:
        return clipped(f"{self.fault}; {self.remedy}", MAX_SENTENCE)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table.

    It applies if `fact` has one of `words`, iprev_reason is one of `reasons` (if given) and the value `needs` is not empty. The
    first row of each `group` that applies is used. `quiet`: violates no RFC; used only if the caller asks for this fact.
    """

    group: str
    fact: str
    words: tuple[str, ...]
    fault: str
    remedy: str
    reasons: tuple[str, ...] = ()
    needs: str = ""
    quiet: bool = False


_PTR = "ask the network operator of {client} to publish {reverse}. PTR {host}."
_PUBLISH = f"publish {{ptr}}. {{type}} {{client}}, or {_PTR}"
_OURS = "nothing is wrong on the sender's side"


def _spf_rows(fact: str, serious: bool) -> tuple[_Row, ...]:
    """Return the rows for one identity. `serious`: True for the results that are usually refused, False for the others."""
    if serious:
        return (
            _Row(
                fact, fact, ("fail",),
                "the SPF record of {domain} does not authorize {client}{term}",
                'if this host may send mail for {domain}, add {ip} (or an include: of its operator) to the record: {domain}. TXT'
                ' "v=spf1 {ip} ..."; otherwise send through a host that the record lists',
                needs="domain",
            ),
            _Row(
                fact, fact, ("permerror",),
                "the SPF record of {domain} cannot be evaluated{problem}",
                "correct the TXT record of {domain}. that begins with v=spf1, or a record that it includes",
                needs="domain",
            ),
        )  # fmt: skip
    return (
        _Row(
            fact, fact, ("softfail",),
            "the SPF record of {domain} says softfail for {client}{term}",
            'if this host may send mail for {domain}, add {ip} to the record: {domain}. TXT "v=spf1 {ip} ..."',
            needs="domain",
        ),
        _Row(
            fact, fact, ("neutral",),
            "the SPF record of {domain} makes no statement about {client}{term}",
            'if this host may send mail for {domain}, add {ip} to the record: {domain}. TXT "v=spf1 {ip} ..."',
            needs="domain", quiet=fact == "spf_helo",
        ),
    )  # fmt: skip


def _spf_none(fact: str, needs: str, quiet: bool) -> _Row:
    return _Row(
        fact, fact, ("none",),
        "{domain} has no SPF record",
        'publish {domain}. TXT "v=spf1 {ip} -all", and list in it every other host that sends mail for the domain',
        needs=needs, quiet=quiet,
    )  # fmt: skip


def _spf_trouble(fact: str) -> _Row:
    return _Row(
        fact, fact, ("temperror",),
        "the SPF record of {domain} could not be looked up{problem}",
        "this can be temporary; if it persists, check that the name servers of {domain} and of the domains in its record answer",
        needs="domain",
    )  # fmt: skip


# In order of importance.
_ROWS: tuple[_Row, ...] = (
    _Row("helo", "helo_own", ("yes",), "HELO name {helo} is the receiving server's own", "{greet}"),
    _Row(
        "iprev", "iprev", ("fail", "permerror"),
        "the PTR record of {client} contains no name that is valid in the public DNS", _PTR, reasons=("bad-name",),
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
    _Row("helo", "helo_kind", ("missing",), "the client sent no HELO or EHLO", "{greet}"),
    _Row("helo", "helo_kind", ("invalid",), "HELO name {helo} is not a valid host name", "{greet}"),
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
    _Row("helo", "helo", ("fail", "permerror"), "HELO {helo} is not the client address {client}", "{greet}", needs="literal"),
    _Row("helo", "helo", ("fail", "permerror"), "HELO name {helo} does not resolve to {client}", "{greet}"),
    _Row(
        "generic", "generic", ("yes",),
        "reverse name {ptr} of {client} looks like a generic name of an address pool",
        "ask the network operator of {client} for a reverse name of your own: {reverse}. PTR {host}., with {host}. {type} {client};"
        " or send through the provider's mail server",
        needs="ptr",
    ),
    *_spf_rows("spf_mailfrom", serious=False),
    _spf_none("spf_mailfrom", needs="sender_domain", quiet=False),
    _Row(
        "spf_mailfrom", "spf_mailfrom", ("none",),
        "the sender's address has no valid domain",
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
        "correct the DNSSEC signatures of {asked}", reasons=("bogus",),
    ),
    _Row(
        "iprev", "iprev", ("temperror",), "the reverse name of {client} could not be looked up ({why})",
        "this can be temporary; if it persists, check that the name servers of {asked} answer",
    ),
    _spf_trouble("spf_mailfrom"),
    _Row(
        "helo", "helo", ("temperror",), "HELO name {helo} could not be looked up ({helo_why})",
        "this can be temporary; if it persists, check that the name servers of {helo} answer",
    ),
    _spf_trouble("spf_helo"),
    # The remaining rows describe no fault: they are for rules that require more than the RFCs do.
    _spf_none("spf_mailfrom", needs="domain", quiet=True),
    _spf_none("spf_helo", needs="domain", quiet=True),
    _Row("helo", "helo_kind", ("literal",), "HELO is an address literal, {helo}", "{greet}", quiet=True),
    _Row(
        "helo", "helo_match", ("aligned", "different"), "HELO name {helo} is not the reverse name {ptr} of {client}", "{greet}",
        needs="ptr", quiet=True,
    ),
    _Row("helo", "helo_match", ("none",), "{client} has no confirmed reverse name to match HELO name {helo}", _PTR, quiet=True),
    _Row(
        "mailfrom_match", "mailfrom_match", ("aligned", "different"),
        "reverse name {ptr} of {client} is not in the sender's domain {sender_domain}",
        "send through a host in {sender_domain}", needs="sender_domain", quiet=True,
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

    `facts`: limits the advice to these facts. Then it also covers what violates no RFC, because a rule requires it."""
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
    """Return the values for the placeholders in the sentences about a fact."""
    record = f"{forward_type(client)} {client}"
    host = _recommended_name(evidence)
    helo_name = host if host != canonical(evidence.helo_name) else ""
    terms = {
        "client": str(client),
        "reverse": reverse_name(client),
        "type": forward_type(client),
        "ip": f"ip{client.version}:{client}",
        "host": host or "<host name>",
        "ptr": evidence.iprev.ptr if is_hostname(evidence.iprev.ptr) else "",
        "helo": printable(evidence.helo_name, MAX_FOREIGN) or "(none)",
        "helo_domain": _usable_helo_name(evidence),
        "literal": evidence.helo_name if evidence.helo.kind == "literal" else "",
        "greet": f"set the HELO name to {helo_name or f'a name of this host that has the record {record}'}",
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


def _usable_helo_name(evidence: Evidence) -> str:
    """Return the HELO name if it can be the name of a host in the public DNS, else ""."""
    name = canonical(evidence.helo_name)
    return name if evidence.helo.kind == "fqdn" and is_domain(name) and not is_special_use(name) else ""


def _recommended_name(evidence: Evidence) -> str:
    """Return the name to recommend as reverse name and HELO name. It is the confirmed name, else the HELO name; "" if neither is
    suitable."""
    if evidence.iprev.names and evidence.generic.result != "yes":
        return evidence.iprev.names[0]
    name = _usable_helo_name(evidence) if evidence.helo.own == "no" else ""
    return name if name != evidence.iprev.ptr else ""
