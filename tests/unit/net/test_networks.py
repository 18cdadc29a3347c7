"""Parse networks, and test which addresses a set of networks contains (RFC 4632 3.1, RFC 4291 2.5.5.2)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.networks import Network, Networks, parse_network

WRITTEN = [
    ("192.0.2.1", "192.0.2.1/32"),
    ("192.0.2.0/24", "192.0.2.0/24"),
    ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
    ("0.0.0.0/0", "0.0.0.0/0"),
    ("2001:db8::1", "2001:db8::1/128"),
    ("2001:DB8::/32", "2001:db8::/32"),
    ("::/0", "::/0"),
    ("::ffff:192.0.2.1", "192.0.2.1/32"),
    ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ("::ffff:0:0/96", "0.0.0.0/0"),
    ("::fffe:0:0/95", "::fffe:0:0/95"),
    ("::c000:200/120", "::c000:200/120"),
]


@pytest.mark.parametrize(("text", "expected"), WRITTEN)
def test_parse_network(text: str, expected: str) -> None:
    assert parse_network(text) == ip_network(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "mx.example.com",
        "192.0.2.1/24",
        "2001:db8::1/32",
        "::ffff:192.0.2.1/120",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2.0/",
        "192.0.2.0/24 ",
        "192.0.2.0/24\n",
        "192.0.2",
        "192.0.02.0/24",
        "2001:db8::/129",
        "3221225985",
        "fe80::1%eth0",
        "fe80::%eth0/64",
        "\u0661.2.3.4",
        "192.0.2.0/\u0662\u0664",
        "[::1]",
    ],
)
def test_an_invalid_network_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse_network(text)


MEMBERS = [
    ("192.0.2.0/24", "192.0.2.0", True),
    ("192.0.2.0/24", "192.0.2.255", True),
    ("192.0.2.0/24", "192.0.3.0", False),
    ("192.0.2.1", "192.0.2.1", True),
    ("192.0.2.1", "192.0.2.2", False),
    ("0.0.0.0/0", "255.255.255.255", True),
    ("0.0.0.0/0", "::", False),
    ("::/0", "2001:db8::1", True),
    ("::/0", "192.0.2.1", False),
    ("2001:db8::/32", "2001:db8:ffff::", True),
    ("2001:db8::/32", "2001:db9::", False),
    ("::ffff:192.0.2.0/120", "192.0.2.7", True),
    ("192.0.2.0/24 198.51.100.0/24 2001:db8::/32", "198.51.100.9", True),
    ("192.0.2.0/25 192.0.2.0/24", "192.0.2.200", True),
    ("", "192.0.2.1", False),
]


@pytest.mark.parametrize(("texts", "address", "expected"), MEMBERS)
def test_membership(texts: str, address: str, expected: bool) -> None:
    assert (ip_address(address) in Networks(map(parse_network, texts.split()))) is expected


def test_iteration_yields_the_networks_as_given() -> None:
    given_networks = tuple(map(parse_network, ("198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32")))
    networks = Networks(given_networks)
    assert tuple(networks) == given_networks
    assert len(networks) == 3
    assert networks == Networks(given_networks)
    assert hash(networks) == hash(Networks(given_networks))
    assert networks != Networks(given_networks[:2])
    assert networks != given_networks
    assert repr(networks) == "Networks(198.51.100.0/24, 192.0.2.0/24, 2001:db8::/32)"


def _network(number: int, prefix: int, version: int) -> Network:
    bits = 32 if version == 4 else 128
    prefix %= bits + 1
    head = (number % 2**bits) >> (bits - prefix) << (bits - prefix)
    return IPv4Network((head, prefix)) if version == 4 else IPv6Network((head, prefix))


NETWORKS = st.builds(_network, st.integers(0, 2**128), st.integers(0, 128), st.sampled_from((4, 6)))


@given(st.lists(NETWORKS, max_size=8), st.ip_addresses(), st.integers(0, 2**128))
def test_membership_is_that_of_any_network(
    networks: list[Network], address: IPv4Address | IPv6Address, number: int
) -> None:
    within = [network[number % network.num_addresses] for network in networks]
    for candidate in (address, *within):
        assert (candidate in Networks(networks)) == any(candidate in network for network in networks)


@given(NETWORKS)
def test_a_network_as_text_is_parsed_back(network: Network) -> None:
    mapped = network.version == 6 and network.subnet_of(IPv6Network("::ffff:0:0/96"))
    assert parse_network(str(network)) == network or mapped


@given(st.text() | st.from_regex(r"[0-9a-f.:/%]{0,30}", fullmatch=True))
def test_any_text_is_a_network_or_an_error(text: str) -> None:
    try:
        network = parse_network(text)
    except ValueError:
        return
    assert network.network_address in Networks((network,))
