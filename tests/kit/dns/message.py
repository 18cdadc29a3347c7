"""One query to the tests' name server, and the messages that may be sent in response (RFC 1035 4, RFC 6891).

`Ask` holds everything that a behaviour may use, and builds right answers; `Send` is one action on the wire. Uses no socket: the
server carries out the sends.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import RdataType
from dns.rrset import RRset

from tests.kit.dns.entries import Found

HEADER = 12
PLAIN_UDP = 512
MESSAGE_MAX = 65535
PAYLOAD = 1232
TTL = 300
QR_RD_RA = dns.flags.QR | dns.flags.RD | dns.flags.RA
POINTER_TO_QUESTION = b"\xc0\x0c"

MADE_UP = dns.name.from_text("hx.example.")
"""Names that behaviours make up and that are not below the question's name end in this."""

SAMPLES: Mapping[RdataType, str] = {
    dns.rdatatype.A: "192.0.2.1",
    dns.rdatatype.AAAA: "2001:db8::1",
    dns.rdatatype.PTR: "host.hx.example.",
    dns.rdatatype.MX: "10 mx.hx.example.",
    dns.rdatatype.NS: "ns.hx.example.",
    dns.rdatatype.TXT: '"v=spf1 ip4:192.0.2.1 -all"',
    dns.rdatatype.CNAME: "host.hx.example.",
}
FORGED: Mapping[RdataType, str] = {
    dns.rdatatype.A: "203.0.113.66",
    dns.rdatatype.AAAA: "2001:db8:bad::66",
    dns.rdatatype.PTR: "forged.hx.example.",
    dns.rdatatype.MX: "0 forged.hx.example.",
    dns.rdatatype.NS: "forged.hx.example.",
    dns.rdatatype.TXT: '"v=spf1 +all"',
    dns.rdatatype.CNAME: "forged.hx.example.",
}


class Source(enum.Enum):
    """The source of a datagram: the server's own socket, another port of its address, another address."""

    SAME = enum.auto()
    PORT = enum.auto()
    ADDRESS = enum.auto()


class End(enum.Enum):
    """The end of a TCP connection after a send."""

    KEEP = enum.auto()
    CLOSE = enum.auto()
    RESET = enum.auto()
    HANG = enum.auto()


@dataclass(frozen=True, slots=True)
class Send:
    """One action: a datagram, or bytes on the TCP connection of the query.

    `after`: seconds since the query arrived. `source`: for UDP. For TCP: `framed` prepends the two bytes of the length, `pause` is
    the time before each byte, `end` follows the last byte.
    """

    data: bytes
    after: float = 0.0
    source: Source = Source.SAME
    framed: bool = True
    pause: float = 0.0
    end: End = End.KEEP


Sends = list[Send]


def edited(sends: Sends, edit: Callable[[bytes], bytes]) -> Sends:
    """The same sends with other octets."""
    return [replace(send, data=edit(send.data)) for send in sends]


def wire_length(name: Name) -> int:
    """Return the length in bytes of an absolute name without compression."""
    return sum(len(label) + 1 for label in name.labels)


def render(message: dns.message.Message, limit: int) -> bytes:
    """Return the message in wire format, with the records in the given order; with TC and without records if it exceeds `limit`."""
    try:
        return message.to_wire(max_size=limit, want_shuffle=False)
    except dns.exception.TooBig:
        message.answer, message.authority, message.additional = [], [], []
        message.flags |= dns.flags.TC
        return message.to_wire(max_size=limit)


def rdata(rdtype: RdataType, text: str) -> Rdata:
    """Return one rdata of class IN from its master-file text; names are absolute. Raises dns.exception.DNSException."""
    return dns.rdata.from_text(IN, rdtype, text, origin=dns.name.root, relativize=False)


def rrset(owner: Name, rdatas: Iterable[Rdata], ttl: int = TTL) -> RRset:
    """Return an RRset of at least one rdata."""
    return dns.rrset.from_rdata_list(owner, ttl, list(rdatas))


def record_wire(
    rdtype: int, data: bytes, *, rdclass: int = IN, rdlength: int | None = None, owner: bytes = POINTER_TO_QUESTION
) -> bytes:
    """Return a record written by hand, so that each field can be wrong (RFC 1035 4.1.3)."""
    length = len(data) if rdlength is None else rdlength
    return owner + struct.pack("!HHIH", rdtype, rdclass, TTL, length) + data


@dataclass(frozen=True, slots=True)
class Ask:
    """One query: its bytes, the parsed message, the zone's answer, the transport, and the number of earlier queries for the
    question."""

    wire: bytes
    query: dns.message.Message
    found: Found
    tcp: bool = False
    nth: int = 0

    @property
    def name(self) -> Name:
        """The name, in the case of the question."""
        return self.query.question[0].name

    @property
    def rdtype(self) -> RdataType:
        """The type."""
        return self.query.question[0].rdtype

    @property
    def edns(self) -> bool:
        """Whether the query has an OPT record."""
        return self.query.edns >= 0

    @property
    def question(self) -> bytes:
        """The bytes of the question section, as they arrived."""
        return self.wire[HEADER : HEADER + wire_length(self.name) + 4]

    @property
    def limit(self) -> int:
        """The maximum size of the answer in bytes: RFC 1035 2.3.4, RFC 6891 6.2.3."""
        if self.tcp:
            return MESSAGE_MAX
        return max(PLAIN_UDP, self.query.payload) if self.edns else PLAIN_UDP

    def reply(
        self, answer: Iterable[RRset] = (), *, rcode: Rcode = dns.rcode.NOERROR, authority: Iterable[RRset] = ()
    ) -> dns.message.Message:
        """Return a well-formed response to this query with these sections."""
        message = dns.message.make_response(self.query, recursion_available=True, our_payload=PAYLOAD)
        message.set_rcode(rcode)
        message.answer, message.authority = list(answer), list(authority)
        return message

    def right(self) -> dns.message.Message:
        """Return the response that the zone's data require."""
        return self.reply(self.found.answer, rcode=self.found.rcode, authority=self.found.authority)

    def sends(self, message: dns.message.Message) -> Sends:
        """Return that response, truncated to what the transport allows."""
        return [Send(render(message, self.limit))]

    def truncated(self) -> Sends:
        """Return an empty response with TC."""
        message = self.reply()
        message.flags |= dns.flags.TC
        return self.sends(message)

    def rdatas(self, instead: Mapping[RdataType, str] | None = None) -> list[Rdata]:
        """Return the data for a behaviour: the zone's records of this type, or a sample; from `instead` if that is given."""
        if instead is None:
            own = [each for one in self.found.answer if one.rdtype == self.rdtype for each in one]
            if own:
                return own
        text = (instead or SAMPLES).get(self.rdtype)
        return [] if text is None else [rdata(self.rdtype, text)]

    def answered(self, owner: Name, rdatas: Iterable[Rdata]) -> list[RRset]:
        """Return an answer section of these data at `owner`; empty if there are none."""
        rdatas = list(rdatas)
        return [rrset(owner, rdatas)] if rdatas else []

    def raw(self, records: bytes, count: int = 1) -> Sends:
        """Return a response written by hand: the question, and these bytes as an answer section of `count` records."""
        header = struct.pack("!HHHHH", QR_RD_RA, 1, count, 0, 0)
        return [Send(self.wire[:2] + header + self.question + records)]
