"""Encode DNS queries and decode responses.

Must trust nothing that comes from the network: a response is accepted only if all of it can be parsed, by resolver/plain_answer.py
or by dnspython, and if it answers the question that was sent. Must never follow a name that is not in the response, or keep records
that the question does not ask for.

RFC 1035 4 (messages), RFC 2308 (NXDOMAIN, NODATA, referrals), RFC 6672 (DNAME), RFC 6891 (EDNS), RFC 8914 (extended errors).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from . import plain_answer
from .lookup import Question, Status, Type, Value
from .negative_answer import NegativeAnswer, classify
from .reading import MAX_VALUES, Reading

PAYLOAD = 1232  # bytes that a response over UDP may have: it passes any path unfragmented (DNS flag day 2020)
# Extended errors of a validator that found the signatures wrong (RFC 8914 4.2 to 4.13).
_BOGUS = frozenset((1, 2, 5, 6, 7, 8, 9, 10, 11, 12))
_DRAWN = 512  # ids that are read from the system at a time
_RD = int(dns.flags.RD)
_EDNS = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, PAYLOAD, 0, 0)  # RFC 6891 6.1.2
_OPT_LENGTH = len(_EDNS)
# The root's name, any payload, no extended code, version 0, any flags, no options (RFC 6891 6.1.2, 6.1.3).
_OPT_THAT_SAYS_NOTHING = re.compile(rb"\0\0\x29..\0\0..\0\0", re.DOTALL)
_HEADER = struct.Struct("!6H")
_TYPE_AND_CLASS = struct.Struct("!HH")
_KINDS: Mapping[Type, bytes] = MappingProxyType(
    {kind: _TYPE_AND_CLASS.pack(dns.rdatatype.from_text(kind), dns.rdataclass.IN) for kind in get_args(Type)}
)
_LENGTHS = tuple(bytes((length,)) for length in range(64))  # of a label
_MAX_NAME = 255
# dnspython imports the code of a type on first use: do it now, so that no client waits for it.
for _rdtype in (*map(dns.rdatatype.from_text, _KINDS), dns.rdatatype.CNAME, dns.rdatatype.SOA, dns.rdatatype.OPT):
    dns.rdata.get_rdata_class(dns.rdataclass.IN, _rdtype)  # type: ignore[no-untyped-call, unused-ignore]
_RCODES: Mapping[int, Status] = MappingProxyType({dns.rcode.SERVFAIL: "servfail", dns.rcode.REFUSED: "refused"})
# A server that answers with one of these may not know EDNS (RFC 6891 7).
_NO_EDNS = frozenset((dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS))


class BadName(ValueError):
    """The name cannot be encoded: it has an empty label, a label of more than 63 bytes, or more than 255 bytes in all."""


class EncodedQuery(NamedTuple):
    """An encoded query: its id, the bytes of its question section, and all of its bytes."""

    ident: int
    question: bytes
    wire: bytes

    @property
    def message(self) -> dns.message.QueryMessage:
        """The query as a message of dnspython, to compare a response with. Without EDNS, which a response need not repeat."""
        name, length = dns.name.from_wire(self.question, 0)
        rdtype, rdclass = _TYPE_AND_CLASS.unpack_from(self.question, length)
        message = dns.message.QueryMessage(self.ident)
        message.flags = _RD
        message.question.append(dns.rrset.RRset(name, rdclass, rdtype))
        return message


class Ids:
    """Ids that cannot be guessed (RFC 5452 4.3). Many are read from the system at a time, because each read releases the
    interpreter lock, and getting it back takes longer than everything else. Must not be kept across a fork."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: list[int] = []

    def next(self) -> int:
        """Return the next id."""
        if not self._left:
            self._left = list(struct.unpack(f"{_DRAWN}H", os.urandom(2 * _DRAWN)))
        return self._left.pop()


def encode(question: Question, edns: bool, ident: int) -> EncodedQuery:
    """Return the encoded query. Raises BadName. Does not use dnspython, which takes six times as long."""
    asked = _name(question.name) + _KINDS[question.type]
    head = _HEADER.pack(ident, _RD, 1, 0, 0, edns)
    return EncodedQuery(ident, asked, head + asked + _EDNS if edns else head + asked)


def _name(text: str) -> bytes:
    """Return the encoded name. Raises BadName."""
    pieces: list[bytes] = []
    try:
        for label in text.encode("latin-1").split(b"."):
            if not label:
                raise BadName(text)
            pieces += (_LENGTHS[len(label)], label)
    except (UnicodeError, IndexError) as error:
        raise BadName(text) from error
    pieces.append(b"\0")
    name = b"".join(pieces)
    if len(name) > _MAX_NAME:
        raise BadName(text)
    return name


def decode(wire: bytes, query: EncodedQuery, over_tcp: bool) -> Reading | None:
    """Return the contents of a response; None if it does not belong to the query, or cannot be parsed."""
    return plain_answer.read(wire, query.ident, query.question) or decode_any(wire, query, over_tcp)


def decode_any(wire: bytes, query: EncodedQuery, over_tcp: bool) -> Reading | None:
    """Return the same as `decode`, always parsed by dnspython."""
    try:
        answer = _parsed(wire)
        if not query.message.is_response(answer) or not isinstance(answer, dns.message.QueryMessage):
            return None
        return _read(answer, over_tcp)
    except (dns.exception.DNSException, ValueError, IndexError, KeyError, AttributeError, TypeError, AssertionError):
        # dnspython documents only DNSException; hostile bytes have made it raise others.
        return None


