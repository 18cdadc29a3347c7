"""IPv4 addresses embedded by translators (examples of RFC 6052 2.4)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.nat64 import LENGTHS, WELL_KNOWN, embedded, parse_prefix, seems_translated, translated

EMBEDDED = [
    ("2001:db8::/32", "2001:db8:c000:221::", "192.0.2.33"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::", "192.0.2.33"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "192.0.2.33"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "192.0.2.33"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", "192.0.2.33"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221", "192.0.2.33"),
    ("64:ff9b::/96", "64:ff9b::c000:221", "192.0.2.33"),
    # The bits after the address are ignored.
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:21ff:ffff", "192.0.2.33"),
    ("2001:db8::/32", "2001:db8:c000:221:00ff:ffff::", "192.0.2.33"),
    # Another prefix; bits 64 to 71 are not zero.
    ("64:ff9b::/96", "64:ff9b:1::c000:221", None),
    ("64:ff9b::/96", "2001:db8::c000:221", None),
    ("2001:db8:122:344::/64", "2001:db8:122:344:1c0:2:2100::", None),
    # RFC 6052 3.1, and addresses that no client can have.
    ("64:ff9b::/96", "64:ff9b::10.0.0.1", None),
    ("64:ff9b::/96", "64:ff9b::192.168.1.1", None),
    ("64:ff9b::/96", "64:ff9b::127.0.0.1", None),
    ("64:ff9b::/96", "64:ff9b::", None),
    ("2001:db8:64::/96", "2001:db8:64::10.0.0.1", "10.0.0.1"),
    ("2001:db8:64::/96", "2001:db8:64::127.0.0.1", None),
    ("2001:db8:64::/96", "2001:db8:64::224.0.0.1", None),
]


@pytest.mark.parametrize(("prefix", "address", "expected"), EMBEDDED)
def test_translated(prefix: str, address: str, expected: str | None) -> None:
    assert translated(ip_address(address), [parse_prefix(prefix)]) == ip_address(expected or address)


def test_the_longest_prefix_counts() -> None:
    prefixes = [parse_prefix("2001:db8::/32"), parse_prefix("2001:db8:122:344::/96")]
    assert translated(ip_address("2001:db8:122:344::c000:221"), prefixes) == ip_address("192.0.2.33")
    assert translated(ip_address("2001:db8:c000:221::"), prefixes) == ip_address("192.0.2.33")
    assert translated(ip_address("192.0.2.1"), prefixes) == ip_address("192.0.2.1")
    assert translated(ip_address("64:ff9b::c000:221"), []) == ip_address("64:ff9b::c000:221")


@given(st.ip_addresses(v=4), st.sampled_from(LENGTHS), st.ip_addresses(v=6))
def test_any_address_by_any_prefix(address: IPv4Address, length: int, other: IPv6Address) -> None:
    """Embed an address bit by bit, as in the table of RFC 6052 2.2, and extract it."""
    other = IPv6Address(int(other) & ~(0xFF << 56))
    prefix = IPv6Network((other, length), strict=False)
    before = min(max(64 - length, 0), 32)  # bits in front of the reserved byte
    number = int(prefix.network_address)
    if length == 96:
        number |= int(address)
    else:
        high, low = int(address) >> (32 - before), int(address) & ((1 << (32 - before)) - 1)
        number |= high << 64
        number |= low << (56 - (32 - before))
    if prefix != WELL_KNOWN and 0 < int(address) >> 24 < 224 and int(address) >> 24 != 127:
        assert embedded(IPv6Address(number), prefix) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("64:ff9b::", "write it as in 64:ff9b::/96"),
        ("", "write it as"),
        ("64:ff9b::/95", "32, 40, 48, 56, 64 or 96 bits"),
        ("::/0", "32, 40, 48, 56, 64 or 96 bits"),
        ("64:ff9b::/128", "32, 40, 48, 56, 64 or 96 bits"),
        ("64:ff9b::1/96", "has host bits set"),
        ("192.0.2.0/32", "is not the prefix of a translator"),
        ("fe80::%eth0/64", "is not the prefix of a translator"),
        ("64:ff9b:0:0:ff00::/96", "bits 64 to 71"),
        ("x/96", "is not the prefix of a translator"),
    ],
)
def test_no_prefix(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_prefix(text)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("64:ff9b::c000:201", True), ("64:ff9b:1:2::1", True), ("64:ff9b:2::1", False), ("192.0.2.1", False)],
)
def test_seems_translated(address: str, expected: bool) -> None:
    assert seems_translated(ip_address(address)) is expected
    assert not seems_translated(None)
