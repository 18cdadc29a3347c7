"""The data of the tests' name server, and its answer to a question (RFC 1034 4.3.2).

A zone answers like a recursive resolver: it follows CNAME and DNAME, supports wildcards (RFC 4592),
distinguishes NXDOMAIN from NODATA (RFC 8020: empty non-terminals exist), and puts a SOA record into negative answers (RFC 2308).
Pure: no socket, no clock, immutable. The text format: tests.kit.dns.zone_text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dns.name
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import ANY, CNAME, DNAME, SOA, RdataType
from dns.rrset import RRset

from tests.kit.data.spf.suite_zone import Item, Timeout, read_suite
from tests.kit.dns.entries import Behaviour, Entry, Found, Record
from tests.kit.dns.hostile import behaviours as hostile_behaviours
from tests.kit.dns.message import rdata, rrset
from tests.kit.dns.zone_text import TTL, Listing, read_mapping, read_owner, read_text

NEGATIVE_TTL = 300
FOLLOW_MAX = 64
WILD = b"*"

Source = str | Listing | Iterable[Entry]


@dataclass(slots=True)
class _Node:
    sets: dict[RdataType, Rdataset] = field(default_factory=dict)
    behaviours: list[Behaviour] = field(default_factory=list)


class Zone:
    """Names with their records and behaviours.

    `sources`: zone texts, dicts `{owner: [(type, data), ...]}`, or entries, one after another. `negative_ttl`: the TTL of the SOA
    record in negative answers if no SOA record of the zone is above the name. Raises ValueError for a source that cannot be read.
    """

    def __init__(self, *sources: Source, ttl: int = TTL, negative_ttl: int = NEGATIVE_TTL) -> None:
        self.ttl, self.negative_ttl = ttl, negative_ttl
        self.entries: tuple[Entry, ...] = tuple(each for source in sources for each in _read(source, ttl))
        soa = f"ns.hx.example. hostmaster.hx.example. 1 3600 600 86400 {negative_ttl}"
        self._default_soa = rrset(dns.name.root, [rdata(SOA, soa)], negative_ttl)
        self._nodes: dict[Name, _Node] = {dns.name.root: _Node()}
        for each in self.entries:
            self._add(each)

    @classmethod
    def from_file(cls, path: str | Path) -> Zone:
        """Return the zone in a text file. Raises ValueError, OSError."""
        return cls(Path(path).read_text("utf-8"))

    @classmethod
    def from_suite(cls, zonedata: Mapping[str, Iterable[Item]], timeout: Timeout = "servfail") -> Zone:
        """Return the zone of one scenario of an SPF test suite; TIMEOUT becomes SERVFAIL or silence."""
        return cls(read_suite(zonedata, timeout))

    def plus(self, *sources: Source) -> Zone:
        """Return a new zone with these sources added."""
        return Zone(self.entries, *sources, ttl=self.ttl, negative_ttl=self.negative_ttl)

    def lookup(self, name: Name | str, rdtype: RdataType | str) -> Found:
        """Return the zone's answer to this question. A name as text may be an address, like an owner in a zone text."""
        qname = read_owner(name) if isinstance(name, str) else name
        qtype = dns.rdatatype.from_text(rdtype) if isinstance(rdtype, str) else rdtype
        chain: list[RRset] = []
        behaviours: list[Behaviour] = []
        here, seen = qname, {qname}
        while True:
            node, aliases = self._find(here)
            last = _records(node, here, qtype) if node else []
            if node:
                behaviours += [each for each in node.behaviours if each.concerns(qtype)]
                if not last and not aliases:
                    aliases = _records(node, here, CNAME)
            if last or not aliases:
                break
            chain += aliases
            here = _target(aliases[-1])
            if here in seen or len(seen) > FOLLOW_MAX:
                return Found(dns.rcode.NOERROR, tuple(chain), self._soa(here), False, tuple(behaviours))
            seen.add(here)
        rcode: Rcode = dns.rcode.NOERROR if node else dns.rcode.NXDOMAIN
        nodata = node is not None and not last
        return Found(rcode, (*chain, *last), self._soa(here), nodata, tuple(behaviours))

    def _add(self, each: Entry) -> None:
        node = self._node(each.owner)
        if isinstance(each, Record):
            node.sets.setdefault(each.rdata.rdtype, Rdataset(IN, each.rdata.rdtype)).add(each.rdata, each.ttl)
            return
        node.behaviours.append(each)
        if hostile_behaviours.BEHAVIOURS[each.word].below:
            wild = self._nodes.setdefault(dns.name.Name((WILD, *each.owner.labels)), node)
            if wild is not node:
                wild.behaviours.append(each)

    def _node(self, name: Name) -> _Node:
        for above in _upward(name):
            if above in self._nodes:
                break
            self._nodes[above] = _Node()
        return self._nodes[name]

    def _find(self, name: Name) -> tuple[_Node | None, list[RRset]]:
        """Return the node of a name: its own, or that of a wildcard (RFC 4592); or an empty one and the alias of a DNAME above."""
        if name in self._nodes:
            return self._nodes[name], []
        above = next(each for each in _upward(name) if each in self._nodes)
        for encloser in _upward(above):
            dname = self._nodes[encloser].sets.get(DNAME)
            if dname is not None:
                return _Node(), _synthesised(name, encloser, dname)
        return self._nodes.get(dns.name.Name((WILD, *above.labels))), []

    def _soa(self, name: Name) -> RRset:
        for above in _upward(name):
            node = self._nodes.get(above)
            if node and SOA in node.sets:
                soa = node.sets[SOA]
                return rrset(above, soa, min(soa.ttl, soa[0].minimum))
        return self._default_soa


def _read(source: Source, ttl: int) -> Iterable[Entry]:
    if isinstance(source, str):
        return read_text(source, ttl)
    if isinstance(source, Mapping):
        return read_mapping(source, ttl)
    return source


def _records(node: _Node, owner: Name, rdtype: RdataType) -> list[RRset]:
    sets = node.sets.values() if rdtype == ANY else [node.sets[rdtype]] if rdtype in node.sets else []
    return [rrset(owner, each, each.ttl) for each in sets]


def _upward(name: Name) -> Iterable[Name]:
    yield name
    while name != dns.name.root:
        name = name.parent()
        yield name


def _target(alias: RRset) -> Name:
    target: Name = alias[0].target
    return target


def _synthesised(name: Name, encloser: Name, dname: Rdataset) -> list[RRset]:
    """Return the DNAME record and the CNAME record synthesised from it (RFC 6672 2.2)."""
    target = name.relativize(encloser).derelativize(dname[0].target)
    return [rrset(encloser, dname, dname.ttl), rrset(name, [rdata(CNAME, target.to_text())], dname.ttl)]
