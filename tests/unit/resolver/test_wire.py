"""Decoding of responses from their bytes."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from rdns_milter.resolver.lookup import Question
from rdns_milter.resolver.reading import Reading
from rdns_milter.resolver.wire import decode, encode

NAME = "a.example."


def said(
    *records: tuple[str, ...], rcode: dns.rcode.Rcode = dns.rcode.NOERROR, over_tcp: bool = False, flags: int = 0
) -> Reading | None:
    """Return the decoded response with these records to the question for the address of `NAME`."""
    query = encode(Question(NAME.rstrip("."), "A"), True, 1)
    answer = dns.message.make_response(query.message)
    answer.set_rcode(rcode)
    answer.flags |= flags
    for owner, ttl, kind, *values in records:
        answer.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, *values))
    return decode(answer.to_wire(), query, over_tcp)


@pytest.mark.parametrize(
    ("records", "reading"),
    [
        ([(NAME, "60", "A", "192.0.2.1", "192.0.2.2")], Reading("ok", ("192.0.2.1", "192.0.2.2"), 60.0)),
        ([("A.EXAMPLE.", "60", "A", "192.0.2.1")], Reading("ok", ("192.0.2.1",), 60.0)),
        (
            [(NAME, "60", "CNAME", "b.example."), ("b.example.", "30", "A", "192.0.2.1")],
            Reading("ok", ("192.0.2.1",), 30.0),
        ),
        ([(NAME, "60", "AAAA", "2001:db8::1")], None),
        ([("other.example.", "60", "A", "192.0.2.1")], None),
    ],
    ids=["plain", "in capitals", "by a CNAME", "of another type", "of another owner"],
)
def test_answers(records: list[tuple[str, ...]], reading: Reading | None) -> None:
    found = said(*records)
    assert found is not None
    if reading is None:
        assert found.status != "ok"
        assert found.values == ()
    else:
        assert found == reading


def test_nxdomain_with_a_record_is_an_error() -> None:
    """NXDOMAIN with a record contradicts itself."""
    assert said((NAME, "60", "A", "192.0.2.1"), rcode=dns.rcode.NXDOMAIN) == Reading("error")


def test_a_truncated_response_is_asked_again() -> None:
    found = said((NAME, "60", "A", "192.0.2.1"), flags=dns.flags.TC)
    assert found is not None
    assert found.truncated
    assert found.values == ()


SOA = "ns.hx.example. hostmaster.hx.example. 1 3600 600 86400 77"
Record = tuple[str, str, str]


def read(
    answer: list[Record], authority: list[Record], additional: list[Record], name: str, flags: int
) -> Reading | None:
    """Return the decoded response with these sections (owner, type, data) to the question for the address of this name."""
    query = encode(Question(name, "A"), True, 1)
    message = dns.message.make_response(query.message)
    message.flags |= flags
    sections = ((message.answer, answer), (message.authority, authority), (message.additional, additional))
    for section, records in sections:
        section.extend(dns.rrset.from_text(owner, 60, "IN", kind, data) for owner, kind, data in records)
    return decode(message.to_wire(), query, False)


AA, RA = int(dns.flags.AA), int(dns.flags.RA)
NS_ = "ns.hx.example."
# The sections of a response about a.b.example, the flags, and the expected reading.
SECTIONS: dict[str, tuple[list[Record], list[Record], list[Record], int, Reading]] = {
    "a referral to the root": ([], [(".", "NS", NS_)], [(NS_, "A", "192.0.2.53")], RA, Reading("referral", (), 60.0)),
    "a referral to the parent": ([], [("b.example.", "NS", NS_)], [], 0, Reading("referral", (), 60.0)),
    "a referral to the name itself": ([], [("A.b.EXAMPLE.", "NS", NS_)], [], RA, Reading("referral", (), 60.0)),
    "the zone's SOA": ([], [("b.example.", "SOA", SOA)], [], 0, Reading("nodata", (), 60.0)),
    "the SOA of the top": ([], [("example.", "SOA", SOA), ("example.", "NS", NS_)], [], RA, Reading("nodata", (), 60.0)),
    "the SOA of a neighbour": ([], [("c.example.", "SOA", SOA)], [], RA, Reading("error")),
    "the SOA of a name below": ([], [("x.a.b.example.", "SOA", SOA)], [], RA, Reading("error")),
    "nothing, by a resolver": ([], [], [], RA, Reading("nodata")),
    "nothing, by the zone's server": ([], [], [], AA, Reading("nodata")),
    "nothing, by anybody": ([], [], [], 0, Reading("lame")),
    "in additional alone": ([], [], [("a.b.example.", "A", "192.0.2.1")], RA, Reading("error")),
    "a policy zone's SOA in additional": ([], [], [("rpz.local.", "SOA", SOA)], RA, Reading("nodata")),
    "an alias and NS": (
        [("a.b.example.", "CNAME", "x.c.example.")], [("c.example.", "NS", NS_)], [], RA,
        Reading("nodata", (), 60.0, chase="x.c.example"),
    ),
    "an alias, SOA of its target's zone": (
        [("a.b.example.", "CNAME", "x.c.example.")], [("c.example.", "SOA", SOA)], [], RA, Reading("nodata", (), 60.0),
    ),
    "an alias, SOA of its own zone only": (
        [("a.b.example.", "CNAME", "x.c.example.")], [("b.example.", "SOA", SOA)], [], RA,
        Reading("nodata", (), 60.0, chase="x.c.example"),
    ),
    "two links of a chain": (
        [("a.b.example.", "CNAME", "x.c.example."), ("x.c.example.", "CNAME", "y.d.example.")],
        [("d.example.", "NS", NS_)], [], RA, Reading("nodata", (), 60.0, chase="y.d.example"),
    ),
    "a DNAME alone": (
        [("b.example.", "DNAME", "c.example.")], [], [], RA, Reading("nodata", (), chase="a.c.example"),
    ),
    "a DNAME of another name": ([("c.example.", "DNAME", "d.example.")], [], [], RA, Reading("nodata")),
    "an alias with octets": (
        [("a.b.example.", "CNAME", "\\255\\(.C.example.")], [], [], RA, Reading("nodata", (), 60.0, chase="\xff(.c.example"),
    ),
    "an alias with a dot in a label": ([("a.b.example.", "CNAME", "x\\.y.example.")], [], [], RA, Reading("error")),
}  # fmt: skip


@pytest.mark.parametrize("case", SECTIONS.values(), ids=SECTIONS)
def test_answers_without_the_record(case: tuple[list[Record], list[Record], list[Record], int, Reading]) -> None:
    answer, authority, additional, flags, wanted = case
    found = read(answer, authority, additional, "a.b.example", flags)
    assert found is not None
    assert (found.status, found.values, found.chase) == (wanted.status, wanted.values, wanted.chase)


def test_a_dname_may_make_a_name_too_long() -> None:
    """RFC 6672 2.2: a server answers YXDOMAIN."""
    name = ".".join(["a" * 60] * 3)
    target = ".".join(["b" * 60] * 3) + "."
    assert read([("a" * 60 + ".", "DNAME", target)], [], [], name, RA) == Reading("error")
