"""What an answer says, octets as they come: the short way through a plain answer must say what dnspython's own says."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from rdns_milter.lookup import Question
from rdns_milter.message import Reading, decode, encode

NAME = "a.example."


def said(
    *records: tuple[str, ...], rcode: dns.rcode.Rcode = dns.rcode.NOERROR, over_tcp: bool = False, flags: int = 0
) -> Reading | None:
    """What is read of an answer to the question for the address of `NAME`, with these records."""
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


def test_a_name_that_is_not_there_has_no_address() -> None:
    """NXDOMAIN, and yet a record: an answer that contradicts itself is none."""
    assert said((NAME, "60", "A", "192.0.2.1"), rcode=dns.rcode.NXDOMAIN) == Reading("error")


def test_what_was_cut_is_asked_again() -> None:
    found = said((NAME, "60", "A", "192.0.2.1"), flags=dns.flags.TC)
    assert found is not None
    assert found.truncated
    assert found.values == ()
