"""The reader of plain answers gives the same result as dnspython, or none: with random, changed and recorded messages, and with a
table.

`python -m tests.kit.dns.answers.plain_answers` compares many millions.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

import dns.rdatatype
import pytest

from rdns_milter.resolver.lookup import Question, Type
from rdns_milter.resolver.plain_answer import read
from rdns_milter.resolver.reading import MAX_VALUES, Reading
from rdns_milter.resolver.wire import EncodedQuery, decode, decode_any, encode
from tests.kit.dns.answers.plain_answers import NOT_PLAIN, compare, compared
from tests.kit.dns.answers.random_answers import Case, query_of
from tests.kit.dns.answers.recorded_answers import recorded

CASES, CHUNK = 100_000, 5_000
TO_QUESTION = b"\xc0\x0c"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
A, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 5, 6, 12, 15, 16, 28
NUMBERS = struct.pack("!5I", 1, 7200, 3600, 86400, 300)
NAME = "mail.example.com"  # "example" begins at 17, records at 34
ZONE, RECORDS = b"\xc0\x11", 34
DATA = RECORDS + 12
SOA_DATA = b"\2ns" + ZONE + b"\4host" + ZONE + NUMBERS


@pytest.mark.parametrize("first", range(0, CASES, CHUNK))
def test_random_messages(first: int) -> None:
    counted, disagreements = compare(range(first, first + CHUNK))
    assert not disagreements, "\n".join(disagreements[:5])
    assert min(counted[status] for status in ("ok", "nodata", "nxdomain", NOT_PLAIN)) > CHUNK // 50


def test_ordinary_answers_of_resolvers_are_plain() -> None:
    """All except BIND's answers for MX, which have the addresses of the hosts in the additional section."""
    others: Counter[tuple[str, str]] = Counter()
    for each in recorded():
        status, disagreement = compared(Case(query_of(each.query), each.answer))
        assert not disagreement
        if status == NOT_PLAIN:
            others[each.resolver, dns.rdatatype.to_text(query_of(each.query).message.question[0].rdtype)] += 1
    assert others.keys() == {("bind", "MX")}
    assert sum(others.values()) <= len(recorded()) // 100


def record(
    kind: int, data: bytes, owner: bytes = TO_QUESTION, ttl: int = 60, rdclass: int = 1, length: int = -1
) -> bytes:
    """Return a record."""
    return owner + struct.pack("!HHIH", kind, rdclass, ttl, len(data) if length < 0 else length) + data


def query(kind: Type, name: str = NAME) -> EncodedQuery:
    """Return a query for records of this type."""
    return encode(Question(name, kind), True, 0x1234)


def message(
    asked: EncodedQuery, *answers: bytes, authority: tuple[bytes, ...] = (), flags: int = 0x8180, opt: bytes = OPT
) -> bytes:
    """Return a response."""
    head = struct.pack("!6H", asked.ident, flags, 1, len(answers), len(authority), bool(opt))
    return b"".join((head, asked.question, *answers, *authority, opt))


