"""The addresses of this host's interfaces, and which of them other hosts cannot see.

Reads what the kernel says. Sends no packet, and asks no service for the address that others see. Linux.

netdevice(7) (SIOCGIFCONF), RFC 1918, RFC 6598, RFC 4193.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ..net.names import Address
from ..net.networks import Networks, parse_network
from .host import Host

IF_INET6 = "/proc/net/if_inet6"
_GLOBAL = 0x00  # the scope in if_inet6
_UNUSED = 0x20 | 0x40 | 0x08  # deprecated, tentative, failed duplicate address detection
_SIOCGIFCONF = 0x8912
_ENTRY = 40  # bytes of a struct ifreq on a 64-bit system
_MOST = 1000  # addresses
# Addresses that are translated (NAT) on their way, or never leave the host or its network.
PRIVATE = Networks(
    map(
        parse_network,
        (
            "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0/8",
            "fc00::/7", "fe80::/10", "::1", "::",
        ),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An address of this host. `origin`: where it was found, for the reader."""

    address: Address
    origin: str

    @property
    def is_private(self) -> bool:
        """True if other hosts see this host under another address."""
        return self.address in PRIVATE


def interface_addresses(host: Host) -> list[OwnAddress]:
    """Return the addresses of all interfaces, without loopback and link-local ones."""
    found = (*ipv4_addresses(), *parse_if_inet6(host.text(IF_INET6) or ""))
    return [each for each in found if not (each.address.is_loopback or each.address.is_link_local)]


def ipv4_addresses() -> Iterator[OwnAddress]:
    """Yield the IPv4 addresses; none where the kernel does not give them."""
    buffer = array.array("B", bytes(_ENTRY * _MOST))
    request = struct.pack("iP", len(buffer), buffer.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            length, _ = struct.unpack("iP", fcntl.ioctl(sock, _SIOCGIFCONF, request))
    except OSError:
        return
    for at in range(0, length, _ENTRY):
        entry = buffer[at : at + _ENTRY].tobytes()
        name = entry[:16].partition(b"\0")[0].decode("ascii", "backslashreplace")
        yield OwnAddress(IPv4Address(entry[20:24]), f"interface {name}")


def parse_if_inet6(text: str) -> Iterator[OwnAddress]:
    """Yield the addresses of global scope in /proc/net/if_inet6 that may be used."""
    for line in text.splitlines():
        columns = line.split()
        if len(columns) == 6 and int(columns[3], 16) == _GLOBAL and not int(columns[4], 16) & _UNUSED:
            yield OwnAddress(IPv6Address(bytes.fromhex(columns[0])), f"interface {columns[5]}")
