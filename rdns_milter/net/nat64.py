"""IPv4 addresses embedded in IPv6 ones by a translator between the two (NAT64, SIIT).

Pure. A client whose address has one of the administrator's prefixes is the IPv4 address in it: that is what has a reverse name,
and what SPF records name.

RFC 6052 2.1 and 2.2 (prefixes and where the address stands), 3.1 (the well-known prefix), RFC 8215 (prefix for local use).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from .names import Address

LENGTHS = (32, 40, 48, 56, 64, 96)  # of prefixes (RFC 6052 2.2)
WELL_KNOWN = IPv6Network("64:ff9b::/96")
LOCAL_USE = IPv6Network("64:ff9b:1::/48")
_RESERVED = 8  # octet that is always zero, and that the IPv4 address leaves out
# No host on the other side of a translator has such an address. Translated, a stranger could pass for this host.
_NEVER = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")))
# RFC 6052 3.1: addresses that are not global must not be written with the well-known prefix, nor translated.
_NOT_GLOBAL = tuple(
    map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"))
)


def parse_prefix(text: str) -> IPv6Network:
    """The prefix of "64:ff9b::/96". Raises ValueError that says what is wrong with it."""
    if "%" in text or "/" not in text:
        raise ValueError(f"{text!a} is no prefix of a translator; write it as 64:ff9b::/96")
    try:
        prefix = IPv6Network(text)
    except ValueError as error:
        raise ValueError(f"{text!a} is no prefix of a translator: {error}") from None
    if prefix.prefixlen not in LENGTHS:
        raise ValueError(
            f"{text!a}: a translator's prefix has {', '.join(map(str, LENGTHS[:-1]))} or {LENGTHS[-1]} bits"
        )
    if prefix.network_address.packed[_RESERVED]:
        raise ValueError(f"{text!a}: bits 64 to 71 of a translator's prefix are zero")
    return prefix


def translated(address: Address, prefixes: Iterable[IPv6Network]) -> Address:
    """The IPv4 address embedded in an address that has one of the prefixes, the longest that it has; else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    matching = [prefix for prefix in prefixes if address in prefix]
    if not matching:
        return address
    longest = max(matching, key=lambda prefix: prefix.prefixlen)
    return embedded(address, longest) or address


def embedded(address: IPv6Address, prefix: IPv6Network) -> IPv4Address | None:
    """The IPv4 address that stands behind the prefix; None if there can be none. What follows upon it is ignored."""
    octets = address.packed
    if octets[_RESERVED]:
        return None
    first = prefix.prefixlen // 8
    places = [place for place in range(first, 16) if place != _RESERVED or prefix.prefixlen == 96][:4]
    found = IPv4Address(bytes(octets[place] for place in places))
    unusable = _NEVER + _NOT_GLOBAL if prefix == WELL_KNOWN else _NEVER
    return None if any(found in network for network in unusable) else found


def seems_translated(address: Address | None) -> bool:
    """Whether an address has a prefix that only translators use, whoever runs them."""
    return isinstance(address, IPv6Address) and (address in WELL_KNOWN or address in LOCAL_USE)
