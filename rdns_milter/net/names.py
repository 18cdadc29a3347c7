"""Host names, addresses and mailboxes: valid? the same? aligned? what do they denote?

Pure: knows no DNS, no socket, no clock. Must never raise on what came from the network, and never call a name valid
that could break a log line, a header or a reply.

RFC 1123 2.1 and 5890 (names), 5321 4.1.3 (address literals), 8601 and 7489 3.2 (organizational domain).
"""

from __future__ import annotations

import functools
import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

from .public_suffixes import public_suffix

Address = IPv4Address | IPv6Address

MAX_NAME = 253  # octets of a name in text, without the final dot (RFC 1035 2.3.4)

# Underscores are no host name characters (RFC 952), but they occur in reverse names and greetings, and do no harm.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_DIGITS = re.compile(r"[0-9]+\Z|0x[0-9a-f]*\Z")
_LITERAL = re.compile(r"\[(?:(?P<tag>ipv6):)?(?P<text>[^\]\[]*)\]\Z", re.IGNORECASE)
_OTHER_DOTS = re.compile("[\u3002\uff0e\uff61]")  # which idna would take for "."
# RFC 6761 and 6762: nobody's names in the public DNS, so a client that bears one is misconfigured or lies.
_SPECIAL_USE = ("localhost", "local", "invalid")


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The one spelling by which names are compared: lower case, A-labels (RFC 5891), no trailing dot; "" if there is none."""
    if name.endswith("."):
        name = name[:-1]
    if len(name) > MAX_NAME or name.endswith("."):
        return ""
    if name.isascii():
        return name.lower()
    try:
        # No mapping but that of case: a look-alike (a fullwidth letter, a joiner) must not become somebody else's name.
        return "" if _OTHER_DOTS.search(name) else idna.encode(name.lower()).decode("ascii").lower()
    except (UnicodeError, ValueError, IndexError):
        return ""


@functools.lru_cache(maxsize=4096)
def is_hostname(name: str) -> bool:
    """Whether a canonical name may be used as a host's name (RFC 1123 2.1): letters, digits, hyphens (and underscores),
    labels of 1 to 63 octets, at most 253 in all, the last label not a number (it would be an address)."""
    if not 0 < len(name) <= MAX_NAME:
        return False
    labels = name.split(".")
    return all(_LABEL.match(label) for label in labels) and not _DIGITS.match(labels[-1])


def is_domain(name: str) -> bool:
    """Whether a canonical name is a host name of two labels or more: what SPF calls a domain (RFC 7208 4.3)."""
    return "." in name and is_hostname(name)


def is_special_use(name: str) -> bool:
    """Whether a canonical name lies under a top-level name that denotes no host of the public DNS (RFC 6761, 6762)."""
    return name.rpartition(".")[2] in _SPECIAL_USE


@functools.lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """The address that a text denotes, IPv4-mapped IPv6 as IPv4 (RFC 7208 5); None for anything else, scoped ones too."""
    if len(text) > 45 or "%" in text or not text.isascii():
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_literal(text: str) -> Address | None:
    """The address of an address literal, "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3), the tag left out too."""
    match = _LITERAL.match(text)
    if match is None:
        return None
    address = parse_address(match["text"])
    if match["tag"] and ":" not in match["text"]:
        return None
    return address


def reverse_name(address: Address) -> str:
    """The name whose PTR record names the address's host (RFC 1035 3.5, RFC 3596 2.5)."""
    return address.reverse_pointer


@functools.lru_cache(maxsize=4096)
def organizational_domain(name: str) -> str:
    """The name one label below the public suffix (RFC 7489 3.2); "" if the name is itself a public suffix or no domain."""
    if not is_domain(name):
        return ""
    suffix = public_suffix(name)
    labels = name.split(".")
    return ".".join(labels[-2 - suffix.count(".") :]) if len(labels) > suffix.count(".") + 1 else ""


@functools.lru_cache(maxsize=4096)
def alignment(name: str, others: tuple[str, ...]) -> str:
    """`same`, `aligned` (same organizational domain) or `different`: the best that a canonical name reaches with any of
    the others; `none` if there are no others or no name."""
    if not name or not others:
        return "none"
    if name in others:
        return "same"
    domain = organizational_domain(name)
    if domain and any(organizational_domain(other) == domain for other in others):
        return "aligned"
    return "different"
