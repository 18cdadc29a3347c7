"""Records, behaviours and answers of a zone (RFC 1034 3.6, 4.3.2).

Plain data for the tests' name server. Knows no text format, no wire format and no socket.
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.rcode
from dns.name import Name
from dns.rcode import Rcode
from dns.rdata import Rdata
from dns.rdatatype import RdataType
from dns.rrset import RRset

Argument = int | float | str | None


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record, class IN. `ttl`: seconds, any 32-bit number."""

    owner: Name
    ttl: int
    rdata: Rdata


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A wrong way to answer queries for `owner`: a word of tests.kit.dns.hostile.behaviours and its argument. `rdtype`: None for
    every type."""

    owner: Name
    rdtype: RdataType | None
    word: str
    argument: Argument = None

    def concerns(self, rdtype: RdataType) -> bool:
        """Return whether it applies to queries for this type."""
        return self.rdtype is None or self.rdtype == rdtype


Entry = Record | Behaviour


@dataclass(frozen=True, slots=True)
class Found:
    """The zone's answer to one question, with CNAMEs followed.

    `answer`: the aliases in order, then the requested records. `soa`: of the closest zone that encloses the last name. `nodata`:
    the last name exists, but has no such record (RFC 2308 2.2). `behaviours`: of every name on the way.
    """

    rcode: Rcode
    answer: tuple[RRset, ...]
    soa: RRset
    nodata: bool
    behaviours: tuple[Behaviour, ...] = ()

    @property
    def nxdomain(self) -> bool:
        """Whether the last name does not exist (RFC 2308 2.1)."""
        return self.rcode == dns.rcode.NXDOMAIN

    @property
    def authority(self) -> tuple[RRset, ...]:
        """The authority section: the SOA record of a negative answer, else nothing."""
        return (self.soa,) if self.nodata or self.nxdomain else ()
