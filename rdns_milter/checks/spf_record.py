"""Select the SPF record of a domain, and parse it by the grammar of RFC 7208 section 12 into mechanisms, `redirect=` and `exp=`.

Pure: expands no macro, makes no lookup, does not use pyspf. The whole record is checked before any of it is used (4.6), so that
evaluation and prefetch agree. Takes time linear in the length of the record, which is at most MAX_RECORD bytes.

RFC 7208 4.5 (selecting records), 4.6 (record evaluation), 5 (mechanisms), 6 (modifiers), 12 (grammar); RFC 5234 2.3 (its strings
are case-insensitive).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import NamedTuple

from .spf_macros import MacroError, check_macros, ends_in_domain

MAX_RECORD = 4096  # bytes of a record that is evaluated; RFC 7208 3.4 recommends less than 512
MAX_TERM = 512  # bytes of a term
# Many senders include the records of the same providers, so parsed records are cached. Those of a hostile zone, with as many terms
# as 512 bytes can have, take about 50 KB each.
MAX_CACHED = 512  # bytes of a record
CACHED_RECORDS = 256

_VERSION = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)\Z", re.IGNORECASE | re.DOTALL)
_MECHANISM = re.compile(r"([+?~-]?)([a-z0-9]+)(?:(:)(.*))?\Z", re.IGNORECASE | re.DOTALL)
_LENGTHS = re.compile(r"(?:/([0-9]+))?(?://([0-9]+))?\Z")
_LENGTH = re.compile(r"(?:0|[1-9][0-9]{0,2})\Z")
_FAMILIES: Mapping[str, type[IPv4Address | IPv6Address]] = MappingProxyType({"ip4": IPv4Address, "ip6": IPv6Address})
# Mechanisms that take a domain-spec, and whether it is required.
_NEEDS_DOMAIN: Mapping[str, bool] = MappingProxyType(
    {"include": True, "exists": True, "a": False, "mx": False, "ptr": False}
)
_VERSIONS: Mapping[str, int] = MappingProxyType({"ip4": 4, "ip6": 6})
_DUAL_CIDR = frozenset(("a", "mx"))


class RecordError(ValueError):
    """A record has a syntax error, or there are several records. The result of the check is permerror (RFC 7208 4.5, 4.6)."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A mechanism. `text`: the term as written in the record; `argument`: domain-spec or network, "" for the current domain;
    `length4`, `length6`: prefix lengths for IPv4 and IPv6 clients; `network`: the address of `ip4` and `ip6` as a number."""

    text: str
    qualifier: str
    kind: str
    argument: str = ""
    length4: int = 32
    length6: int = 128
    network: int = field(default=0, compare=False)

    @property
    def version(self) -> int | None:
        """The IP version of `ip4` and `ip6`, None for other mechanisms."""
        return _VERSIONS.get(self.kind)

    @property
    def needs_no_lookup(self) -> bool:
        """Whether the mechanism is `ip4`, `ip6` or `all`."""
        return self.kind not in _NEEDS_DOMAIN

    def length(self, version: int) -> int:
        """Return the prefix length for a client of that IP version."""
        return self.length4 if version == 4 else self.length6


class Record(NamedTuple):
    """A valid record. `redirect`, `explanation`: the domain-specs of these modifiers, "" if absent; `redirect` is also "" in a
    record with `all`, where it is ignored (RFC 7208 5.1)."""

    mechanisms: tuple[Mechanism, ...] = ()
    redirect: str = ""
    explanation: str = ""


def select(values: Iterable[object]) -> bytes | None:
    """Return the SPF record among the strings of a TXT answer (RFC 7208 4.5), None if there is none. Raises RecordError if there
    are several."""
    records = [value for value in values if isinstance(value, bytes) and _VERSION.match(value)]
    if len(records) > 1:
        raise RecordError("Two or more type TXT spf records found.")
    return records[0] if records else None


def parse(text: str) -> Record:
    """Parse a record, including its version. Raises RecordError."""
    return _parse_short(text) if len(text) <= MAX_CACHED else _parse(text)


@functools.lru_cache(maxsize=CACHED_RECORDS)
def _parse_short(text: str) -> Record:
    return _parse(text)


def _parse(text: str) -> Record:
    if len(text) > MAX_RECORD:
        raise RecordError(f"Record of {len(text)} bytes")
    terms = [term for term in text.split(" ")[1:] if term]
    if terms and max(map(len, terms)) > MAX_TERM:
        raise RecordError(f"Term of more than {MAX_TERM} bytes")
    mechanisms: list[Mechanism] = []
    known: dict[str, str] = {}
    for term in terms:
        modifier = _MODIFIER.match(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name not in ("redirect", "exp"):
            # RFC 7208 6: unknown modifiers are ignored wherever and however often they appear, if their syntax is valid.
            _check_macros(term, value)
            continue
        if name in known:
            raise RecordError(f"{name}= appears more than once: {term}")
        known[name] = _domain_spec(term, value)
    has_all = any(mechanism.kind == "all" for mechanism in mechanisms)
    return Record(tuple(mechanisms), "" if has_all else known.get("redirect", ""), known.get("exp", ""))


def _mechanism(term: str) -> Mechanism:
    lengths = _LENGTHS.search(term) if "/" in term else None
    found = _MECHANISM.match(term[: lengths.start()] if lengths else term)
    if found is None:
        raise RecordError(f"Unknown mechanism found: {term}")
    qualifier, kind, colon, argument = found[1] or "+", found[2].lower(), found[3], found[4] or ""
    first, second = (lengths[1], lengths[2]) if lengths else (None, None)
    if kind in _FAMILIES:
        return _network(term, qualifier, kind, argument, first, second)
    if (first or second) and kind not in _DUAL_CIDR and (kind in _NEEDS_DOMAIN or kind == "all"):
        raise RecordError(f"CIDR not allowed: {term}")
    if kind == "all" and not colon:
        return Mechanism(term, qualifier, kind)
    if kind not in _NEEDS_DOMAIN:
        raise RecordError(f"Unknown mechanism found: {term}")
    if colon or _NEEDS_DOMAIN[kind]:
        _domain_spec(term, argument)
    return Mechanism(term, qualifier, kind, argument, _length(term, first, 32), _length(term, second, 128))


def _network(term: str, qualifier: str, kind: str, network: str, first: str | None, second: str | None) -> Mechanism:
    """Parse `ip4` or `ip6`, which take a single prefix length."""
    family = _FAMILIES[kind]
    if second:
        raise RecordError(f"Dual CIDR not allowed: {term}")
    try:
        # The grammar has no zone ("%eth0"), which Python would accept.
        address = family(network if "%" not in network else "")
    except ValueError:
        raise RecordError(f"Invalid {kind.upper()} address: {term}") from None
    length = _length(term, first, address.max_prefixlen)
    return Mechanism(term, qualifier, kind, network, length, length, int(address))


def _length(term: str, digits: str | None, largest: int) -> int:
    """Parse a prefix length: without leading zeros, at most `largest`, which is also the default."""
    if digits is None:
        return largest
    if _LENGTH.match(digits) is None or int(digits) > largest:
        raise RecordError(f"Invalid {'IP4' if largest == 32 else 'IP6'} CIDR length: {term}")
    return int(digits)


def _domain_spec(term: str, text: str) -> str:
    """Return the text if it is a valid domain-spec. Raises RecordError."""
    if not text:
        raise RecordError(f"Missing domain: {term}")
    _check_macros(term, text, in_domain=True)
    if not ends_in_domain(text):
        raise RecordError(f"Invalid domain found: {term}")
    return text


def _check_macros(term: str, text: str, in_domain: bool = False) -> None:
    try:
        check_macros(text, in_domain)
    except MacroError as error:
        raise RecordError(f"{error}: {term}") from error
