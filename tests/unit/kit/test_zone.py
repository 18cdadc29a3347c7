"""What tests.kit.dns.zone says to a question, and how a zone is written."""

from __future__ import annotations

import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from tests.kit.data.spf.suite_zone import Item
from tests.kit.dns.entries import Behaviour, Found
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_text import Listing

ZONE = Zone(
    r"""
    ; a comment, then a blank line

    $TTL 60
    mail.example.com        A     192.0.2.1
    Mail.Example.com.   5   AAAA  2001:db8::1       ; with a TTL
    192.0.2.1               PTR   mail.example.com
    192.0.2.2               IN PTR mail.example.com
    2001:db8::1             PTR   mail.example.com.
    example.com             MX    10 mail.example.com
    example.com             TXT   v=spf1 mx  -all   ; one string
    quoted.example.com      TXT   "v=spf1 " "a;b \"c\" \001"
    deep.ent.example.com    A     192.0.2.3
    odd\010\032name\.x.example.com A 192.0.2.4
    raw.example.com         PTR   a\000\;\(b.example.com
    *.wild.example.com      A     192.0.2.5
    *.wild.example.com      TXT!SILENT
    real.wild.example.com   TXT   here
    sub.ent2.wild.example.com A   192.0.2.6
    alias.example.com       CNAME mail.example.com
    alias2.example.com      CNAME alias.example.com
    gone.example.com        CNAME nowhere.example.com
    me.example.com          CNAME me.example.com
    ping.example.com        CNAME pong.example.com
    pong.example.com        CNAME ping.example.com
    old.example.com         DNAME example.com
    zone.example        90  SOA   ns.zone.example host.zone.example 1 2 3 4 30
    192.0.2.9               PTR!SILENT
    192.0.2.9               TXT   works
    dead.example.com        servfail
    dead.example.com        A 192.0.2.7
    todead.example.com      CNAME dead.example.com
    slow.example.com        A!DELAY 1.5
    slow.example.com        A!FLAP
    """
)


def data(found: Found) -> list[str]:
    return [each.to_text() for one in found.answer for each in one]


@pytest.mark.parametrize(
    ("name", "rdtype", "answer"),
    [
        ("mail.example.com", "A", ["192.0.2.1"]),
        ("MAIL.example.COM.", "AAAA", ["2001:db8::1"]),
        ("192.0.2.1", "PTR", ["mail.example.com."]),
        ("1.2.0.192.in-addr.arpa", "PTR", ["mail.example.com."]),
        ("192.0.2.2", "PTR", ["mail.example.com."]),
        ("2001:db8::1", "PTR", ["mail.example.com."]),
        ("example.com", "MX", ["10 mail.example.com."]),
        ("example.com", "TXT", ['"v=spf1 mx  -all"']),
        ("quoted.example.com", "TXT", [r'"v=spf1 " "a;b \"c\" \001"']),
        (r"odd\010\032name\.x.example.com", "A", ["192.0.2.4"]),
        ("raw.example.com", "PTR", [r"a\000\;\(b.example.com."]),
        ("any.wild.example.com", "A", ["192.0.2.5"]),
        ("two.labels.wild.example.com", "A", ["192.0.2.5"]),
        ("*.wild.example.com", "A", ["192.0.2.5"]),
        ("alias.example.com", "A", ["mail.example.com.", "192.0.2.1"]),
        ("alias2.example.com", "A", ["alias.example.com.", "mail.example.com.", "192.0.2.1"]),
        ("alias2.example.com", "CNAME", ["alias.example.com."]),
        ("mail.old.example.com", "A", ["example.com.", "mail.example.com.", "192.0.2.1"]),
        ("192.0.2.9", "TXT", ['"works"']),
        ("mail.example.com", "ANY", ["192.0.2.1", "2001:db8::1"]),
    ],
)
def test_an_answer(name: str, rdtype: str, answer: list[str]) -> None:
    found = ZONE.lookup(name, rdtype)
    assert data(found) == answer
    assert (found.rcode, found.nodata, found.authority) == (dns.rcode.NOERROR, False, ())


