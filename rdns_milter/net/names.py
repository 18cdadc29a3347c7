"""Host names and addresses: canonical forms and validity.

Pure: no DNS, no socket, no clock. Must never raise on text from the network, and never accept as a name what could break a log
line, a header or a reply.

RFC 1123 2.1 and 5890 (names), 5321 4.1.3 (address literals).
"""

from __future__ import annotations

import functools
import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

Address = IPv4Address | IPv6Address

MAX_NAME = 253  # characters of a name in text, without the final dot (RFC 1035 2.3.4)

# RFC 952 does not allow underscores in host names, but they occur in reverse names and greetings, and are harmless.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_DIGITS = re.compile(r"[0-9]+\Z|0x[0-9a-f]*\Z")
_LITERAL = re.compile(r"\[(?:(?P<tag>ipv6):)?(?P<text>[^\]\[]*)\]\Z", re.IGNORECASE)
_OTHER_DOTS = re.compile("[\u3002\uff0e\uff61]")  # idna takes them for "."
# RFC 6761 and 6762: top-level names that the public DNS does not have. A client with such a name is misconfigured or lies.
_SPECIAL_USE = ("localhost", "local", "invalid")
# Top-level names that networks use for themselves (RFC 6762 appendix G; "internal" is reserved for that).
_PRIVATE = frozenset(("corp", "home", "internal", "intranet", "lan", "localdomain", "private"))


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """Return the form by which names are compared: lower case, A-labels (RFC 5891), no trailing dot; "" if the name has no such
    form."""
    if name.endswith("."):
        name = name[:-1]
    if len(name) > MAX_NAME or name.endswith("."):
        return ""
    if name.isascii():
        return name.lower()
    try:
        # Only case is mapped: a name with a fullwidth letter or a joiner must not become another domain's name.
        return "" if _OTHER_DOTS.search(name) else idna.encode(name.lower()).decode("ascii").lower()
    except (UnicodeError, ValueError, IndexError):
        return ""


@functools.lru_cache(maxsize=4096)
def is_hostname(name: str) -> bool:
    """Return whether a canonical name is a valid host name (RFC 1123 2.1): letters, digits, hyphens and underscores, labels of 1 to
    63 characters, at most 253 in all, and a last label that is not a number (it would be an address)."""
    if not 0 < len(name) <= MAX_NAME:
        return False
    labels = name.split(".")
    return all(_LABEL.match(label) for label in labels) and not _DIGITS.match(labels[-1])


def is_domain(name: str) -> bool:
    """Return whether a canonical name is a host name of two labels or more, as SPF requires of a domain (RFC 7208 4.3)."""
    return "." in name and is_hostname(name)


def is_special_use(name: str) -> bool:
    """Return whether the top-level name of a canonical name does not exist in the public DNS (RFC 6761, 6762)."""
    return name.rpartition(".")[2] in _SPECIAL_USE


def is_local(name: str) -> bool:
    """Return whether a canonical name has a meaning only on its own network: it has a single label, is no host name, or has a
    top-level name that the public DNS does not have (RFC 6761; RFC 6762 appendix G)."""
    return not is_domain(name) or is_special_use(name) or name.rpartition(".")[2] in _PRIVATE


@functools.lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Return the address that the text denotes, an IPv4-mapped one as IPv4 (RFC 7208 5); None for any other text, also for an
    address with a zone."""
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
    """Return the address of an address literal, "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). A missing "IPv6:" is
    accepted. None for any other text."""
    match = _LITERAL.match(text)
    if match is None:
        return None
    address = parse_address(match["text"])
    if match["tag"] and ":" not in match["text"]:
        return None
    return address


def reverse_name(address: Address) -> str:
    """Return the name at which the PTR records of the address are (RFC 1035 3.5, RFC 3596 2.5)."""
    return address.reverse_pointer