ADDRESS, SECOND = record(A, b"\xc0\0\2\1"), record(A, b"\xc0\0\2\2", ttl=30)
ALIAS = record(CNAME, b"\3www" + ZONE, ttl=50)
DENIAL = record(SOA, SOA_DATA, owner=ZONE)
BEHIND = b"\xc0" + bytes((DATA,))  # a pointer to the target of ALIAS
PLAIN: dict[str, tuple[Type, bytes, Reading]] = {
    "an address": ("A", message(query("A"), ADDRESS), Reading("ok", ("192.0.2.1",), 60.0)),
    "without OPT": ("A", message(query("A"), ADDRESS, opt=b""), Reading("ok", ("192.0.2.1",), 60.0)),
    "addresses": ("A", message(query("A"), SECOND, ADDRESS), Reading("ok", ("192.0.2.1", "192.0.2.2"), 30.0)),
    "an address twice": ("A", message(query("A"), ADDRESS, ADDRESS), Reading("ok", ("192.0.2.1",), 60.0)),
    "an IPv6 address": (
        "AAAA", message(query("AAAA"), record(AAAA, b"\x20\1\x0d\xb8" + bytes(10) + b"\0\1")),
        Reading("ok", ("2001:db8::1",), 60.0),
    ),
    "an IPv6 address with one group of zeros": (
        "AAAA", message(query("AAAA"), record(AAAA, b"\x20\1\x0d\xb8\0\0" + b"\0\1" * 5)),
        Reading("ok", ("2001:db8:0:1:1:1:1:1",), 60.0),
    ),
    "hosts": (
        "MX", message(query("MX"), record(MX, b"\0\x14\2MX" + ZONE), record(MX, b"\0\0\0")),
        Reading("ok", ((0, ""), (20, "mx.example.com")), 60.0),
    ),
    "texts": (
        "TXT", message(query("TXT"), record(TXT, b"\3abc\2de"), record(TXT, b"\0")), Reading("ok", (b"", b"abcde"), 60.0),
    ),
    "a name": ("PTR", message(query("PTR"), record(PTR, b"\1X\3com\0")), Reading("ok", ("x.com",), 60.0)),
    "an address behind an alias": (
        "A", message(query("A"), ALIAS, record(A, b"\xc0\0\2\1", owner=BEHIND)), Reading("ok", ("192.0.2.1",), 50.0),
    ),
    "an alias that is a pointer": (
        "A", message(query("A"), record(CNAME, ZONE), record(A, b"\xc0\0\2\1", owner=ZONE)), Reading("ok", ("192.0.2.1",), 60.0),
    ),
    "no such type": ("A", message(query("A"), authority=(DENIAL,)), Reading("nodata", ttl=60.0)),
    "no such type, by the minimum": (
        "A", message(query("A"), authority=(record(SOA, SOA_DATA, owner=ZONE, ttl=301),)), Reading("nodata", ttl=300.0),
    ),
    "no such type, by the root": (
        "A", message(query("A"), authority=(record(SOA, SOA_DATA, owner=b"\0"),)), Reading("nodata", ttl=60.0),
    ),
    "no such name": ("A", message(query("A"), authority=(DENIAL,), flags=0x8583), Reading("nxdomain", ttl=60.0)),
    "an alias to no such name": ("A", message(query("A"), ALIAS, authority=(DENIAL,), flags=0x8183), Reading("nxdomain", ttl=50.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN.values(), ids=PLAIN)
def test_plain(case: tuple[Type, bytes, Reading]) -> None:
    kind, wire, wanted = case
    asked = query(kind)
    assert read(wire, asked.ident, asked.question) == wanted
    assert decode(wire, asked, over_tcp=False) == wanted
    assert decode_any(wire, asked, over_tcp=False) == wanted
    shorter = [wire[:size] for size in range(len(wire))]
    assert all(read(part, asked.ident, asked.question) is None for part in (*shorter, wire + b"\0"))


def pointers(count: int) -> Iterator[bytes]:
    """Return PTR records with compression pointers: the first to the question's name, each other one to the name in the record
    before it."""
    for at in range(count):
        yield record(PTR, struct.pack("!H", 0xC000 | (DATA + 14 * (at - 1) if at else 12)))


# A name of 192 bytes. Its last bytes point to the low byte of its own length, which is then read as half of a pointer.
INTO_LENGTH = b"".join(bytes((size,)) + b"a" * size for size in (17, 63, 63, 43)) + b"\xc0" + bytes((DATA - 1,))
# The first name of a SOA points to the low byte of the TTL, which is then read as the length of a label that ends in the numbers.
INTO_TTL = b"\xc0" + bytes((DATA - 3,)) + b"\0" + struct.pack("!5I", 1, 0, 0, 0, 300)
LONG = ".".join(["l" * 63] * 3 + ["k" * 60])  # 254 bytes on the wire
OTHERS: dict[str, tuple[EncodedQuery, bytes]] = {
    "another id": (query("A"), b"\0\0" + message(query("A"), ADDRESS)[2:]),
    "a query": (query("A"), message(query("A"), ADDRESS, flags=0x0100)),
    "another opcode": (query("A"), message(query("A"), ADDRESS, flags=0x8980)),
    "cut off": (query("A"), message(query("A"), ADDRESS, flags=0x8380)),
    "SERVFAIL": (query("A"), message(query("A"), flags=0x8182)),
    "NXDOMAIN, and an address": (query("A"), message(query("A"), ADDRESS, flags=0x8183)),
    "NXDOMAIN, an alias and an address": (
        query("A"), message(query("A"), ALIAS, record(A, b"\xc0\0\2\1", owner=BEHIND), flags=0x8183),
    ),
    "another question": (query("A"), message(query("A", "Mail.example.com"), ADDRESS)),
    "another question's type": (query("A"), message(query("AAAA"), ADDRESS)),
    "nothing": (query("A"), message(query("A"))),
    "another class": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1", rdclass=3))),
    "another owner": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1", owner=ZONE))),
    "the owner written out": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1", owner=query("A").question[:-4]))),
    "another type": (query("A"), message(query("A"), record(AAAA, bytes(16)))),
    "a TTL of more than 31 bits": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1", ttl=1 << 31))),
    "five bytes of an address": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1\0"))),
    "17 bytes of an IPv6 address": (query("AAAA"), message(query("AAAA"), record(AAAA, b"\x20" + bytes(16)))),
    "an IPv6 address with IPv4 in it": (query("AAAA"), message(query("AAAA"), record(AAAA, bytes(10) + b"\xff" * 6))),
    "no text": (query("TXT"), message(query("TXT"), record(TXT, b""))),
    "a text longer than its record": (query("TXT"), message(query("TXT"), record(TXT, b"\4abc"), record(TXT, b"\1a"))),
    "data longer than the message": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1", length=20))),
    "data up to the OPT": (query("TXT"), message(query("TXT"), record(TXT, b"\x0e\0\0\0", length=15))),
    "a name with an escaped letter": (query("PTR"), message(query("PTR"), record(PTR, b"\3a.b" + ZONE))),
    "a name with a byte behind it": (query("PTR"), message(query("PTR"), record(PTR, b"\1a" + ZONE + b"\0"))),
    "a name without an end": (query("PTR"), message(query("PTR"), record(PTR, b"\1a"))),
    "a pointer cut in half": (query("PTR"), message(query("PTR"), record(PTR, b"\1a\xc0"), record(PTR, b"\1a" + ZONE))),
    "a pointer to itself": (query("PTR"), message(query("PTR"), record(PTR, b"\xc0" + bytes((DATA,))))),
    "a pointer forwards": (query("PTR"), message(query("PTR"), record(PTR, b"\xc0" + bytes((DATA + 2,))))),
    "a pointer into the header": (query("PTR"), message(query("PTR"), record(PTR, b"\xc0\x04"))),
    "a pointer of which the name itself is a part": (query("PTR"), message(query("PTR"), record(PTR, INTO_LENGTH))),
    "a pointer to a label that goes on behind it": (
        query("A"), message(query("A"), authority=(record(SOA, INTO_TTL, owner=ZONE, ttl=12),)),
    ),
    "a label of type 01": (query("PTR"), message(query("PTR"), record(PTR, b"\x41" + b"a" * 65 + b"\0"))),
    "a name of 256 bytes": (query("PTR", LONG), message(query("PTR", LONG), record(PTR, b"\1a" + TO_QUESTION))),
    "a chain of pointers": (query("PTR"), message(query("PTR"), *pointers(20))),
    "an alias to itself": (
        query("A"), message(query("A"), record(CNAME, b"\4MAIL" + ZONE), record(A, b"\xc0\0\2\1", owner=BEHIND)),
    ),
    "an alias and an address beside it": (query("A"), message(query("A"), ALIAS, ADDRESS)),
    "an alias behind the address": (query("A"), message(query("A"), record(A, b"\xc0\0\2\1", owner=BEHIND), ALIAS)),
    "an alias to nothing": (query("A"), message(query("A"), ALIAS)),
    "an alias with a TTL of more than 31 bits": (
        query("A"), message(query("A"), record(CNAME, ZONE, ttl=1 << 31), record(A, b"\xc0\0\2\1", owner=ZONE)),
    ),
    "the SOA of another zone": (query("A"), message(query("A"), authority=(record(SOA, SOA_DATA, owner=b"\3org\0"),))),
    "the SOA of a zone below": (query("A"), message(query("A"), authority=(record(SOA, SOA_DATA, owner=b"\1x" + TO_QUESTION),))),
    "a SOA whose zone is a part of a label": (
        query("A", "x\7example"), message(query("A", "x\7example"), authority=(record(SOA, b"\0\0" + NUMBERS, owner=b"\xc0\x0e"),)),
    ),
    "a SOA of another class": (query("A"), message(query("A"), authority=(record(SOA, SOA_DATA, owner=ZONE, rdclass=3),))),
    "two SOAs": (query("A"), message(query("A"), authority=(DENIAL, DENIAL))),
    "a SOA and NS": (query("A"), message(query("A"), authority=(DENIAL, record(2, ZONE, owner=ZONE)))),
    "a SOA beside the address": (query("A"), message(query("A"), ADDRESS, authority=(DENIAL,))),
    "a SOA beside an alias and its address": (
        query("A"), message(query("A"), ALIAS, record(A, b"\xc0\0\2\1", owner=BEHIND), authority=(DENIAL,)),
    ),
    "a SOA with a byte too many": (query("A"), message(query("A"), authority=(record(SOA, SOA_DATA + b"\0", owner=ZONE),))),
    "a SOA with a number too large": (
        query("A"), message(query("A"), authority=(record(SOA, SOA_DATA[:-4] + b"\xff\xff\xff\xff", owner=ZONE),)),
    ),
    "an OPT with an option": (query("A"), message(query("A"), ADDRESS, opt=OPT[:-1] + b"\6\0\x0f\0\2\0\6")),
    "an OPT with an extended code": (query("A"), message(query("A"), ADDRESS, opt=OPT[:5] + b"\1" + OPT[6:])),
    "another record than OPT": (query("A"), message(query("A"), ADDRESS, opt=SECOND)),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS.values(), ids=OTHERS)
def test_not_plain(case: tuple[EncodedQuery, bytes]) -> None:
    asked, wire = case
    assert read(wire, asked.ident, asked.question) is None
    assert decode(wire, asked, over_tcp=False) == decode_any(wire, asked, over_tcp=False)


def test_at_most_max_values_are_kept() -> None:
    asked = query("A")
    records = [record(A, struct.pack("!I", number)) for number in range(MAX_VALUES + 1)]
    found = read(message(asked, *records), asked.ident, asked.question)
    assert found is not None
    assert len(found.values) == MAX_VALUES
    assert found == decode_any(message(asked, *records), asked, over_tcp=True)


def test_a_negative_answer_about_a_name_with_any_byte() -> None:
    asked = query("A", "a(b=c\xff._spf.example.com")
    wire = message(asked, authority=(record(SOA, b"\0\0" + NUMBERS, owner=b"\7EXAMPLE\3com\0"),))
    assert (
        read(wire, asked.ident, asked.question)
        == Reading("nodata", ttl=60.0)
        == decode_any(wire, asked, over_tcp=False)
    )
