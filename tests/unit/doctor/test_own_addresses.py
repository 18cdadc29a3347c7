"""The addresses of the interfaces, as the kernel gives them."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from rdns_milter.doctor.own_addresses import OwnAddress, ipv4_addresses, parse_if_inet6

IF_INET6 = """\
20010db8000000000000000000000025 02 40 00 80     eth0
20010db8000000000000000000000026 02 40 00 a0     eth0
20010db8000000000000000000000027 02 40 00 c0     eth0
fe80000000000000021122fffe334455 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
something else
"""


def test_ipv6_addresses_of_global_scope_that_are_in_use() -> None:
    (found,) = parse_if_inet6(IF_INET6)
    assert (str(found.address), found.origin) == ("2001:db8::25", "interface eth0")


def test_ipv4_addresses_are_those_that_a_socket_can_bind_to() -> None:
    found = list(ipv4_addresses())
    assert ip_address("127.0.0.1") in [each.address for each in found]
    assert OwnAddress(ip_address("127.0.0.1"), "interface lo") in found
    for each in found:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((str(each.address), 0))


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("192.0.2.1", False), ("2001:db8::1", False), ("172.32.0.1", False), ("172.31.255.255", True), ("10.1.2.3", True),
        ("192.168.1.1", True), ("100.64.0.1", True), ("100.128.0.1", False), ("169.254.1.1", True), ("fd00::1", True),
    ],
)  # fmt: skip
def test_private_addresses(address: str, private: bool) -> None:
    assert OwnAddress(ip_address(address), "given").is_private == private
