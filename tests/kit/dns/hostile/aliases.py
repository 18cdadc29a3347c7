"""Answers with aliases: a CNAME that leads to itself, in circles, in chains or to nothing, and DNAME (RFC 1034 3.6.2, RFC 6672).

Behaviours of tests.kit.dns.hostile.behaviours. Generated names of a chain are children of the question's name, with the first
labels `chainN`, `stepN`, `loop`, `silent` and `gone`; the table says which words answer for their children too.
"""

from __future__ import annotations

import itertools

import dns.name
import dns.rcode
import dns.rdatatype
from dns.name import Name
from dns.rdata import Rdata
from dns.rrset import RRset

from tests.kit.dns.message import MADE_UP, Ask, Sends, rdata, rrset

DNAME_TARGET = dns.name.from_text("dn", MADE_UP)


def child(name: Name, label: str) -> Name:
    """Return `label` below `name`. Raises dns.name.NameTooLong."""
    return dns.name.Name((label.encode("ascii"), *name.labels))


def _to(target: Name, rdtype: dns.rdatatype.RdataType = dns.rdatatype.CNAME) -> Rdata:
    return rdata(rdtype, target.to_text())


def cname(owner: Name, target: Name) -> RRset:
    """One alias."""
    return rrset(owner, [_to(target)])


def cname_self(ask: Ask, sends: Sends) -> Sends:
    """An alias of itself."""
    return ask.sends(ask.reply([cname(ask.name, ask.name)]))


def cname_loop(ask: Ask, sends: Sends) -> Sends:
    """x is an alias of loop.x, and loop.x of x; each answer holds one of the two aliases."""
    inside = ask.name.labels[0].lower() == b"loop"
    return ask.sends(ask.reply([cname(ask.name, ask.name.parent() if inside else child(ask.name, "loop"))]))


def cname_loop_full(ask: Ask, sends: Sends) -> Sends:
    """The same circle, with both aliases in one answer."""
    loop = child(ask.name, "loop")
    return ask.sends(ask.reply([cname(ask.name, loop), cname(loop, ask.name)]))


def cname_chain(ask: Ask, sends: Sends, length: int) -> Sends:
    """`length` aliases and the records at the end of them, all in one answer."""
    names = [ask.name, *(child(ask.name, f"chain{i}") for i in range(1, length + 1))]
    links = [cname(owner, target) for owner, target in itertools.pairwise(names)]
    return ask.sends(ask.reply([*links, *ask.answered(names[-1], ask.rdatas())]))


def cname_step(ask: Ask, sends: Sends, length: int) -> Sends:
    """The same chain with one alias in each answer: stepN.x has N aliases left, step0.x has the records."""
    first = ask.name.labels[0].lower()
    inside = first.startswith(b"step") and first[4:].isdigit()
    left, base = (int(first[4:]), ask.name.parent()) if inside else (length, ask.name)
    if left == 0:
        return ask.sends(ask.reply(ask.answered(ask.name, ask.rdatas())))
    return ask.sends(ask.reply([cname(ask.name, child(base, f"step{left - 1}"))]))


def cname_silent(ask: Ask, sends: Sends) -> Sends:
    """An alias of silent.x, for which there is no answer."""
    if ask.name.labels[0].lower() == b"silent":
        return []
    return ask.sends(ask.reply([cname(ask.name, child(ask.name, "silent"))]))


def cname_nxdomain(ask: Ask, sends: Sends) -> Sends:
    """An alias of a name that does not exist (RFC 2308 2.1)."""
    alias = cname(ask.name, child(ask.name, "gone"))
    return ask.sends(ask.reply([alias], rcode=dns.rcode.NXDOMAIN, authority=[ask.found.soa]))


def cname_ns(ask: Ask, sends: Sends) -> Sends:
    """An alias of alias.x with the NS records of a zone, as RFC 2317 zones are delegated; alias.x has the records."""
    if ask.name.labels[0].lower() == b"alias":
        return ask.sends(ask.reply(ask.answered(ask.name, ask.rdatas())))
    servers = rrset(ask.name, [rdata(dns.rdatatype.NS, "ns.hx.example.")])
    return ask.sends(ask.reply([cname(ask.name, child(ask.name, "alias"))], authority=[servers]))


def cname_other_soa(ask: Ask, sends: Sends) -> Sends:
    """The same, with the SOA record of a zone that does not contain the target."""
    if ask.name.labels[0].lower() == b"alias":
        return cname_ns(ask, sends)
    soa = rrset(dns.name.from_text("elsewhere", MADE_UP), ask.found.soa)
    return ask.sends(ask.reply([cname(ask.name, child(ask.name, "alias"))], authority=[soa]))


def cname_nodata(ask: Ask, sends: Sends) -> Sends:
    """An alias of a name without such a record (RFC 2308 2.2), with the SOA record of its zone."""
    return ask.sends(ask.reply([cname(ask.name, child(ask.name, "alias"))], authority=[rrset(ask.name, ask.found.soa)]))


def cname_part(ask: Ask, sends: Sends) -> Sends:
    """Two links of a chain of three, and NS records. The third link needs a query of its own."""
    if ask.name.labels[0].lower() == b"alias":
        return cname_ns(ask, sends)
    first, second = child(ask.name, "first"), child(ask.name, "alias")
    servers = rrset(ask.name, [rdata(dns.rdatatype.NS, "ns.hx.example.")])
    return ask.sends(ask.reply([cname(ask.name, first), cname(first, second)], authority=[servers]))


def via_dname(ask: Ask, sends: Sends) -> Sends:
    """A DNAME record of the parent, with the alias synthesised from it and the records (RFC 6672 3.1)."""
    target = dns.name.Name((ask.name.labels[0], *DNAME_TARGET.labels))
    dname = rrset(ask.name.parent(), [_to(DNAME_TARGET, dns.rdatatype.DNAME)])
    return ask.sends(ask.reply([dname, cname(ask.name, target), *ask.answered(target, ask.rdatas())]))