@pytest.mark.parametrize(
    ("name", "rdtype", "nxdomain"),
    [
        ("nowhere.example.com", "A", True),
        ("x.mail.example.com", "A", True),
        ("192.0.2.77", "PTR", True),
        ("mail.example.com", "TXT", False),
        ("ent.example.com", "A", False),
        ("com", "A", False),
        (".", "A", False),
        ("any.wild.example.com", "MX", False),
        ("real.wild.example.com", "A", False),
        ("x.real.wild.example.com", "A", True),
        ("ent2.wild.example.com", "A", False),
        ("x.ent2.wild.example.com", "A", True),
        ("alias.example.com", "MX", False),
        ("gone.example.com", "A", True),
        ("old.example.com", "A", False),
    ],
)
def test_a_negative_answer(name: str, rdtype: str, nxdomain: bool) -> None:
    found = ZONE.lookup(name, rdtype)
    assert (found.nxdomain, found.nodata) == (nxdomain, not nxdomain)
    assert [one.rdtype for one in found.authority] == [dns.rdatatype.SOA]
    assert all(one.rdtype == dns.rdatatype.CNAME for one in found.answer)


def test_an_alias_of_nothing_is_told_with_the_nxdomain() -> None:
    assert data(ZONE.lookup("gone.example.com", "A")) == ["nowhere.example.com."]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("me.example.com", ["me.example.com."]),
        ("ping.example.com", ["pong.example.com.", "ping.example.com."]),
    ],
)
def test_a_circle_of_aliases_ends(name: str, answer: list[str]) -> None:
    found = ZONE.lookup(name, "A")
    assert (data(found), found.rcode, found.nodata) == (answer, dns.rcode.NOERROR, False)


def test_the_owner_of_a_wildcard_answer_is_the_name_asked_for() -> None:
    assert ZONE.lookup("Any.wild.example.com", "A").answer[0].name == dns.name.from_text("any.wild.example.com")


def test_times_to_live() -> None:
    assert [ZONE.lookup("mail.example.com", each).answer[0].ttl for each in ("A", "AAAA")] == [60, 5]
    assert Zone("x A 192.0.2.1", ttl=7).lookup("x", "A").answer[0].ttl == 7
    assert Zone("x 4294967295 A 192.0.2.1").lookup("x", "A").answer[0].ttl == 2**32 - 1


def test_negative_times_to_live() -> None:
    own, default = ZONE.lookup("x.zone.example", "A").soa, Zone("x A 192.0.2.1", negative_ttl=17).lookup("y", "A").soa
    assert (own.name.to_text(), own.ttl, own[0].minimum) == ("zone.example.", 30, 30)
    assert (default.name.to_text(), default.ttl, default[0].minimum) == (".", 17, 17)


def words(name: str, rdtype: str, zone: Zone = ZONE) -> list[tuple[str, object]]:
    return [(each.word, each.argument) for each in zone.lookup(name, rdtype).behaviours]


def test_behaviours_belong_to_a_name_and_perhaps_one_type() -> None:
    assert words("192.0.2.9", "PTR") == [("silent", None)]
    assert words("192.0.2.9", "TXT") == []
    assert words("dead.example.com", "A") == words("dead.example.com", "MX") == [("servfail", None)]
    assert words("x.dead.example.com", "A") == []
    assert words("slow.example.com", "A") == [("delay", 1.5), ("flap", 1)]
    assert words("new.wild.example.com", "TXT") == [("silent", None)]


def test_an_alias_behaves_as_what_it_leads_to() -> None:
    assert words("todead.example.com", "A") == [("servfail", None)]


def test_a_name_with_behaviours_keeps_its_records() -> None:
    assert data(ZONE.lookup("dead.example.com", "A")) == ["192.0.2.7"]


def test_some_behaviours_answer_for_the_names_below() -> None:
    zone = Zone("x A 192.0.2.1\nx A!CNAME-STEP 3\n*.y TXT t\ny CNAME-LOOP\nz SILENT")
    assert words("step2.x", "A", zone) == [("cname-step", 3)]
    assert data(zone.lookup("step2.x", "A")) == ["192.0.2.1"]
    assert words("loop.y", "A", zone) == [("cname-loop", None)]
    assert data(zone.lookup("loop.y", "TXT")) == ['"t"']
    assert zone.lookup("a.z", "A").nxdomain


