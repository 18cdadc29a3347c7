"""Sets of networks: is an address in one of them?

Pure. Costs one look into a set per prefix length that occurs, however long the list is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from .names import Address

Network = IPv4Network | IPv6Network
_BITS = {4: 32, 6: 128}


def parse_network(text: str) -> Network:
    """The network of "192.0.2.0/24", "192.0.2.1" or their IPv6 kin; IPv4-mapped ones as IPv4. Raises ValueError that says
    what is wrong: not an address, host bits set, a bad prefix length, a zone (RFC 4007 11), which no client's address has."""
    network = ip_network(text)
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, which no client's address has")
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


class Networks:
    """A frozen set of networks. `address in networks`; iterates over them as they were given."""

    __slots__ = ("_by_length", "networks")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.networks: tuple[Network, ...] = tuple(networks)
        by_length: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in self.networks:
            shift = _BITS[network.version] - network.prefixlen
            by_length[network.version].setdefault(shift, set()).add(int(network.network_address) >> shift)
        self._by_length = {
            version: tuple((shift, frozenset(heads)) for shift, heads in lengths.items())
            for version, lengths in by_length.items()
        }

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        return any(number >> shift in heads for shift, heads in self._by_length[address.version])

    def __iter__(self) -> Iterator[Network]:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self.networks == other.networks

    def __hash__(self) -> int:
        return hash(self.networks)

    def __repr__(self) -> str:
        return f"Networks({', '.join(map(str, self.networks))})"
