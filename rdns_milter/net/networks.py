"""Immutable sets of networks, with a fast test whether an address is in one of them.

Pure. A set is held as sorted ranges that do not overlap, in arrays with 8 bytes (IPv4) or 32 bytes (IPv6) a range, so that a
million networks take little memory, which processes can share. A lookup is a bisection.

RFC 4632 3.1 (CIDR), RFC 4291 2.5.5.2 (IPv4-mapped addresses).
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network, summarize_address_range
from pickle import PickleBuffer
from typing import Any, TypeAlias

from .names import Address

Network = IPv4Network | IPv6Network
Range: TypeAlias = tuple[int, int]  # the first and the last address
View: TypeAlias = "memoryview[int]"

_LOW = (1 << 64) - 1


def parse_network(text: str) -> Network:
    """Parse a network or an address: "192.0.2.0/24", "192.0.2.1", "2001:db8::/32". IPv4-mapped ones become IPv4. Raises ValueError
    with the reason: not an address, host bits set, a wrong prefix length, or a zone (RFC 4007 11)."""
    network = ip_network(text)
    if "%" in text:
        raise ValueError(f"{text!r} has a zone; addresses of clients have none")
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


class Networks:
    """The set. Two sets are equal if they contain the same addresses. Iteration yields the networks as they were given, or, for a
    set made from ranges, the fewest networks that cover them. The length is the number of ranges."""

    __slots__ = ("_given", "_v4", "_v6")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._given: tuple[Network, ...] = tuple(networks)
        ranges: dict[int, list[Range]] = {4: [], 6: []}
        for network in self._given:
            ranges[network.version].append((int(network.network_address), int(network.broadcast_address)))
        self._v4 = _columns4(sorted(ranges[4]))
        self._v6 = _columns6(sorted(ranges[6]))

    @classmethod
    def of_ranges(cls, v4: Iterable[Range], v6: Iterable[Range]) -> Networks:
        """Return the set of these ranges, which must be sorted by their first address."""
        networks = cls()
        networks._v4, networks._v6 = _columns4(v4), _columns6(v6)
        return networks

    @classmethod
    def union(cls, parts: Sequence[Networks]) -> Networks:
        """Return the set of all addresses that are in one of the parts."""
        v4 = merge(*(part.ranges4() for part in parts))
        v6 = merge(*(part.ranges6() for part in parts))
        networks = cls.of_ranges(v4, v6)
        if all(part._given or not len(part) for part in parts):
            networks._given = tuple(network for part in parts for network in part._given)
        return networks

    def ranges4(self) -> Iterator[Range]:
        """Return the ranges of IPv4 addresses: sorted, neither overlapping nor adjacent."""
        return zip(*self._v4, strict=True)

    def ranges6(self) -> Iterator[Range]:
        """Yield the ranges of IPv6 addresses: sorted, neither overlapping nor adjacent."""
        for high, low, last_high, last_low in zip(*self._v6, strict=True):
            yield high << 64 | low, last_high << 64 | last_low

    def columns(self) -> Iterator[bytes]:
        """Yield the content of the set as bytes that are the same on all machines."""
        for column in (*self._v4, *self._v6):
            if sys.byteorder == "little":
                yield column.tobytes()
            else:
                swapped = array(column.format, column.tobytes())
                swapped.byteswap()
                yield swapped.tobytes()

    def covers(self, other: Networks) -> bool:
        """Return whether all addresses of the other set are in this one."""
        v4 = all(self._last4(first) >= last for first, last in other.ranges4())
        return v4 and all(self._last6(first) >= last for first, last in other.ranges6())

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        last = self._last4(number) if address.version == 4 else self._last6(number)
        return number <= last

    def _last4(self, number: int) -> int:
        """Return the last address of the last range that begins at or before the address; -1 if there is none."""
        firsts, lasts = self._v4
        index = bisect_right(firsts, number)
        return lasts[index - 1] if index else -1

    def _last6(self, number: int) -> int:
        """Do the same as _last4 for an IPv6 address."""
        highs, lows, last_highs, last_lows = self._v6
        high = number >> 64
        begin = bisect_left(highs, high)
        index = bisect_right(lows, number & _LOW, begin, bisect_right(highs, high, begin))
        return last_highs[index - 1] << 64 | last_lows[index - 1] if index else -1

    def __iter__(self) -> Iterator[Network]:
        if self._given:
            yield from self._given
            return
        for first, last in self.ranges4():
            yield from summarize_address_range(IPv4Address(first), IPv4Address(last))
        for first, last in self.ranges6():
            yield from summarize_address_range(IPv6Address(first), IPv6Address(last))

    def __len__(self) -> int:
        return len(self._v4[0]) + len(self._v6[0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self._v4 == other._v4 and self._v6 == other._v6

    def __hash__(self) -> int:
        return hash((*self._v4[0][:8], *self._v6[0][:8], len(self)))

    def __repr__(self) -> str:
        return f"Networks({', '.join(map(str, self))})"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle the arrays as buffers, which can be shared without a copy (PEP 574)."""
        return _restored, (self._given, *(PickleBuffer(column) for column in (*self._v4, *self._v6)))


def _restored(given: tuple[Network, ...], *columns: Any) -> Networks:
    networks = Networks()
    networks._given = given
    views = [memoryview(column).cast("B") for column in columns]
    networks._v4 = tuple(view.cast("I") for view in views[:2])
    networks._v6 = tuple(view.cast("Q") for view in views[2:])
    return networks


def _columns4(ranges: Iterable[Range]) -> tuple[View, ...]:
    """Return the first and the last addresses of the sorted ranges, adjacent ranges merged."""
    firsts, lasts = array("I"), array("I")
    for first, last in _merged(ranges):
        firsts.append(first)
        lasts.append(last)
    return memoryview(firsts), memoryview(lasts)


def _columns6(ranges: Iterable[Range]) -> tuple[View, ...]:
    """Return the upper and lower halves of the first addresses, and of the last addresses, adjacent ranges merged."""
    highs, lows, last_highs, last_lows = columns = array("Q"), array("Q"), array("Q"), array("Q")
    for first, last in _merged(ranges):
        highs.append(first >> 64)
        lows.append(first & _LOW)
        last_highs.append(last >> 64)
        last_lows.append(last & _LOW)
    return tuple(map(memoryview, columns))


def _merged(ranges: Iterable[Range]) -> Iterator[Range]:
    begin, end = 0, -2
    for first, last in ranges:
        if first > end + 1:
            if end >= 0:
                yield begin, end
            begin, end = first, last
        elif last > end:
            end = last
    if end >= 0:
        yield begin, end