def test_a_zone_from_a_dict_and_from_several_sources() -> None:
    long = "v=spf1 " + "a" * 300
    listing: Listing = {
        "192.0.2.1": [("PTR", "b.example"), "PTR a.example", ("TXT", "t", 9)],
        "t.example": [("TXT", long), ("TXT", b"\xff\x00"), ("TXT", ["a", "b"]), ("TXT", [])],
        "d.example": [("A!DELAY", 0.5), "SILENT"],
    }
    zone = Zone(listing, "b.example A 192.0.2.1").plus({"a.example": ["A 192.0.2.1"]})
    assert data(zone.lookup("192.0.2.1", "PTR")) == ["b.example.", "a.example."]
    assert zone.lookup("192.0.2.1", "TXT").answer[0].ttl == 9
    strings = [each.strings for each in zone.lookup("t.example", "TXT").answer[0]]
    assert strings == [(long[:255].encode(), long[255:].encode()), (b"\xff\x00",), (b"a", b"b"), (b"",)]
    assert words("d.example", "A", zone) == [("delay", 0.5), ("silent", None)]
    assert data(zone.lookup("a.example", "A")) == data(zone.lookup("b.example", "A")) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x A 192.0.2.1\nx", "line 2: 'x': not: owner"),
        ("x A", "line 1"),
        ("x A 192.0.2.999", "192.0.2.999"),
        ("x AAAAA ::1", "no record type and no behaviour: aaaaa"),
        ("x SLIENT", "slient"),
        ("x FOO!SILENT", "unknown type FOO"),
        ("x A!A", "no record type and no behaviour: a"),
        ("x SILENT 3", "silent takes no argument"),
        ("x DELAY", "delay needs an argument"),
        ("x DELAY soon", "soon"),
        ("x DELAY -1", "-1"),
        ("x HUGE -1", "-1"),
        ("x TARGET a..b", "a..b"),
        ("x TARGET-BYTES xyz", "line 1"),
        ("x..y A 192.0.2.1", "line 1"),
        ("ü.example A 192.0.2.1", "line 1"),
        ("$ORIGIN example.", r"\$ORIGIN"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Zone(text)


def test_what_cannot_be_read_in_a_dict_is_named() -> None:
    with pytest.raises(ValueError, match=r"'x\.example': \('A', '1\.2\.3'\)"):
        Zone({"x.example": [("A", "1.2.3")]})


SUITE: dict[str, list[Item]] = {
    "spf.example": [{"SPF": "v=spf1 -all"}, {"SPF": ["v=spf1", " mx"]}, {"SPF": []}],
    "none.example": [{"SPF": "v=spf1 -all"}, {"TXT": "NONE"}],
    "both.example": [{"SPF": "v=spf1 a -all"}, {"TXT": "v=spf1 -all"}],
    "dead.example": ["TIMEOUT"],
    "half.example": [{"TXT": "v=spf1 -all"}, "TIMEOUT"],
    "txt.example": [{"SPF": "v=spf1 -all"}, {"TXT": "NONE"}, "TIMEOUT"],
    "one.example": [{"A": "TIMEOUT"}, {"AAAA": "cafe:babe::1"}],
    "rcode.example": [{"RCODE": 5}],
    "mx.example": [{"MX": [10, "a b.example.com"]}, {"MX": [0, ""]}],
    "a%b  c.example": [{"CNAME": "mx.example."}],
    "eight.example": [{"SPF": "v=spf1 \x80a"}],
}


@pytest.mark.parametrize(
    ("name", "rdtype", "answer", "behaviours"),
    [
        ("spf.example", "SPF", ['"v=spf1 -all"', '"v=spf1" " mx"', '""'], []),
        ("spf.example", "TXT", ['"v=spf1 -all"', '"v=spf1" " mx"', '""'], []),
        ("none.example", "SPF", ['"v=spf1 -all"'], []),
        ("none.example", "TXT", [], []),
        ("both.example", "TXT", ['"v=spf1 -all"'], []),
        ("dead.example", "A", [], [("servfail", None)]),
        ("half.example", "TXT", ['"v=spf1 -all"'], []),
        ("half.example", "SPF", [], [("servfail", None)]),
        ("txt.example", "TXT", [], [("servfail", None)]),
        ("txt.example", "SPF", ['"v=spf1 -all"'], []),
        ("one.example", "A", [], [("servfail", None)]),
        ("one.example", "AAAA", ["cafe:babe::1"], []),
        ("rcode.example", "MX", [], [("rcode", 5)]),
        ("mx.example", "MX", [r"10 a\032b.example.com.", "0 ."], []),
        (r"a%b\032\032c.example", "CNAME", ["mx.example."], []),
        ("eight.example", "TXT", [r'"v=spf1 \194\128a"'], []),
    ],
)
def test_the_zones_of_the_spf_suite(
    name: str, rdtype: str, answer: list[str], behaviours: list[tuple[str, object]]
) -> None:
    zone = Zone.from_suite(SUITE)
    assert (data(zone.lookup(name, rdtype)), words(name, rdtype, zone)) == (answer, behaviours)


def test_the_suites_timeout_may_be_silence() -> None:
    assert words("dead.example", "A", Zone.from_suite(SUITE, timeout="silent")) == [("silent", None)]


def test_entries_can_be_made_by_hand() -> None:
    owner = dns.name.from_text("x.example")
    assert words("x.example", "A", Zone([Behaviour(owner, None, "silent")])) == [("silent", None)]
