"""Extract the IPv4 address that a translator (NAT64, SIIT) has embedded in an IPv6 address.

Pure. A client whose address has one of the configured prefixes is judged by the embedded IPv4 address, because the reverse name and
the SPF records are those of the IPv4 address. Must never yield an address of this host or of a private network for a foreign
client.

RFC 6052 2.1 and 2.2 (prefixes and where the address stands), 3.1 (the well-known prefix), RFC 8215 (prefix for local use).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from .names import Address

LENGTHS = (32, 40, 48, 56, 64, 96)  # of prefixes, in bits (RFC 6052 2.2)
WELL_KNOWN = IPv6Network("64:ff9b::/96")
LOCAL_USE = IPv6Network("64:ff9b:1::/48")
_RESERVED = 8  # index of the byte that is always zero and is not part of the IPv4 address
# A host behind a translator cannot have these addresses. If they were translated, a foreign client could pass for this host.
_NEVER = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")))
# RFC 6052 3.1: the well-known prefix must not be used with addresses that are not global.
_NOT_GLOBAL = tuple(
    map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"))
)


def parse_prefix(text: str) -> IPv6Network:
    """Parse a translator's prefix, such as "64:ff9b::/96". Raises ValueError with the reason."""
    if "%" in text or "/" not in text:
        raise ValueError(f"{text!a} is not the prefix of a translator; write it as in 64:ff9b::/96")
    try:
        prefix = IPv6Network(text)
    except ValueError as error:
        raise ValueError(f"{text!a} is not the prefix of a translator: {error}") from None
    if prefix.prefixlen not in LENGTHS:
        raise ValueError(
            f"{text!a}: a translator's prefix has {', '.join(map(str, LENGTHS[:-1]))} or {LENGTHS[-1]} bits"
        )
    if prefix.network_address.packed[_RESERVED]:
        raise ValueError(f"{text!a}: bits 64 to 71 of a translator's prefix must be zero")
    return prefix


def translated(address: Address, prefixes: Iterable[IPv6Network]) -> Address:
    """Return the IPv4 address embedded behind the longest matching prefix; the address itself if no prefix matches, or if the
    embedded address is not usable."""
    if isinstance(address, IPv4Address):
        return address
    matching = [prefix for prefix in prefixes if address in prefix]
    if not matching:
        return address
    longest = max(matching, key=lambda prefix: prefix.prefixlen)
    return embedded(address, longest) or address


def embedded(address: IPv6Address, prefix: IPv6Network) -> IPv4Address | None:
    """Return the IPv4 address behind the prefix; None if it is not usable. The bits after the IPv4 address are ignored."""
    packed = address.packed
    if packed[_RESERVED]:
        return None
    first = prefix.prefixlen // 8
    indices = [index for index in range(first, 16) if index != _RESERVED or prefix.prefixlen == 96][:4]
    found = IPv4Address(bytes(packed[index] for index in indices))
    unusable = _NEVER + _NOT_GLOBAL if prefix == WELL_KNOWN else _NEVER
    return None if any(found in network for network in unusable) else found


def seems_translated(address: Address | None) -> bool:
    """Return whether the address has a prefix that RFC 6052 or RFC 8215 reserves for translators."""
    return isinstance(address, IPv6Address) and (address in WELL_KNOWN or address in LOCAL_USE)
