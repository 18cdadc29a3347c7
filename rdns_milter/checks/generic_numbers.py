"""Recognize generated numbers in a PTR name: parts of the client's address, joined, in hexadecimal or in another order, and serial
numbers of dial-in servers, cable networks and hosting providers.

Pure: compares text only, in time linear in the length of the name. Never counts a number by itself: mail servers are numbered too,
but neither by their address nor in the thousands.

RFC 1912 2.1 (PTR records); no RFC defines how generic names are formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from itertools import pairwise
from typing import NamedTuple

from .generic_words import (
    BULK_SENDERS,
    DIAL_IN,
    DIAL_IN_PORTS,
    HOSTED,
    HOSTED_MANY,
    NO_PLACES,
    SERVER_PARTS,
    SHORT_SENDERS,
)


class Indicator(NamedTuple):
    """An indicator that a name is generic; with negative points, that it is not. `name`: as in Generic.pattern."""

    points: int
    name: str


NO_INDICATOR = Indicator(0, "")
WHOLE, MOST, TAIL = 5, 3, 2  # points of the whole address in the name, of most of it, and of its last two octets

_RUNS = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[a-z]+")
_HEX_TAIL = re.compile(r"[a-z]{0,8}?-?([0-9a-f]{2})[-_]?([0-9a-f]{2})\Z")
_MAC = re.compile(
    r"(?<![0-9a-f])(?=[0-9]*[a-f])(?=[a-f]*[0-9])(?:[0-9a-f]{12}(?:[0-9a-f]{4})?|(?:[0-9a-f]{2}[-:]){5}[0-9a-f]{2})(?![0-9a-z])"
)
_SPREAD = re.compile(r"([a-z]{0,24})-?([0-9]{1,3})\.[a-z]{0,12}-?([0-9]{1,3})(?:\.|\Z)")
_BETWEEN = str.maketrans("", "", ".-_")
_TWO = re.compile(r"([a-z]{1,24})(?:[0-9]{0,4}[a-z]?-)?([0-9]{1,3})[-_x]([0-9]{1,3})\Z")
_ONE = re.compile(r"[a-z]{0,8}-?([0-9]{4,12})[a-z]{0,3}\Z")
_DIAL_IN = re.compile(
    rf"(?:{'|'.join(DIAL_IN)})[0-9]{{1,5}}(?:-|-?[a-z]{{1,6}}-?)[0-9]{{1,4}}\Z"
    r"|(?:as|ts|cs|ns|bas)[0-9]{1,5}[ds][0-9]{1,4}\Z"
)
# The server after the name of a place, or a model number: "oslo-ts6-11", "as5300-2-32".
_DIAL_IN_PLACE = re.compile(
    r"[a-z]{3,16}[0-9]?-(?:ts|as|pm|tnt|max|das|ras|usr|lns)[0-9]{1,4}-[0-9]{2,3}\Z"
    r"|(?:as|ts|pm|max|tnt|usr)[0-9]{1,5}-[0-9]{1,3}-[a-z]?[0-9]{1,3}\Z"
)
_PORT = re.compile(rf"[0-9]-?(?:{'|'.join(DIAL_IN_PORTS)})-?[0-9]{{1,4}}(?![0-9])")
_HOSTED = re.compile(rf"(?:{'|'.join(HOSTED)})-?[0-9]{{4,}}\Z|(?:{'|'.join(HOSTED_MANY)})-?[0-9]{{5,}}\Z")
_SERVERS = re.compile(r"(?:srv|server|host|vserver|cloudserver)-?[0-9]{6,}\Z")
_CODE = re.compile(
    r"[a-z]{1,3}(?:[0-9]{1,4}-?[a-z]{1,2}[0-9]{2,4}|[0-9]{2,4}-?[a-z]{1,2}[0-9])(?:[a-z]{1,2}[0-9]{0,4})?\Z"
    r"|[a-z]{0,4}-?[0-9]{5,}(?:-?[a-z]{1,2})?\Z|[a-z]{1,3}[0-9]{4,6}-[a-z]{2,6}[0-9]{1,4}[a-z]{2,12}\Z"
)
_MILLIONS = re.compile(r"([a-z]{2,3}(?=-?[0-9]{6})|[a-z](?=-?[0-9]{7}))-?[0-9]+\Z")
_TWO_SERIALS = re.compile(r"([a-z]{1,3})[0-9]{4,}\.[a-z]{1,4}[0-9]{3,}(?:\.|\Z)")
# Site (three letters and a number) and role: a server, whatever the role is ("lon1rp12").
_SITE = re.compile(r"[a-z]{3}[0-9]-?[a-z]{1,3}[0-9]{1,2}\Z")
_PORT_OF = re.compile(
    r"(?:tty|port|line|slot|async|ppp|[adps])-?[0-9]{1,3}\.(?:max|tnt|pm|das|ras|usr|hiper)[0-9]{1,3}(?:\.|\Z)"
)
_HOSTED_HEX = re.compile(r"(?:vm|vps|vds|kvm|vserver|cloud|instance)-(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8}\Z")
_HEX_CODE = re.compile(r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8}\Z")
_PLACE = re.compile(r"[a-z]{3,}\Z")


def series(host: Sequence[str], address: IPv4Address | None) -> Indicator:
    """Return the strongest indicator in the labels left of the registered domain. `address`: None for IPv6, which is not
    compared here."""
    if not host:
        return NO_INDICATOR
    found = NO_INDICATOR
    if address is not None:
        found = max(_joined(host, address), _hexadecimal(host, address), key=lambda indicator: indicator.points)
    return found if found.points >= MOST else max(found, _serial(host), key=lambda indicator: indicator.points)


def _joined(host: Sequence[str], address: IPv4Address) -> Indicator:
    octets = tuple(address.packed)
    two = _TWO.match(host[0]) or _SPREAD.match(".".join(host[:2]))
    if two and two[1] not in SHORT_SENDERS and len(two[2] + two[3]) > 2:
        pair = (int(two[2]), int(two[3]))
        if pair in (octets[2:], octets[:1:-1]):
            return Indicator(MOST, "address:partial")
    runs = [run for label in host for run in _RUNS.findall(label)]
    if not any(len(run) > 3 for run in runs):
        return NO_INDICATOR
    joins = _joins(octets)
    covered: set[int] = set()
    for run in runs:
        covered |= joins.get(run, frozenset())
    if not covered:
        return NO_INDICATOR
    covered |= {octets.index(int(run)) for run in runs if len(run) < 4 and int(run) in octets}
    if len(covered) > 2:
        return Indicator(WHOLE if len(covered) == 4 else MOST, "address:joined")
    alone = _ONE.match(host[0])
    enough = covered == {2, 3} and alone is not None and alone[1] in joins
    return Indicator(MOST if enough and alone and len(alone[1]) > 4 else TAIL, "address:joined")


def _joins(octets: tuple[int, ...]) -> Mapping[str, frozenset[int]]:
    """Return each text that two or three adjacent octets can form, with the positions of its octets. The octets are joined forward
    and backward, with and without leading zeros."""
    found: dict[str, frozenset[int]] = {}
    for places in _neighbours():
        which = frozenset(places)
        for first, *rest in (places, places[::-1]):
            padded = "".join(f"{octets[place]:03d}" for place in (first, *rest))
            plain = "".join(str(octets[place]) for place in (first, *rest))
            mixed = f"{octets[first]}" + "".join(f"{octets[place]:03d}" for place in rest)
            found |= {text: which for text in (padded, plain, mixed) if len(text) > 3}
    return found


def _neighbours() -> Iterator[tuple[int, ...]]:
    yield from pairwise(range(4))
    yield from ((0, 1, 2), (1, 2, 3))


def _hexadecimal(host: Sequence[str], address: IPv4Address) -> Indicator:
    flat = "".join(host).translate(_BETWEEN)
    octets = address.packed
    if octets.hex() in flat or octets[::-1].hex() in flat:
        return Indicator(WHOLE, "address:hex")
    tail = _HEX_TAIL.match(host[0])
    if tail and tail[1] + tail[2] in (octets[2:].hex(), octets[:1:-1].hex()) and _RUNS.search(host[0]):
        return Indicator(MOST, "address:hex")
    return NO_INDICATOR


def _serial(host: Sequence[str]) -> Indicator:
    first, second = host[0], host[1] if len(host) > 1 else ""
    if (
        _DIAL_IN.match(first)
        or _DIAL_IN_PLACE.match(first)
        or _PORT.search(first)
        or _PORT_OF.match(f"{first}.{second}")
    ):
        return Indicator(MOST, "word:dial-in")
    if second in HOSTED and sum(map(len, _RUNS.findall(first))) > 2:
        return Indicator(WHOLE, "word:hosted")  # the first label can be any name with digits
    if _SERVERS.match(first):
        return Indicator(WHOLE, "word:hosted")
    if (
        _HOSTED.match(first)
        or _HOSTED_HEX.match(first)
        or (second in (*HOSTED, *HOSTED_MANY) and _HEX_CODE.match(first))
    ):
        return Indicator(MOST, "word:hosted")
    if _MAC.search(first):
        return Indicator(MOST, "address:mac")
    long = _MILLIONS.match(first) or _TWO_SERIALS.match(f"{first}.{second}")
    if long and long[1] not in BULK_SENDERS and long[1] not in SERVER_PARTS:
        return Indicator(MOST, "address:serial-code")
    if _PLACE.match(second) and second not in NO_PLACES and _code(first):
        return Indicator(MOST, "address:serial-code")
    return NO_INDICATOR


def _code(first: str) -> bool:
    """Return whether the label is a serial code. A label is none if it contains an abbreviation of a server's role, such as
    "dc1ex02", names a site, or begins with the name of a bulk sender."""
    if not _CODE.match(first) or _SITE.match(first) or sum(map(len, _RUNS.findall(first))) < 4:
        return False
    parts = _LETTERS.findall(first)
    return not (SERVER_PARTS.intersection(parts) or (parts and parts[0] in BULK_SENDERS))
