"""Convert the `zonedata` of SPF test suites (rfc7208-tests.yml and others) to entries of a zone.

Each name has a list of mappings {TYPE: value} with one entry each. An SPF value is also a TXT value, unless the name has TXT
values; `TXT: NONE` is no record, but prevents this copy. `TIMEOUT` without a type: all types without a record before it time out.
`{TYPE: TIMEOUT}`: this type times out. `{RCODE: n}`: all answers have this rcode. Names are taken byte by byte, without escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import dns.name
import dns.rdatatype
from dns.name import Name
from dns.rdata import Rdata

from tests.kit.dns.entries import Behaviour, Entry, Record
from tests.kit.dns.message import TTL, rdata
from tests.kit.dns.rdata import TEXTS, read_rdata

Value = str | int | Sequence[str | int]
Item = str | Mapping[str, Value]
Timeout = Literal["servfail", "silent"]

TYPES = ("A", "AAAA", "CNAME", "MX", "PTR", "SPF", "TXT")
_NONE = ("NONE", ["NONE"])


def read_suite(zonedata: Mapping[str, Iterable[Item]], timeout: Timeout = "servfail") -> Iterator[Entry]:
    """Yield the entries of a scenario. `timeout`: the behaviour that TIMEOUT becomes."""
    for owner, items in zonedata.items():
        name = plain_name(owner)
        pairs = list(_pairs(items))
        seen: set[str] = set()
        for word, value in pairs:
            if word == "TIMEOUT":
                missing = (dns.rdatatype.from_text(each) for each in TYPES if each not in seen)
                yield from (Behaviour(name, each, timeout) for each in missing)
            elif word == "RCODE":
                yield Behaviour(name, None, "rcode", int(str(value)))
            elif value == "TIMEOUT":
                yield Behaviour(name, dns.rdatatype.from_text(word), timeout)
            elif value not in _NONE:
                seen.add(word)
                yield Record(name, TTL, _rdata(word, value))


def _pairs(items: Iterable[Item]) -> Iterator[tuple[str, Value]]:
    copies: list[tuple[str, Value]] = []
    own_txt = False
    for item in items:
        if isinstance(item, str):
            yield item, ""
            continue
        for word, value in item.items():
            yield word, value
            own_txt |= word == "TXT"
            if word == "SPF":
                copies.append(("TXT", value))
    if not own_txt:
        yield from copies


def plain_name(text: str) -> Name:
    """Return the name whose labels are the texts between the dots; empty labels are left out."""
    return dns.name.Name([*(label.encode("utf-8") for label in text.split(".") if label), b""])


def _rdata(word: str, value: Value) -> Rdata:
    rdtype = dns.rdatatype.from_text(word)
    if rdtype in TEXTS:
        return read_rdata(rdtype, [value] if isinstance(value, str) else [str(each) for each in _sequence(value)])
    if word == "MX":
        preference, host = _sequence(value)
        return rdata(rdtype, f"{preference} {plain_name(str(host))}")
    if word in ("PTR", "CNAME"):
        return rdata(rdtype, plain_name(str(value)).to_text())
    return rdata(rdtype, str(value))


def _sequence(value: Value) -> Sequence[str | int]:
    return [value] if isinstance(value, str | int) else value
