"""Smoke test of the tests' zones: how a zone is written, and what it answers (RFC 1034 4.3.2, RFC 2308)."""

from __future__ import annotations

import dns.rcode
import dns.rdatatype
import pytest

from tests.kit.dns.entries import Found
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_text import Listing

ZONE = Zone(
    r"""
    ; a comment, then a blank line

    $TTL 60
    mail.example.com        A     192.0.2.1
    Mail.Example.com.   5   AAAA  2001:db8::1       ; with a TTL
    192.0.2.1               PTR   mail.example.com
    2001:db8::1             IN PTR mail.example.com.
    example.com             MX    10 mail.example.com
    example.com             TXT   v=spf1 mx  -all   ; one string
    quoted.example.com      TXT   "v=spf1 " "a;b \"c\" \001"
    odd\010\032name\.x.example.com A 192.0.2.4
    deep.ent.example.com    A     192.0.2.3
    *.wild.example.com      A     192.0.2.5
    real.wild.example.com   TXT   here
    alias2.example.com      CNAME alias.example.com
    alias.example.com       CNAME mail.example.com
    gone.example.com        CNAME nowhere.example.com
    ping.example.com        CNAME pong.example.com
    pong.example.com        CNAME ping.example.com
    old.example.com         DNAME example.com
    zone.example        90  SOA   ns.zone.example host.zone.example 1 2 3 4 30
    192.0.2.9               PTR!SILENT
    dead.example.com        servfail
    dead.example.com        A     192.0.2.7
    todead.example.com      CNAME dead.example.com
    slow.example.com        A!DELAY 1.5
    """
)


def values(found: Found) -> list[str]:
    return [each.to_text() for one in found.answer for each in one]


@pytest.mark.parametrize(
    ("name", "rdtype", "answer"),
    [
        ("MAIL.example.COM.", "AAAA", ["2001:db8::1"]),
        ("192.0.2.1", "PTR", ["mail.example.com."]),
        ("2001:db8::1", "PTR", ["mail.example.com."]),
        ("example.com", "MX", ["10 mail.example.com."]),
        ("example.com", "TXT", ['"v=spf1 mx  -all"']),
        ("quoted.example.com", "TXT", [r'"v=spf1 " "a;b \"c\" \001"']),
        (r"odd\010\032name\.x.example.com", "A", ["192.0.2.4"]),
        ("two.labels.wild.example.com", "A", ["192.0.2.5"]),
        ("alias2.example.com", "A", ["alias.example.com.", "mail.example.com.", "192.0.2.1"]),
        ("ping.example.com", "A", ["pong.example.com.", "ping.example.com."]),
        ("mail.old.example.com", "A", ["example.com.", "mail.example.com.", "192.0.2.1"]),
    ],
)
def test_answers(name: str, rdtype: str, answer: list[str]) -> None:
    found = ZONE.lookup(name, rdtype)
    assert values(found) == answer
    assert (found.rcode, found.nodata, found.authority) == (dns.rcode.NOERROR, False, ())


@pytest.mark.parametrize(
    ("name", "rdtype", "nxdomain"),
    [
        ("nowhere.example.com", "A", True),
        ("x.mail.example.com", "A", True),
        ("mail.example.com", "TXT", False),
        ("ent.example.com", "A", False),
        ("real.wild.example.com", "A", False),
        ("x.real.wild.example.com", "A", True),
        ("alias.example.com", "MX", False),
        ("gone.example.com", "A", True),
    ],
)
def test_negative_answers(name: str, rdtype: str, nxdomain: bool) -> None:
    found = ZONE.lookup(name, rdtype)
    assert (found.nxdomain, found.nodata) == (nxdomain, not nxdomain)
    assert [one.rdtype for one in found.authority] == [dns.rdatatype.SOA]


def test_times_to_live() -> None:
    assert [ZONE.lookup("mail.example.com", each).answer[0].ttl for each in ("A", "AAAA")] == [60, 5]
    soa = ZONE.lookup("x.zone.example", "A").soa
    assert (soa.name.to_text(), soa.ttl, soa[0].minimum) == ("zone.example.", 30, 30)


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        ("192.0.2.9", "PTR", [("silent", None)]),
        ("192.0.2.9", "TXT", []),
        ("dead.example.com", "MX", [("servfail", None)]),
        ("todead.example.com", "A", [("servfail", None)]),
        ("slow.example.com", "A", [("delay", 1.5)]),
    ],
)
def test_behaviours(name: str, rdtype: str, expected: list[tuple[str, object]]) -> None:
    assert [(each.word, each.argument) for each in ZONE.lookup(name, rdtype).behaviours] == expected


def test_a_zone_from_a_dict() -> None:
    long = "v=spf1 " + "a" * 300
    listing: Listing = {"192.0.2.1": [("PTR", "b.example"), "PTR a.example"], "t.example": [("TXT", long, 9)]}
    zone = Zone(listing)
    assert values(zone.plus("c.example A 192.0.2.1").lookup("192.0.2.1", "PTR")) == ["b.example.", "a.example."]
    found = zone.lookup("t.example", "TXT")
    assert found.answer[0].ttl == 9
    assert [each.strings for each in found.answer[0]] == [(long[:255].encode(), long[255:].encode())]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x A 192.0.2.1\nx", "line 2: 'x': not: owner"),
        ("x A 192.0.2.999", "192.0.2.999"),
        ("x SLIENT", "slient"),
        ("x SILENT 3", "silent takes no argument"),
        ("x DELAY", "delay needs an argument"),
        ("x TARGET a..b", "a..b"),
        ("$ORIGIN example.", r"\$ORIGIN"),
    ],
)
def test_errors_name_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Zone(text)