def _parsed(wire: bytes) -> dns.message.Message:
    """Return the message as dnspython parses it. Raises any exception of dnspython."""
    if wire[10:12] == b"\0\1" and _OPT_THAT_SAYS_NOTHING.match(wire[-_OPT_LENGTH:]):
        # Without its last record the message means the same, and dnspython parses it in half the time. If these bytes are part
        # of another record, dnspython finds that they are missing.
        with suppress(dns.exception.DNSException):
            return dns.message.from_wire(wire[:10] + b"\0\0" + wire[12:-_OPT_LENGTH])
    return dns.message.from_wire(wire)


def _read(answer: dns.message.QueryMessage, over_tcp: bool) -> Reading:
    rcode = answer.rcode()
    if answer.flags & dns.flags.TC:
        return Reading("error", truncated=not over_tcp)
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Reading(_trouble(answer, rcode), without_edns=rcode in _NO_EDNS)
    try:
        chain = _plain(answer) or answer.resolve_chaining()
    except dns.exception.DNSException:
        return Reading("error")  # a loop of CNAMEs, or an answer that contradicts itself
    ttl = float(chain.minimum_ttl)
    if chain.answer is not None:
        read = _VALUES[chain.answer.rdtype]
        values = tuple(sorted({read(rdata) for rdata in chain.answer}))
        return Reading("ok", values[:MAX_VALUES], ttl)
    return _negative(answer, chain)


def _negative(answer: dns.message.QueryMessage, chain: dns.message.ChainingResult) -> Reading:
    """Return the contents of a response without a record of the requested type."""
    try:
        name = _redirected(answer, chain.canonical_name)
        kind = classify(_summary(answer, name, name != answer.question[0].name))
        ttl = float(chain.minimum_ttl)
        return Reading("nodata", ttl=ttl, chase=_asked(name)) if kind == "alias" else Reading(kind, ttl=ttl)
    except (dns.exception.DNSException, ValueError):
        return Reading("error")  # the alias leads to a name that DNS, or a question, cannot hold


def _redirected(answer: dns.message.QueryMessage, name: dns.name.Name) -> dns.name.Name:
    """Return the name to which a DNAME leads, if the response lacks the CNAME that the server makes from it (RFC 6672 3.1); else
    the same name. Raises dns.name.NameTooLong."""
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.DNAME and name != rrset.name and name.is_subdomain(rrset.name):
            return name.relativize(rrset.name).concatenate(rrset[0].target)
    return name


def _summary(answer: dns.message.QueryMessage, name: dns.name.Name, aliased: bool) -> NegativeAnswer:
    """Return the input of `classify`. `name`: the name to which all aliases lead."""
    soa, ns = _zones(answer, dns.rdatatype.SOA), _zones(answer, dns.rdatatype.NS)
    own_soa, own_ns = ([len(zone) for zone in zones if name.is_subdomain(zone)] for zones in (soa, ns))
    return NegativeAnswer(
        nxdomain=answer.rcode() == dns.rcode.NXDOMAIN,
        aliased=aliased,
        soa=max(own_soa, default=None),
        ns=max(own_ns, default=None),
        other_soa=len(own_soa) < len(soa),
        other_ns=len(own_ns) < len(ns),
        # The SOA record of a response policy zone may be the only one there.
        stray=not answer.authority and any(rrset.rdtype != dns.rdatatype.SOA for rrset in answer.additional),
        responsible=bool(answer.flags & (dns.flags.AA | dns.flags.RA)),
    )


def _zones(answer: dns.message.QueryMessage, rdtype: dns.rdatatype.RdataType) -> list[dns.name.Name]:
    """Return the owners of the records of this type in the authority section."""
    return [rrset.name for rrset in answer.authority if rrset.rdtype == rdtype and rrset.rdclass == dns.rdataclass.IN]


def _plain(answer: dns.message.QueryMessage) -> dns.message.ChainingResult | None:
    """Return the result of `resolve_chaining`, at a tenth of its cost, if the only records are those of the question, as in most
    responses; else None."""
    if answer.rcode() != dns.rcode.NOERROR or len(answer.answer) != 1 or len(answer.question) != 1:
        return None
    (asked,), (found,) = answer.question, answer.answer
    if (found.rdclass, found.rdtype, found.name) != (asked.rdclass, asked.rdtype, asked.name):
        return None
    return dns.message.ChainingResult(asked.name, found, found.ttl, [])


def _trouble(answer: dns.message.Message, rcode: int) -> Status:
    for option in answer.options:
        if option.otype == dns.edns.OptionType.EDE and int(getattr(option, "code", -1)) in _BOGUS:
            return "bogus"
    return _RCODES.get(rcode, "error")


def _text(name: dns.name.Name) -> str:
    """Return a name in lower case, without the final dot, with unprintable bytes escaped; "" for the root."""
    return "" if len(name) <= 1 else name.to_text(omit_final_dot=True).lower()


def _asked(name: dns.name.Name) -> str:
    """Return a name as a Question has it: each character is one byte; "" for the root. Raises ValueError if a label contains a
    dot."""
    if any(b"." in label for label in name.labels):
        raise ValueError(name)
    return b".".join(name.labels[:-1]).lower().decode("latin-1")


_VALUES: Mapping[int, Callable[[Any], Value]] = MappingProxyType(
    {
        dns.rdatatype.A: lambda rdata: str(rdata.address),
        dns.rdatatype.AAAA: lambda rdata: str(rdata.address),
        dns.rdatatype.PTR: lambda rdata: _text(rdata.target),
        dns.rdatatype.MX: lambda rdata: (int(rdata.preference), _text(rdata.exchange)),
        dns.rdatatype.TXT: lambda rdata: b"".join(rdata.strings),
    }
)
