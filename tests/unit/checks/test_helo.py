"""The HELO checks, one case for each line: kind, result and own names (RFC 5321 4.1.1.1, 4.1.3)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from rdns_milter.checks import helo
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import TEMPORARY, UNRESOLVED
from tests.kit.dns.dict_answers import Answers, Entry

V4, V6 = "192.0.2.1", "2001:db8::1"

KINDS = [
    ("mail.example.com", "fqdn"),
    ("MAIL.Example.COM", "fqdn"),
    ("mail.example.com.", "fqdn"),
    ("my_host.example.com", "fqdn"),
    ("xn--bcher-kva.example", "fqdn"),
    ("bücher.example", "fqdn"),
    ("1.example.com", "fqdn"),
    ("localhost", "unqualified"),
    ("WIN-PC", "unqualified"),
    ("localhost.", "unqualified"),
    ("[192.0.2.1]", "literal"),
    ("[IPv6:2001:db8::1]", "literal"),
    ("[ipv6:2001:DB8::1]", "literal"),
    ("[2001:db8::1]", "literal"),
    ("[IPv6:::ffff:192.0.2.1]", "literal"),
    ("192.0.2.1", "address"),
    ("2001:db8::1", "address"),
    ("192.0.2.1.", "address"),
    ("", "missing"),
    (".", "invalid"),
    ("..", "invalid"),
    ("a..b.example", "invalid"),
    (".example.com", "invalid"),
    ("-a.example.com", "invalid"),
    ("a-.example.com", "invalid"),
    ("foo bar", "invalid"),
    ("mail.example.com\n", "invalid"),
    ("ma!l.example.com", "invalid"),
    ('"mail".example.com', "invalid"),
    ("mail.example.com;x=y", "invalid"),
    ("[192.0.2.1", "invalid"),
    ("[192.0.2.256]", "invalid"),
    ("[IPv6:192.0.2.1]", "invalid"),
    ("[IPv6:fe80::1%eth0]", "invalid"),
    ("[]", "invalid"),
    ("1.2.3", "invalid"),
    ("example.123", "invalid"),
    ("a" * 64 + ".example.com", "invalid"),
    ("a." * 126 + "toolong", "invalid"),
    ("\udcff.example.com", "invalid"),
    ("m\x00il.example.com", "invalid"),
]


@pytest.mark.parametrize(("greeting", "kind"), KINDS)
def test_kind(greeting: str, kind: str) -> None:
    assert helo.kind(greeting) == kind


# HELO name, client, DNS records, result, status of the lookup.
RESOLVED: list[tuple[str, str, dict[str, Entry], str, str]] = [
    ("a.test", V4, {"a.test A": [V4]}, "pass", "ok"),
    ("A.Test.", V4, {"a.test A": ["192.0.2.9", V4]}, "pass", "ok"),
    ("a.test", V6, {"a.test AAAA": [V6]}, "pass", "ok"),
    ("a.test", V6, {"a.test AAAA": ["2001:DB8:0::1"]}, "pass", "ok"),
    ("a.test", V4, {"a.test A": ["192.0.2.9"]}, "fail", "ok"),
    ("a.test", V4, {"a.test AAAA": [V6]}, "fail", "ok"),
    ("a.test", V6, {"a.test A": [V4]}, "fail", "ok"),
    ("a.test", V4, {}, "permerror", "nxdomain"),
    ("a.test", V4, {"a.test TXT": ["x"]}, "permerror", "nodata"),
    ("a.test", V4, {"a.test A": [], "a.test AAAA": "timeout"}, "temperror", "timeout"),
    ("bücher.example", V4, {"xn--bcher-kva.example A": [V4]}, "pass", "ok"),
    ("mailhost", V4, {"mailhost A": [V4]}, "pass", "ok"),
    ("localhost", V4, {}, "permerror", "nxdomain"),
    (f"[{V4}]", V4, {}, "pass", ""),
    ("[192.0.2.9]", V4, {}, "fail", ""),
    (f"[IPv6:{V6}]", V6, {}, "pass", ""),
    (f"[{V6}]", V6, {}, "pass", ""),
    (f"[IPv6:::ffff:{V4}]", V4, {}, "pass", ""),
    (f"[IPv6:{V6}]", V4, {}, "fail", ""),
    (V4, V4, {}, "pass", ""),
    ("192.0.2.9", V4, {}, "fail", ""),
    ("foo bar", V4, {}, "none", ""),
    ("", V4, {}, "none", ""),
    ("[192.0.2.256]", V4, {}, "none", ""),
]


@pytest.mark.parametrize(("greeting", "client", "entries", "result", "reason"), RESOLVED)
def test_resolve(greeting: str, client: str, entries: dict[str, Entry], result: str, reason: str) -> None:
    assert run(helo.resolve(Answers(entries), greeting, ip_address(client))) == (result, reason)


@pytest.mark.parametrize("status", sorted(TEMPORARY))
def test_trouble_is_temperror(status: str) -> None:
    reason = "servfail" if status in UNRESOLVED else status
    assert run(helo.resolve(Answers({"a.test A": status}), "a.test", ip_address(V4))) == ("temperror", reason)


@pytest.mark.parametrize("greeting", ["", "foo bar", f"[{V4}]", V4, "-.test"])
def test_what_is_no_name_is_not_asked(greeting: str) -> None:
    answers = Answers({})
    run(helo.resolve(answers, greeting, ip_address(V4)))
    assert answers.asked == []


OURS = frozenset(("mx.our.test", "our.test"))
OUR_ADDRESSES = frozenset((ip_address("198.51.100.5"), ip_address("2001:db8::5")))

OWN = [
    ("mx.our.test", V4, "yes"),
    ("MX.OUR.test.", V4, "yes"),
    ("our.test", V4, "yes"),
    ("other.our.test", V4, "no"),
    ("notmx.our.test", V4, "no"),
    ("[198.51.100.5]", V4, "yes"),
    ("198.51.100.5", V4, "yes"),
    ("[IPv6:2001:db8::5]", V6, "yes"),
    ("[IPv6:::ffff:198.51.100.5]", V4, "yes"),
    (f"[{V4}]", V4, "no"),
    ("", V4, "no"),
    ("foo bar", V4, "no"),
    ("mx.our.test", "198.51.100.5", "no"),
]


@pytest.mark.parametrize(("greeting", "client", "own"), OWN)
def test_own(greeting: str, client: str, own: str) -> None:
    assert helo.own(greeting, ip_address(client), OURS, OUR_ADDRESSES) == own


MATCHES = [
    ("mail.example.com", ("mail.example.com",), "same"),
    ("mail.example.com", ("a.example.com", "mail.example.com"), "same"),
    ("mail.example.com", ("out.example.com",), "aligned"),
    ("example.com", ("out.mail.example.com",), "aligned"),
    ("mail.example.co.uk", ("out.example.co.uk",), "aligned"),
    ("mail.example.co.uk", ("mail.other.co.uk",), "different"),
    ("notexample.com", ("mail.example.com",), "different"),
    ("co.uk", ("example.co.uk",), "different"),
    ("mail.example.com", (), "none"),
    ("", ("mail.example.com",), "none"),
    ("localhost", ("mail.example.com",), "different"),
    ("a.blogspot.com", ("b.blogspot.com",), "different"),
]


@pytest.mark.parametrize(("name", "others", "match"), MATCHES)
def test_match(name: str, others: tuple[str, ...], match: str) -> None:
    assert helo.match(name, others) == match
