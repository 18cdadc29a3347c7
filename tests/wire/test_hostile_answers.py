"""Behaviours of tests.kit.dns.hostile.behaviours that are wrong in what they say, shown on the wire with plain sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import pytest
from dns.message import Message

from tests.kit.dns.hostile.questioner import RIGHT, Make, hostile_maker, read_frame, texts
from tests.kit.dns.nameserver import NameServer

SHOWN: set[str] = set()

Test = TypeVar("Test", bound=Callable[..., None])


def shows(*words: str) -> Callable[[Test], Test]:
    """Marks a test as the one that shows these words; test_hostile_travel holds that there is one for each."""
    SHOWN.update(words)
    return lambda test: test


@pytest.fixture(scope="module")
def running() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def hostile_with(running: NameServer) -> Iterator[Make]:
    with hostile_maker(running) as make:
        yield make


def types(response: Message) -> list[str]:
    return [dns.rdatatype.to_text(one.rdtype) for one in response.answer]


def owners(response: Message) -> list[str]:
    return [one.name.to_text() for one in response.answer]


# response codes

RCODES = {
    "RCODE 11": 11,
    "RCODE 0": 0,
    "FORMERR": 1,
    "SERVFAIL": 2,
    "NXDOMAIN": 3,
    "NOTIMP": 4,
    "REFUSED": 5,
    "YXDOMAIN": 6,
    "NOTAUTH": 9,
    "BADVERS": 16,
}


@shows(*(word.split()[0].lower() for word in RCODES))
@pytest.mark.parametrize(("behaviour", "code"), RCODES.items())
@pytest.mark.parametrize("edns", [False, True])
def test_response_codes(hostile_with: Make, behaviour: str, code: int, edns: bool) -> None:
    x = hostile_with(behaviour)
    for response in (x.udp(edns=edns), x.tcp()):
        assert (response.rcode(), response.answer) == (code, [])
        assert len(response.authority) == (1 if code == 3 else 0)
    assert x.tcp("MX").rcode() == code


@shows("nodata", "no-soa")
def test_negative_answers(hostile_with: Make) -> None:
    response = hostile_with("NODATA").udp()
    assert (response.rcode(), response.answer, len(response.authority)) == (0, [], 1)
    response = hostile_with("NO-SOA").udp(rdtype="AAAA")
    assert (response.rcode(), response.answer, response.authority) == (0, [], [])
    assert texts(hostile_with("NO-SOA").udp()) == RIGHT


@shows("servfail-ad", "servfail-ede")
def test_bogus_dnssec(hostile_with: Make) -> None:
    response = hostile_with("SERVFAIL-AD").udp()
    assert (response.rcode(), bool(response.flags & dns.flags.AD)) == (2, True)
    for behaviour, code in (("SERVFAIL-EDE", 6), ("SERVFAIL-EDE 22", 22)):
        x = hostile_with(behaviour)
        response = x.udp(edns=True)
        [option] = response.options
        assert isinstance(option, dns.edns.EDEOption)
        assert (response.rcode(), option.code) == (2, code)
        plain = x.udp()
        assert (plain.rcode(), plain.edns) == (2, -1)


@shows("edns-formerr", "edns-drop")
def test_servers_that_do_not_know_edns(hostile_with: Make) -> None:
    x = hostile_with("EDNS-FORMERR")
    response = x.udp(edns=True)
    assert (response.rcode(), response.edns) == (1, -1)
    assert texts(x.udp()) == RIGHT
    x = hostile_with("EDNS-DROP")
    assert x.now(edns=True) == []
    assert texts(x.udp()) == RIGHT


# answers that are no answer, and negative answers of all kinds


def authority(response: Message) -> list[str]:
    return [f"{one.name.to_text()} {dns.rdatatype.to_text(one.rdtype)}" for one in response.authority]


AUTHORITIES = {
    "REFERRAL root": (0, [". NS"]),
    "REFERRAL": (0, ["example. NS"]),
    "REFERRAL parent": (0, ["example. NS"]),
    "REFERRAL below": (0, ["x.example. NS"]),
    "REFERRAL elsewhere": (0, ["elsewhere.hx.example. NS"]),
    "PARENT-SOA": (0, ["example. SOA"]),
    "SOA-AND-NS": (0, ["example. SOA", "example. NS"]),
    "DELEGATED-SOA": (0, ["example. SOA", "x.example. NS"]),
    "OTHER-SOA": (0, ["elsewhere.hx.example. SOA"]),
    "NXDOMAIN-NS": (3, ["example. NS"]),
    "NXDOMAIN-OTHER-SOA": (3, ["elsewhere.hx.example. SOA"]),
}


@shows(*(each.split()[0].lower() for each in AUTHORITIES))
@pytest.mark.parametrize("behaviour", AUTHORITIES)
@pytest.mark.parametrize("rdtype", ["A", "PTR", "MX", "TXT"])
def test_authority(hostile_with: Make, behaviour: str, rdtype: str) -> None:
    response = hostile_with(behaviour).udp(rdtype=rdtype)
    code, records = AUTHORITIES[behaviour]
    assert (response.rcode(), response.answer, authority(response)) == (code, [], records)
    assert bool(response.additional) == behaviour.startswith("REFERRAL")


@shows("lame", "no-recursion", "additional-only")
def test_servers_that_are_of_no_use(hostile_with: Make) -> None:
    response = hostile_with("LAME").udp()
    assert (response.rcode(), response.answer, response.authority, response.additional) == (0, [], [], [])
    assert not response.flags & (dns.flags.AA | dns.flags.RA)
    response = hostile_with("NO-RECURSION").udp()
    assert (texts(response), bool(response.flags & dns.flags.RA)) == (RIGHT, False)
    response = hostile_with("ADDITIONAL-ONLY").udp()
    assert (response.answer, [each.to_text() for each in response.additional[0]]) == ([], RIGHT)


@shows("cname-ns", "cname-part", "cname-other-soa", "cname-nodata")
def test_aliases_with_authority(hostile_with: Make) -> None:
    alias = ["alias.x.example."]
    for behaviour, targets, records in (
        ("CNAME-NS", alias, ["x.example. NS"]),
        ("CNAME-PART", ["first.x.example.", *alias], ["x.example. NS"]),
        ("CNAME-OTHER-SOA", alias, ["elsewhere.hx.example. SOA"]),
        ("CNAME-NODATA", alias, ["x.example. SOA"]),
    ):
        x = hostile_with(behaviour)
        response = x.udp()
        assert (texts(response), authority(response)) == (targets, records)
        if behaviour != "CNAME-NODATA":
            assert texts(x.udp("alias.x.example")) == RIGHT


# other answers than asked for


@shows("wrong-question")
def test_wrong_question(hostile_with: Make) -> None:
    response = hostile_with("WRONG-QUESTION").udp()
    assert response.question[0].name.to_text() == "elsewhere.hx.example."
    assert (owners(response), texts(response)) == (["elsewhere.hx.example."], RIGHT)


@shows("no-question")
def test_no_question(hostile_with: Make) -> None:
    response = hostile_with("NO-QUESTION").udp()
    assert (response.question, texts(response)) == ([], RIGHT)


@shows("other-owner", "extra-owner")
def test_records_of_other_names(hostile_with: Make) -> None:
    response = hostile_with("OTHER-OWNER").udp()
    assert (owners(response), texts(response)) == (["elsewhere.hx.example."], RIGHT)
    assert response.question[0].name.to_text() == "x.example."
    response = hostile_with("EXTRA-OWNER").udp()
    assert owners(response) == ["x.example.", "elsewhere.hx.example."]
    assert texts(response) == [*RIGHT, "203.0.113.66"]
    assert [each.to_text() for each in response.additional[0]] == ["203.0.113.66"]


@shows("wrong-type")
def test_wrong_type(hostile_with: Make) -> None:
    x = hostile_with("WRONG-TYPE")
    assert types(x.udp()) == ["TXT"]
    assert types(x.udp(rdtype="PTR")) == types(x.udp(rdtype="TXT")) == ["A"]


@shows("wrong-class", "wrong-record-class")
def test_wrong_class(hostile_with: Make) -> None:
    response = hostile_with("WRONG-CLASS").udp()
    hesiod = dns.rdataclass.HS
    assert (response.question[0].rdclass, response.answer[0].rdclass) == (hesiod, hesiod)
    response = hostile_with("WRONG-RECORD-CLASS").udp(rdtype="PTR")
    assert (response.question[0].rdclass, response.answer[0].rdclass) == (dns.rdataclass.IN, hesiod)
    assert texts(response) == ["host.example."]


@shows("wrong-id", "wrong-case", "echo")
def test_octets_that_tell_the_answer_from_others(hostile_with: Make) -> None:
    x = hostile_with("WRONG-ID")
    wire = x.wire()
    assert wire[:2] != x.query.to_wire()[:2]
    assert texts(dns.message.from_wire(wire)) == RIGHT
    x = hostile_with("WRONG-CASE")
    wire = x.wire("X.exaMPLE")
    assert wire[12:].startswith(b"\x01x\x07EXAmple\0")
    assert texts(dns.message.from_wire(wire)) == RIGHT
    x = hostile_with("ECHO")
    assert x.wire() == x.query.to_wire()


@shows("ttl")
@pytest.mark.parametrize("seconds", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_times_to_live(hostile_with: Make, seconds: int) -> None:
    wire = hostile_with(f"TTL {seconds}").wire()
    record = b"\xc0\x0c\0\x01\0\x01" + seconds.to_bytes(4, "big") + b"\0\x04\xc0\0\x02"
    assert wire.count(record) == 2
    wire = hostile_with(f"AAAA!TTL {seconds}").wire(rdtype="AAAA")
    assert seconds.to_bytes(4, "big") + b"\0\x10\x20\x01\x0d\xb8" in wire


@shows("partial")
def test_truncated_with_records(hostile_with: Make) -> None:
    x = hostile_with("PARTIAL")
    response = x.udp()
    assert (bool(response.flags & dns.flags.TC), texts(response)) == (True, RIGHT)
    response = x.tcp()
    assert (bool(response.flags & dns.flags.TC), texts(response)) == (False, RIGHT)


@shows("reverse", "shuffle", "rotate")
def test_the_order_of_records(hostile_with: Make) -> None:
    assert texts(hostile_with("REVERSE").udp()) == RIGHT[::-1]
    x = hostile_with("ROTATE")
    assert [texts(x.udp()) for _ in range(3)] == [RIGHT[:1], RIGHT[1:], RIGHT[:1]]
    x = hostile_with("SHUFFLE 3")
    first = [texts(x.udp()) for _ in range(20)]
    x = hostile_with("SHUFFLE 3")
    assert [texts(x.udp()) for _ in range(20)] == first
    assert {tuple(each) for each in first} == {tuple(RIGHT), tuple(RIGHT[::-1])}


# aliases


@shows("cname-self")
def test_cname_self(hostile_with: Make) -> None:
    response = hostile_with("CNAME-SELF").udp()
    assert (owners(response), texts(response)) == (["x.example."], ["x.example."])


@shows("cname-loop", "cname-loop-full")
def test_cname_loop(hostile_with: Make) -> None:
    x = hostile_with("CNAME-LOOP")
    assert texts(x.udp()) == ["loop.x.example."]
    assert texts(x.udp("loop.x.example")) == ["x.example."]
    response = hostile_with("CNAME-LOOP-FULL").udp()
    assert owners(response) == ["x.example.", "loop.x.example."]
    assert texts(response) == ["loop.x.example.", "x.example."]


@shows("cname-chain")
@pytest.mark.parametrize("length", [1, 5, 16, 40])
def test_cname_chain(hostile_with: Make, length: int) -> None:
    response = hostile_with(f"CNAME-CHAIN {length}").tcp()
    assert types(response) == ["CNAME"] * length + ["A"]
    assert texts(response)[:-2] == owners(response)[1:]
    assert texts(response)[-2:] == RIGHT


@shows("cname-step")
def test_cname_step(hostile_with: Make) -> None:
    x = hostile_with("CNAME-STEP 3")
    name, names = "x.example.", []
    while types(response := x.udp(name)) == ["CNAME"]:
        [name] = texts(response)
        names.append(name)
    assert names == ["step2.x.example.", "step1.x.example.", "step0.x.example."]
    assert texts(response) == RIGHT


@shows("cname-silent", "cname-nxdomain")
def test_aliases_that_lead_to_nothing(hostile_with: Make) -> None:
    x = hostile_with("CNAME-SILENT")
    assert texts(x.udp()) == ["silent.x.example."]
    assert x.now("silent.x.example") == []
    response = hostile_with("CNAME-NXDOMAIN").udp()
    assert (response.rcode(), texts(response), len(response.authority)) == (3, ["gone.x.example."], 1)


@shows("via-dname")
def test_via_dname(hostile_with: Make) -> None:
    response = hostile_with("VIA-DNAME").udp()
    assert types(response) == ["DNAME", "CNAME", "A"]
    assert owners(response) == ["example.", "x.example.", "x.dn.hx.example."]


# odd content


@shows("huge")
@pytest.mark.parametrize(
    ("rdtype", "count", "text"),
    [
        ("PTR", 1000, "h999.hx.example."),
        ("PTR", 3000, "h2999.hx.example."),
        ("A", 3000, "10.0.11.183"),
        ("AAAA", 300, "2001:db8:0:1::12b"),
        ("TXT", 200, '"record 199"'),
        ("MX", 60, "59 mx59.hx.example."),
    ],
)
def test_huge(hostile_with: Make, rdtype: str, count: int, text: str) -> None:
    x = hostile_with(f"HUGE {count}")
    x.truncated()
    found = texts(x.tcp(rdtype))
    assert (len(found), found[-1]) == (count, text)


@shows("big-txt")
@pytest.mark.parametrize("octets", [10, 4000, 60000])
def test_big_txt(hostile_with: Make, octets: int) -> None:
    [record] = hostile_with(f"BIG-TXT {octets}").tcp("TXT").answer[0]
    text = b"".join(record.strings)
    assert (len(text), text[:10]) == (octets, b"v=spf1 ip4"[:octets])


TARGETS = {
    "TARGET localhost": b"\x09localhost\0",
    r"TARGET a\.b\010.nosuchtld": b"\x04a.b\n\x09nosuchtld\0",
    "TARGET-BYTES 0d0a42636320": b"\x06\r\nBcc \x02hx\x07example\0",
    "TARGET-BYTES 00": b"\x01\0\x02hx\x07example\0",
    "TARGET-BYTES 80ff": b"\x02\x80\xff\x02hx\x07example\0",
    "TARGET-LONG": (b"\x3f" + b"a" * 63) * 3 + b"\x32" + b"b" * 50 + b"\x02hx\x07example\0",
    "TARGET-ROOT": b"\0",
    "TARGET-ADDRESS": b"\x03192\x010\x012\x011\0",
}


@shows(*(each.split()[0].lower() for each in TARGETS))
@pytest.mark.parametrize(("behaviour", "name"), TARGETS.items())
def test_targets(hostile_with: Make, behaviour: str, name: bytes) -> None:
    x = hostile_with(behaviour)
    for rdtype, prefix in (("PTR", b""), ("MX", b"\0\0")):
        [record] = x.udp(rdtype=rdtype).answer[0]
        assert record.to_wire() == prefix + name
    assert texts(x.udp()) == RIGHT


def test_the_longest_name_has_255_octets() -> None:
    assert len(TARGETS["TARGET-LONG"]) == 255


# not DNS

UNREADABLE = ["COMP-LOOP", "COMP-FORWARD", "COMP-RDATA", "BAD-RDLENGTH", "BAD-RDLENGTH 0", "BAD-RDLENGTH 3"]
UNREADABLE += ["BAD-LABEL", "BAD-COUNTS", "TRAILING", "TRAILING 1", "GARBAGE", "GARBAGE 1200", "EMPTY", "SHORT"]


@shows(*(each.split()[0].lower() for each in UNREADABLE))
@pytest.mark.parametrize("behaviour", UNREADABLE)
@pytest.mark.parametrize("rdtype", ["A", "PTR", "MX"])
def test_what_cannot_be_read(hostile_with: Make, behaviour: str, rdtype: str) -> None:
    x = hostile_with(behaviour)
    wire = x.wire(rdtype=rdtype)
    assert wire[:2] in (x.query.to_wire()[:2], b"")
    with pytest.raises((dns.exception.DNSException, ValueError)):
        dns.message.from_wire(wire)
    with x.connection(rdtype) as connection:
        framed = read_frame(connection)
    assert (len(framed), framed[2:]) == (len(wire), wire[2:])


@pytest.mark.parametrize(
    ("behaviour", "part"),
    [
        ("COMP-LOOP", b"\xc0\x1b\0\x01\0\x01"),
        ("COMP-FORWARD", b"\xc0\x27\0\x01\0\x01"),
        ("COMP-RDATA", b"\0\x02\xc0\x27"),
        ("BAD-RDLENGTH 77", b"\0\x4d\xc0\0\x02\x01"),
        ("BAD-LABEL", b"\x81a\0\0\x01\0\x01"),
        ("BAD-COUNTS", b"\0\x01\0\x07\0\0\0\0"),
    ],
)
def test_the_octets_that_are_wrong(hostile_with: Make, behaviour: str, part: bytes) -> None:
    assert part in hostile_with(behaviour).wire()


@pytest.mark.parametrize("octets", [0, 1, 2, 12, 500])
def test_the_length_of_garbage(hostile_with: Make, octets: int) -> None:
    assert len(hostile_with(f"GARBAGE {octets}").wire()) == octets


@shows("mutate")
def test_mutate(hostile_with: Make) -> None:
    right = hostile_with("TTL 300").wire()
    runs = []
    for seed in (1, 1, 2):
        x = hostile_with(f"MUTATE {seed}")
        runs.append([x.wire()[2:] for _ in range(20)])
        assert {len(wire) for wire in runs[-1]} == {len(right) - 2}
    assert runs[0] == runs[1] != runs[2]
    assert len(set(runs[0])) == 20
    for wire in runs[0]:
        assert 1 <= sum((a ^ b).bit_count() for a, b in zip(wire, right[2:], strict=True)) <= 16
