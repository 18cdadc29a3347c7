"""The section [dnslists], and the values of the condition `dnslist`, which name its entries.

Pure. Raises ValueError, or adds to the errors of the file; makes no query.

RFC 5782 2.1 and 2.4 (DNS lists of IPv4 and IPv6 addresses).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ...net.names import canonical, is_domain
from ...policy.rules import Listing, Listings, Octets
from ...text.toml import quoted
from ..condition_types import ConditionType
from ..errors import ErrorCollector
from ..hints.did_you_mean import suggestion

DNS_LISTS = "dnslists"  # the section
MAX_DNS_LISTS = 20
MAX_PROVIDERS = 20  # domains in conditions `client_spf`
_MAX_ZONE = 253 - 64  # characters; before it stand 32 hexadecimal digits and their dots (RFC 5782 2.4)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_OCTET = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?\Z")


def read_dns_lists(table: object, errors: ErrorCollector) -> Mapping[str, str]:
    """Return the zone of each list by its name. Adds to `errors`."""
    if not isinstance(table, dict):
        errors.add((DNS_LISTS,), f'must be a table: [{DNS_LISTS}], and below it lines such as dnswl = "list.dnswl.org"')
        return {}
    if len(table) > MAX_DNS_LISTS:
        errors.add((DNS_LISTS,), f"has {len(table)} lists; the maximum is {MAX_DNS_LISTS}")
        return {}
    zones = {}
    for name, value in table.items():
        zones[name] = canonical(value) if isinstance(value, str) else ""
        if not _NAME.match(name):
            errors.add((DNS_LISTS, name), "the name of a DNS list has only letters, digits, hyphens and underscores")
        if not is_domain(zones[name]) or len(zones[name]) > _MAX_ZONE:
            errors.add(
                (DNS_LISTS, name), f'must be the domain of a DNS list, such as "list.dnswl.org", not {quoted(value)}'
            )
    return MappingProxyType(zones)


def dns_list_type(zones: Mapping[str, str]) -> ConditionType:
    """Return the type of the condition `dnslist`. `zones`: the zone of each configured list, by the list's name."""

    def read(text: str) -> Listing:
        name, colon, answers = text.partition(":")
        if name not in zones:
            there = suggestion(name, zones) if zones else f"; [{DNS_LISTS}] is empty"
            raise ValueError(f"there is no DNS list {quoted(name)}{there}")
        return Listing(name, zones[name], _octets(answers) if colon else ())

    expected = 'the name of a DNS list ("dnswl"), with the answers that count after a colon ("dnswl:127.0.*.2-3")'
    return ConditionType(expected, read, _combine, _only)


def _combine(found: Iterable[Any]) -> Listings:
    return Listings(frozenset(found))


def _only(parts: Any) -> Any:
    (part,) = parts
    return part


def _octets(text: str) -> Octets:
    """Read "127.0.*.2-3". Raises ValueError."""
    octets = tuple(map(_octet, text.split(".")))
    ranges = tuple(each for each in octets if each is not None)
    if len(octets) != 4 or len(ranges) != 4:
        raise ValueError(
            f"{quoted(text)} is no pattern of answers: four numbers from 0 to 255, ranges such as 2-3, or *, separated by dots"
        )
    if not ranges[0][0] <= 127 <= ranges[0][1]:
        raise ValueError(f"{quoted(text)} can match no answer: those of DNS lists are in 127.0.0.0/8")
    if ranges[1:3] == ((255, 255), (255, 255)) or (ranges[1], ranges[3]) == ((0, 0), (255, 255)):
        raise ValueError(
            f"{quoted(text)} can match no answer: with 127.255.255.0/24 and with 127.0.*.255 a list refuses the query"
        )
    return ranges


def _octet(text: str) -> tuple[int, int] | None:
    if text == "*":
        return 0, 255
    match = _OCTET.match(text)
    if match is None:
        return None
    low, high = int(match[1]), int(match[2] or match[1])
    return (low, high) if low <= high <= 255 else None
