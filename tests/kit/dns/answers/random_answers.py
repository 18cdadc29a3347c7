"""Random DNS responses, correct and nearly correct ones, for tests that compare two readers: a query and a response for each
number.

A response is written field by field. Each field may be wrong, with a probability that is chosen for the message: 0 for most
messages, so that enough of them are plain. In half of the messages some bytes are then changed. Some messages are recorded answers
of real resolvers.

RFC 1035 4.1, RFC 2308 2, RFC 6891 6.1.2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from rdns_milter.resolver.lookup import Question, Type
from rdns_milter.resolver.wire import EncodedQuery, encode
from tests.kit.dns.answers.recorded_answers import recorded

TYPES: dict[Type, int] = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
CNAME, SOA, NS, DNAME, OPT = 5, 6, 2, 39, 41
OTHER_TYPES = (1, NS, CNAME, SOA, 12, 15, 16, 28, DNAME, OPT, 46, 250, 255, 0, 65280)
NAMES = (
    "example", "mail.example.com", "1.2.0.192.in-addr.arpa", "a.b.example", "MAIL.Example.Com", "x." * 60 + "example",
    ".".join(["l" * 63] * 3 + ["k" * 61]), "odd\xff(label.example", "local+part=x._spf.example.net", "a.a.a.a",
    "\x07example.example", "x\x07example", ".".join(["l" * 63] * 3 + ["k" * 60]),
)  # fmt: skip
LABELS = (
    b"a", b"b", b"mail", b"MAIL", b"host-1", b"_spf", b"example", b"com", b"0-63", b"dot.in", b"\\", b"$", b"@", b"(x)", b'"',
    b"\xe4", b" ", b"\0", b"\x07example", b"l" * 63, b"m" * 40,
)  # fmt: skip
LIVES = (0, 1, 60, 3600, 86400, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TEXTS = (b"", b"v=spf1 -all", b"v=spf1 ip4:192.0.2.0/24 ~all", b"x" * 255, b"\xff\0\n", b"ab", b"a", b"b")
ADDRESSES6 = (
    bytes(16),
    b"\x20\x01\x0d\xb8" + bytes(12),
    bytes(10) + b"\xff\xff\xc0\0\2\1",
    bytes(12) + b"\1\2\3\4",
    bytes(15) + b"\1",
)
OPTS = (
    b"\0\0\x29\x04\xd0\0\0\0\0\0\0", b"\0\0\x29\x02\0\0\0\x80\0\0\0", b"\0\0\x29\x10\0\0\0\0\0\0\6\0\x0f\0\2\0\6",
    b"\0\0\x29\x04\xd0\x01\0\0\0\0\0", b"\0\0\x29\x04\xd0\0\1\0\0\0\0", b"\1a\0\0\x29\x04\xd0\0\0\0\0\0\0",
    b"\0\0\x29\x04\xd0\0\0\0\0\0\5\xff\xfe\0\1\0", b"\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0f\0\2\0\6",
)  # fmt: skip
CHANGED = (0, 0xC0, 0xFF, 0x3F, 1, 12)


@dataclass(frozen=True, slots=True)
class Case:
    """A query, and a message that arrives as its response."""

    query: EncodedQuery
    wire: bytes


class Writer:
    """Writes a response from its beginning to its end. `odds`: the probability that a field is wrong."""

    def __init__(self, rng: Random, query: EncodedQuery, odds: float) -> None:
        self.rng = rng
        self.query = query
        self.odds = odds
        self.wire = bytearray(12)
        self.names = [12]  # offsets of names, for compression pointers

    def odd(self) -> bool:
        """Return whether the next field is to be wrong."""
        return self.odds > 0 and self.rng.random() < self.odds

    def number(self, right: int, bits: int = 16) -> int:
        """Return the number, or a wrong one."""
        if not self.odd():
            return right
        return (right + self.rng.choice((-1, 1, 2, 255, self.rng.randrange(1 << bits)))) % (1 << bits)

    def pointer(self, to: int) -> bytes:
        """Return a compression pointer."""
        return (0xC000 | to & 0x3FFF).to_bytes(2, "big")

    def name(self) -> None:
        """Write a name of any form."""
        rng = self.rng
        start = len(self.wire)
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3)) if not self.odd() else rng.randrange(9)):
            label = rng.choice(LABELS[:9]) if not self.odd() else rng.choice(LABELS)
            self.wire.append(len(label))
            self.wire += label
        if rng.random() < 0.6:
            self.wire += self.pointer(rng.choice(self.names))
        elif self.odd():
            self.wire += self.pointer(
                rng.choice((start, len(self.wire), len(self.wire) + 2, 0, 11, rng.randrange(1 << 14)))
            )
        elif self.odd():
            self.wire += bytes((rng.choice((0x40, 0x80, 0xBF, 64, 63)),))
        else:
            self.wire.append(0)
        if start < 0x4000:
            self.names.append(start)

    def owner(self, right: int) -> None:
        """Write a pointer to the name at this offset, or another owner."""
        if not self.odd():
            self.wire += self.pointer(right)
        elif self.odd():
            self.name()
        else:
            question = self.query.question[:-4]
            self.wire += self.rng.choice(
                (question, question.swapcase(), self.pointer(self.rng.choice(self.names)), b"\0")
            )

    def record(self, owner: int | None, kind: int, data: Callable[[], object]) -> int:
        """Write a record; return the offset of its data. `owner`: the offset of its name; None if the name has been written."""
        if owner is not None:
            self.owner(owner)
        kind = kind if not self.odd() else self.rng.choice(OTHER_TYPES)
        life = self.rng.choice(LIVES[:6]) if not self.odd() else self.rng.choice(LIVES)
        self.wire += struct.pack("!HHI", kind, self.number(1), life)
        at = len(self.wire)
        self.wire += b"\0\0"
        data()
        self.wire[at : at + 2] = self.number(len(self.wire) - at - 2).to_bytes(2, "big")
        return at + 2

    def value(self, kind: int) -> None:
        """Write the data of a record of the requested type."""
        rng, start = self.rng, len(self.wire)
        match kind:
            case 1:
                self.wire += rng.randbytes(4) if rng.random() < 0.7 else bytes((192, 0, 2, rng.randrange(3)))
            case 28:
                self.wire += self._address6()
            case 12:
                self.name()
            case 15:
                self.wire += rng.choice((0, 10, 65535)).to_bytes(2, "big")
                self.name()
            case _:
                for _ in range(rng.choice((1, 1, 1, 2, 3)) if not self.odd() else rng.randrange(4)):
                    text = rng.choice(TEXTS)
                    self.wire += bytes((self.number(len(text), 8),)) + text
        if self.odd():
            self.wire += rng.randbytes(rng.randrange(1, 5))
        elif self.odd():
            del self.wire[max(start, len(self.wire) - rng.randrange(1, 5)) :]

    def _address6(self) -> bytes:
        rng = self.rng
        if rng.random() < 0.2:
            return rng.choice(ADDRESSES6)
        return b"".join(b"\0\0" if rng.random() < 0.5 else rng.choice((b"\0\1", rng.randbytes(2))) for _ in range(8))

    def soa(self) -> None:
        """Write the data of a SOA record."""
        self.name()
        self.name()
        self.wire += struct.pack("!5I", *(self.rng.choice(LIVES[:6] if not self.odd() else LIVES) for _ in range(5)))

    def denial(self, name: int) -> int:
        """Write the authority section of a negative answer; return the number of its records."""
        if self.rng.random() < 0.7:
            self.wire += self.zone_above(name)
            self.record(None, SOA, self.soa)
        else:
            self.record(self.rng.choice(self.names), SOA, self.soa)
        if not self.odd():
            return 1
        self.record(self.rng.choice(self.names), self.rng.choice((NS, SOA)), self.name)
        return 2

    def zone_above(self, at: int) -> bytes:
        """Return a pointer to the name at this offset or to a name above it, sometimes the root."""
        for _ in range(self.rng.randrange(4)):
            size = self.wire[at] if at < len(self.wire) else 0
            if size == 0:
                return b"\0"
            if size >= 64:
                return bytes(self.wire[at : at + 2])
            at += size + 1
        return self.pointer(at)


def response(rng: Random, query: EncodedQuery) -> bytes:
    """Return a random response to this query."""
    writer = Writer(rng, query, rng.choice((0, 0, 0, 0.02, 0.06, 0.2)))
    question = query.question if not writer.odd() else query.question.swapcase()
    writer.wire += question
    kind = int.from_bytes(question[-4:-2], "big")
    name, answers = 12, 0
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3, 10)) if rng.random() < 0.4 else 0):
        name = writer.record(name, CNAME, writer.name)
        answers += 1
    authorities = 0
    nxdomain = writer.odd()
    if rng.random() < 0.6:
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 40))):
            writer.record(name, kind, lambda: writer.value(kind))
            answers += 1
    else:
        authorities = 0 if writer.odd() else writer.denial(name)
        nxdomain = rng.random() < 0.5
    additional = 0
    if rng.random() < 0.7:
        writer.wire += OPTS[0] if not writer.odd() else rng.choice(OPTS)
        additional += 1
    if writer.odd():
        writer.record(rng.choice(writer.names), 1, lambda: writer.value(1))
        additional += 1
    flags = 0x8180 | 3 * nxdomain | 0x0400 * (rng.random() < 0.2)
    flags = flags if not writer.odd() else flags ^ 1 << rng.randrange(16)
    counts = [writer.number(count) for count in (1, answers, authorities, additional)]
    writer.wire[:12] = struct.pack("!6H", writer.number(query.ident), flags, *counts)
    if writer.odd():
        writer.wire += bytes(rng.randrange(1, 12))
    return bytes(writer.wire)


def changed(wire: bytes, rng: Random) -> bytes:
    """Return the message with some bytes changed, removed, added or repeated."""
    octets = bytearray(wire)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(2, len(octets)) if len(octets) > 2 else 0
        match rng.randrange(8):
            case 0 | 1 | 2:
                octets[at : at + 1] = bytes((octets[at] ^ 1 << rng.randrange(8),)) if at else b""
            case 3 | 4:
                octets[at : at + 1] = bytes((rng.choice(CHANGED),))
            case 5:
                del octets[at:]
            case 6:
                octets[at:at] = rng.randbytes(rng.randrange(1, 9))
            case _:
                octets[at:at] = octets[at : at + rng.randrange(1, 30)]
    return bytes(octets)


@cache
def _recorded() -> Sequence[Case]:
    return tuple(Case(query_of(each.query), each.answer) for each in recorded())


def query_of(wire: bytes) -> EncodedQuery:
    """Return the query that `encode` made these bytes of."""
    at, labels = 12, []
    while wire[at]:
        labels.append(wire[at + 1 : at + 1 + wire[at]].decode("latin-1"))
        at += wire[at] + 1
    number = int.from_bytes(wire[at + 1 : at + 3], "big")
    kind = next(kind for kind, value in TYPES.items() if value == number)
    return encode(Question(".".join(labels), kind), wire[11] == 1, int.from_bytes(wire[:2], "big"))


@cache
def _query(name: str, kind: Type) -> EncodedQuery:
    return encode(Question(name, kind), True, 0x1234)


def case(number: int) -> Case:
    """Return the case with this number, always the same."""
    rng = Random(number)
    if rng.random() < 0.1:
        found = rng.choice(_recorded())
        query, wire = found.query, found.wire
    else:
        query = _query(rng.choice(NAMES), rng.choice(tuple(TYPES)))
        wire = response(rng, query)
    return Case(query, changed(wire, rng) if rng.random() < 0.5 else wire)
