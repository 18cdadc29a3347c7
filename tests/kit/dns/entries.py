"""What a zone is made of, and what is found in it: records, behaviours, answers (RFC 1034 3.6, 4.3.2).

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
    """One resource record of the zone, class IN. `ttl` in seconds, any 32-bit number."""

    owner: Name
    ttl: int
    rdata: Rdata


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A way to answer questions for `owner`: a word of tests.kit.dns.hostile.behaviours with its argument; `rdtype` None: every
    type."""

    owner: Name
    rdtype: RdataType | None
    word: str
    argument: Argument = None

    def concerns(self, rdtype: RdataType) -> bool:
        """Whether it holds for a question of this type."""
        return self.rdtype is None or self.rdtype == rdtype


Entry = Record | Behaviour


@dataclass(frozen=True, slots=True)
class Found:
    """What the zone says of one question, CNAMEs followed.

    `answer`: the aliases in order, then the records asked for. `soa`: of the closest enclosing zone of the last name.
    `nodata`: the last name exists, the type there does not (RFC 2308 2.2). `behaviours`: of every name on the way.
    """

    rcode: Rcode
    answer: tuple[RRset, ...]
    soa: RRset
    nodata: bool
    behaviours: tuple[Behaviour, ...] = ()

    @property
    def nxdomain(self) -> bool:
        """The last name does not exist (RFC 2308 2.1)."""
        return self.rcode == dns.rcode.NXDOMAIN

    @property
    def authority(self) -> tuple[RRset, ...]:
        """The authority section: the SOA for negative answers, else nothing."""
        return (self.soa,) if self.nodata or self.nxdomain else ()
