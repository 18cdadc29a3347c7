"""A zone as people write it: one record or behaviour a line, or a dict of them (RFC 1035 5.1, much simplified).

    ; comment                                 blank lines and comments are nothing
    $TTL 60                                   for the lines that follow; 300 at first
    mail.example.com   A  192.0.2.1           names are absolute, with or without the last dot
    mail.example.com 5 AAAA 2001:db8::1       a TTL in seconds may stand before the type
    192.0.2.1          PTR mail.example.com   an address as owner is its reverse name
    example.com        TXT v=spf1 mx -all     unquoted: one string; quoted: as the RFC has it
    *.pool.example     A  192.0.2.99          wildcard (RFC 4592)
    odd\\032name.example A 192.0.2.3           \\DDD escapes
    dead.example       SILENT                 a behaviour for every type
    192.0.2.9          PTR!DELAY 1.5          ... for one type, with an argument
    dead.example       !SILENT                the same as SILENT alone

Words of behaviours: tests.kit.dns.hostile.behaviours.BEHAVIOURS, in any case.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

import dns.exception
import dns.name
import dns.rdatatype
import dns.reversename
from dns.name import Name
from dns.rdatatype import RdataType

from tests.kit.dns.entries import Behaviour, Entry, Record
from tests.kit.dns.hostile import behaviours
from tests.kit.dns.rdata import Value, read_rdata

TTL = 300
_LINE = re.compile(r"(?P<owner>\S+)\s+(?:(?P<ttl>\d+)\s+)?(?:IN\s+)?(?P<word>\S+)(?:\s+(?P<rest>.*))?")
_CODE = re.compile(r'(?:[^;"\\]|\\.|"(?:[^"\\]|\\.)*")*')
Listing = Mapping[str, Iterable[str | tuple[str, Value] | tuple[str, Value, int]]]


def read_owner(text: str) -> Name:
    """Return the name in an owner field. Raises ValueError or dns.exception.DNSException."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        text.encode("ascii")  # no IDNA here: what is written is what is on the wire
        return dns.name.from_text(text)
    return dns.reversename.from_address(str(address))


def read_text(text: str, ttl: int = TTL) -> Iterator[Entry]:
    """Return the entries of a zone text. Raises ValueError that names the line."""
    for number, line in enumerate(text.split("\n"), 1):
        code = _CODE.match(line)
        bare = code[0].strip() if code else ""
        try:
            if bare.startswith("$"):
                ttl = _directive(bare)
            elif bare:
                yield _read_line(bare, ttl)
        except (ValueError, dns.exception.DNSException) as why:
            raise ValueError(f"line {number}: {line.strip()!r}: {why}") from why


def _directive(line: str) -> int:
    word, _, value = line.partition(" ")
    if word.upper() != "$TTL":
        raise ValueError(f"unknown directive {word}")
    return int(value)


def _read_line(line: str, ttl: int) -> Entry:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise ValueError("not: owner [ttl] TYPE data")
    return entry(parts["owner"], parts["word"], parts["rest"] or "", int(parts["ttl"] or ttl))


def read_mapping(zone: Listing, ttl: int = TTL) -> Iterator[Entry]:
    """Return the entries of `{owner: [(type, data), (type, data, ttl), "TYPE data", ...]}`. Raises ValueError that names the
    entry."""
    for owner, rights in zone.items():
        for right in rights:
            try:
                if isinstance(right, str):
                    yield _read_line(f"{owner} {right}", ttl)
                else:
                    yield entry(owner, right[0], right[1], right[2] if len(right) > 2 else ttl)
            except (ValueError, dns.exception.DNSException) as why:
                raise ValueError(f"{owner!r}: {right!r}: {why}") from why


def entry(owner: str, word: str, value: Value, ttl: int) -> Entry:
    """Return the record or behaviour in the fields of a line. Raises ValueError or dns.exception.DNSException."""
    name = read_owner(owner)
    rdtype, bang, behaviour = word.partition("!")
    known = _rdtype(rdtype)
    if bang or known is None:
        if bang and rdtype and known is None:
            raise ValueError(f"unknown type {rdtype}")
        return Behaviour(name, known, *behaviours.read(behaviour if bang else word, str(value)))
    return Record(name, ttl, read_rdata(known, value))


def _rdtype(text: str) -> RdataType | None:
    try:
        return dns.rdatatype.from_text(text) if text else None
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        return None
