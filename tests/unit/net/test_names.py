"""Names and addresses, one case a line (RFC 1123 2.1, 5321 4.1.3, 5891)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.names import (
    MAX_NAME,
    canonical,
    is_domain,
    is_hostname,
    is_special_use,
    parse_address,
    parse_literal,
    reverse_name,
)
from tests.kit.data.strategies import hostile_text

LABEL = "a" * 63
LONGEST = ".".join([LABEL, LABEL, LABEL, "a" * 61])

CANONICAL = [
    ("example.com", "example.com"),
    ("EXAMPLE.Com", "example.com"),
    ("example.com.", "example.com"),
    ("example.com..", ""),
    (".", ""),
    ("..", ""),
    ("", ""),
    ("a..b", "a..b"),
    ("_a.example.com", "_a.example.com"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example.", "xn--bcher-kva.example"),
    # Only case is mapped: what merely looks like a name has no canonical form.
    ("bücher。example", ""),
    ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("faß.example", "xn--fa-hia.example"),
    ("\uff11\uff12.example", ""),
    ("a\u00ad.example", ""),
    ("\u2603.example", ""),
    ("a\u2028.example", ""),
    ("\udcff.example", ""),
    ("ü" * 60, ""),
    (LONGEST, LONGEST),
    (LONGEST + ".", LONGEST),
    (LONGEST + "a", ""),
    ("a b", "a b"),
    ("a\0", "a\0"),
]


@pytest.mark.parametrize(("name", "expected"), CANONICAL)
def test_canonical(name: str, expected: str) -> None:
    assert canonical(name) == expected
    assert canonical(expected) == expected


HOSTNAMES = [
    ("example.com", True),
    ("localhost", True),
    ("a", True),
    ("3com.com", True),
    ("_dmarc.example.com", True),
    ("my_host.example.com", True),
    ("xn--bcher-kva.example", True),
    ("a.b-c.d--e.f", True),
    (f"{LABEL}.com", True),
    (LONGEST, True),
    ("1.2.3.example", True),
    ("1.2.3.4a", True),
    ("", False),
    (".", False),
    (".com", False),
    ("a.", False),
    ("a..b", False),
    ("-a.com", False),
    ("a-.com", False),
    ("-", False),
    (f"{LABEL}a.com", False),
    (LONGEST + "a", False),
    ("192.0.2.1", False),
    ("1", False),
    ("example.123", False),
    ("example.0x1f", False),
    ("0x", False),
    ("a b.com", False),
    ("a.com\n", False),
    ("a\0.com", False),
    ("*.com", False),
    ("a,b.com", False),
    ('"a".com', False),
    ("bücher.example", False),
    ("EXAMPLE.com", False),
    ("[192.0.2.1]", False),
    ("2001:db8::1", False),
]


@pytest.mark.parametrize(("name", "expected"), HOSTNAMES)
def test_is_hostname(name: str, expected: bool) -> None:
    assert is_hostname(name) is expected
    assert is_domain(name) is (expected and "." in name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("host.local", True),
        ("a.b.invalid", True),
        ("localhost.localdomain", False),
        ("local.example.com", False),
        ("notlocal", False),
        ("", False),
    ],
)
def test_is_special_use(name: str, expected: bool) -> None:
    assert is_special_use(name) is expected


ADDRESSES = [
    ("192.0.2.1", "192.0.2.1"),
    ("0.0.0.0", "0.0.0.0"),
    ("2001:DB8:0::1", "2001:db8::1"),
    ("::", "::"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("::FFFF:c000:0201", "192.0.2.1"),
    ("::192.0.2.1", "::c000:201"),
    ("", None),
    ("192.0.2", None),
    ("192.0.2.256", None),
    ("192.0.2.01", None),
    ("192.0.2.1.", None),
    ("192.0.2.1/32", None),
    (" 192.0.2.1", None),
    ("192.0.2.1\n", None),
    ("3221225985", None),
    ("0x7f.0.0.1", None),
    ("\u0661.2.3.4", None),
    ("fe80::1%eth0", None),
    ("[::1]", None),
    ("2001:db8::1::", None),
    ("0" * 100, None),
]


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_parse_address(text: str, expected: str | None) -> None:
    assert parse_address(text) == (None if expected is None else ip_address(expected))


LITERALS = [
    ("[192.0.2.1]", "192.0.2.1"),
    ("[IPv6:2001:db8::1]", "2001:db8::1"),
    ("[ipv6:2001:DB8::1]", "2001:db8::1"),
    ("[2001:db8::1]", "2001:db8::1"),
    ("[IPv6:::ffff:192.0.2.1]", "192.0.2.1"),
    ("[IPv6:192.0.2.1]", None),
    ("[IPv4:192.0.2.1]", None),
    ("[IPv6:]", None),
    ("[]", None),
    ("", None),
    ("192.0.2.1", None),
    ("[192.0.2.1", None),
    ("192.0.2.1]", None),
    ("[[192.0.2.1]]", None),
    ("[192.0.2.1] ", None),
    ("[192.0.2.1]\n", None),
    ("[ 192.0.2.1]", None),
    ("[mx.example.com]", None),
    ("[IPv6:fe80::1%eth0]", None),
]


@pytest.mark.parametrize(("text", "expected"), LITERALS)
def test_parse_literal(text: str, expected: str | None) -> None:
    assert parse_literal(text) == (None if expected is None else ip_address(expected))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "7.2.0.192.in-addr.arpa"),
        ("2001:db8::7", "7.0.0.0." + "0.0.0.0." * 5 + "8.b.d.0.1.0.0.2.ip6.arpa"),
    ],
)
def test_reverse_name(address: str, name: str) -> None:
    assert reverse_name(ip_address(address)) == name


ANY = hostile_text(300) | st.text() | st.from_regex(r"[a-zA-Z0-9@.<>:\"\\ \[\]%-]{0,40}", fullmatch=True)


@given(ANY)
def test_no_text_raises_or_grows(text: str) -> None:
    name = canonical(text)
    assert len(name) <= MAX_NAME
    assert name.isascii()
    assert canonical(name) == name
    if is_hostname(name):
        assert all(letter.isalnum() or letter in "._-" for letter in name)
    assert isinstance(is_special_use(text), bool)
    assert is_domain(text) <= is_hostname(text)


@given(ANY)
def test_no_host_name_is_an_address(text: str) -> None:
    if parse_address(text) is not None or parse_literal(text) is not None:
        assert not is_hostname(canonical(text))


@given(st.ip_addresses())
def test_an_address_as_text_and_as_literal_is_parsed_back(address: object) -> None:
    parsed = parse_address(str(address))
    assert parsed is not None
    assert parse_literal(f"[{parsed}]") == parsed
    assert is_hostname(reverse_name(parsed))
