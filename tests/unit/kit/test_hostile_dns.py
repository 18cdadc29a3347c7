"""Smoke test of the tests' badly behaved answers: each behaviour sends something else than the right answer.

What resolver and milter make of each of them: tests/wire/test_hostile_dns.py. A behaviour that did nothing would go unnoticed there
where the milter has to find the right answer in spite of it; these are looked at one by one.
"""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import pytest
from dns.message import Message

from tests.kit.dns.hostile import behaviours
from tests.kit.dns.message import Ask, Send, Source
from tests.kit.dns.zone import Zone

RECORDS = """
x.example A 192.0.2.1
x.example A 192.0.2.2
x.example PTR host.example
x.example MX 10 host.example
x.example TXT text
"""
RIGHT = ["192.0.2.1", "192.0.2.2"]
FORGED = ["203.0.113.66"]
ARGUMENTS = {"delay": "0.01", "rcode": "11", "target": "t.example", "target-bytes": "ff", "ttl": "4294967295"}
TYPES = ("A", "AAAA", "PTR", "MX", "TXT")


def sends(word: str, rdtype: str = "A", *, tcp: bool = False, edns: bool = False, nth: int = 0) -> list[Send]:
    """Return what is sent for a question about a name with this behaviour; "": with none."""
    zone = Zone(RECORDS, f"x.example {word} {ARGUMENTS.get(word, '')}" if word else "")
    query = dns.message.make_query("x.example", rdtype, use_edns=edns, id=1)
    found = zone.lookup("x.example", rdtype)
    return behaviours.apply(found.behaviours, Ask(query.to_wire(), query, found, tcp, nth))


def read(send: Send) -> Message:
    return dns.message.from_wire(send.data)


def values(message: Message) -> list[str]:
    return [each.to_text() for rrset in message.answer for each in rrset]


@pytest.mark.parametrize("word", behaviours.BEHAVIOURS)
def test_each_behaviour_differs_from_the_right_answer(word: str) -> None:
    assert any(
        sends(word, rdtype, edns=edns, nth=nth) != sends("", rdtype, edns=edns)
        for rdtype in TYPES
        for edns in (False, True)
        for nth in range(3)
    )


@pytest.mark.parametrize("word", ["flap", "lost"])
def test_only_the_first_query_fails(word: str) -> None:
    first, second = (sends(word, nth=nth) for nth in range(2))
    assert [read(send).rcode() for send in first] == ([dns.rcode.SERVFAIL] if word == "flap" else [])
    assert second == sends("")


@pytest.mark.parametrize(
    ("word", "source", "same_id"),
    [
        ("spoof-then-right", Source.PORT, True),
        ("guess-then-right", Source.SAME, False),
    ],
)
def test_a_forged_answer_precedes_the_right_one(word: str, source: Source, same_id: bool) -> None:
    forged, right = sends(word)
    assert (values(read(forged)), forged.source, read(forged).id == 1) == (FORGED, source, same_id)
    assert (values(read(right)), right.source, read(right).id) == (RIGHT, Source.SAME, 1)
    assert forged.after < right.after


def test_forged_records_stand_beside_the_right_ones() -> None:
    (send,) = sends("extra-owner")
    assert values(read(send)) == [*RIGHT, *FORGED]
    assert {rrset.name.to_text() for rrset in read(send).answer} == {"x.example.", "elsewhere.hx.example."}


@pytest.mark.parametrize(("word", "answer"), [("truncate", []), ("partial", RIGHT)])
def test_truncated_answers(word: str, answer: list[str]) -> None:
    (send,) = sends(word)
    assert (bool(read(send).flags & dns.flags.TC), values(read(send))) == (True, answer)
    assert sends(word, tcp=True) == sends("", tcp=True)


@pytest.mark.parametrize(("word", "codes"), [("edns-formerr", [1]), ("edns-drop", [])])
def test_servers_that_do_not_know_edns(word: str, codes: list[int]) -> None:
    assert [read(send).rcode() for send in sends(word, edns=True)] == codes
    assert sends(word) == sends("")


@pytest.mark.parametrize(
    ("word", "targets"),
    [
        ("cname-step", ["step4.x.example."]),
        ("cname-ns", ["alias.x.example."]),
        ("cname-part", ["first.x.example.", "alias.x.example."]),
        ("cname-other-soa", ["alias.x.example."]),
        ("cname-silent", ["silent.x.example."]),
        ("cname-nxdomain", ["gone.x.example."]),
    ],
)
def test_aliases_without_their_target(word: str, targets: list[str]) -> None:
    (send,) = sends(word)
    assert values(read(send)) == targets


def test_the_octets_that_are_wrong() -> None:
    for word, part in (
        ("comp-loop", b"\xc0\x1b\0\x01\0\x01"),
        ("comp-forward", b"\xc0\x27\0\x01\0\x01"),
        ("bad-rdlength", b"\0\xc8\xc0\0\x02\x01"),
        ("bad-label", b"\x81a\0\0\x01\0\x01"),
        ("bad-counts", b"\0\x01\0\x07\0\0\0\0"),
        ("ttl", b"\xff\xff\xff\xff\0\x04\xc0\0\x02\x01"),
        ("wrong-case", b"\x01X\x07EXAMPLE"),
    ):
        (send,) = sends(word)
        assert part in send.data, word
    (longest,) = sends("target-long", "PTR")
    (record,) = read(longest).answer[0]
    assert len(record.to_wire()) == 255
