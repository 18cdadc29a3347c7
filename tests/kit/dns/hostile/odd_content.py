"""Answers with odd content: thousands of records, long texts, long names, targets that are no host names.

Behaviours of tests.kit.dns.hostile.behaviours. All of it is well-formed DNS. Generated names end in tests.kit.dns.message.MADE_UP.

packaging/doc/platform.md 5.1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import dns.name
import dns.rdatatype
from dns.name import Name
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from tests.kit.dns.message import MADE_UP, Ask, Sends, rdata, rrset, wire_length
from tests.kit.dns.rdata import text_record

NAME_MAX = 255
LABEL_MAX = 63

_NUMBERED: Mapping[RdataType, Callable[[int], str]] = {
    dns.rdatatype.A: lambda i: f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
    dns.rdatatype.AAAA: lambda i: f"2001:db8:0:1::{i >> 16:x}:{i & 65535:x}",
    dns.rdatatype.PTR: lambda i: f"h{i}.{MADE_UP}",
    dns.rdatatype.NS: lambda i: f"ns{i}.{MADE_UP}",
    dns.rdatatype.MX: lambda i: f"{i % 65536} mx{i}.{MADE_UP}",
    dns.rdatatype.TXT: lambda i: f'"record {i}"',
}


@functools.lru_cache(maxsize=32)
def _many(rdtype: RdataType, count: int) -> tuple[Rdata, ...]:
    return tuple(rdata(rdtype, _NUMBERED[rdtype](i)) for i in range(count))


def huge(ask: Ask, sends: Sends, count: int) -> Sends:
    """So many records: PTR hN.hx.example, MX N mxN.hx.example, A 10.x.y.z, TXT "record N". Other types are unchanged."""
    if ask.rdtype not in _NUMBERED:
        return sends
    return ask.sends(ask.reply(ask.answered(ask.name, _many(ask.rdtype, count))))


def big_txt(ask: Ask, sends: Sends, octets: int) -> Sends:
    """One TXT record of so many bytes that begins like SPF. Other types are unchanged."""
    if ask.rdtype != dns.rdatatype.TXT:
        return sends
    terms = "".join(f" ip4:10.{i >> 8 & 255}.{i & 255}.0/24" for i in range(octets // 16 + 1))
    return ask.sends(ask.reply([rrset(ask.name, [text_record(ask.rdtype, f"v=spf1{terms}"[:octets])])]))


def target(ask: Ask, sends: Sends, name: str) -> Sends:
    """PTR and MX records that lead to this name (with master-file escapes). Other types are unchanged."""
    return _targeted(ask, sends, dns.name.from_text(name))


def target_bytes(ask: Ask, sends: Sends, octets: str) -> Sends:
    """PTR and MX records that lead to a name with these bytes (in hexadecimal) as its first label, below hx.example."""
    return _targeted(ask, sends, dns.name.Name((bytes.fromhex(octets), *MADE_UP.labels)))


def target_long(ask: Ask, sends: Sends) -> Sends:
    """PTR and MX records that lead to a name of 255 bytes, the maximum (RFC 1035 2.3.4)."""
    labels = [b"a" * LABEL_MAX] * 3
    rest = NAME_MAX - wire_length(MADE_UP) - 3 * (LABEL_MAX + 1) - 1
    return _targeted(ask, sends, dns.name.Name((*labels, b"b" * rest, *MADE_UP.labels)))


def target_root(ask: Ask, sends: Sends) -> Sends:
    """PTR and MX records that lead to the root (RFC 7505 for MX)."""
    return _targeted(ask, sends, dns.name.root)


def target_address(ask: Ask, sends: Sends) -> Sends:
    """PTR and MX records that lead to an address written as a name."""
    return _targeted(ask, sends, dns.name.from_text("192.0.2.1."))


def _targeted(ask: Ask, sends: Sends, name: Name) -> Sends:
    prefix = {dns.rdatatype.PTR: "", dns.rdatatype.MX: "0 "}.get(ask.rdtype)
    if prefix is None:
        return sends
    return ask.sends(ask.reply([rrset(ask.name, [rdata(ask.rdtype, prefix + name.to_text())])]))
