"""Classify a DNS response without a record of the requested type: no such name, no such record, or no statement at all.

Pure: knows neither the wire format nor dnspython. Must never take a response that proves nothing for the statement that there is no
such record: a misconfigured name server would have every client refused for good.

RFC 2308 2.1 and 2.2 (negative answers and referrals), RFC 1034 4.3.2 (referrals), RFC 6604 3 (with aliases, the RCODE is about the
last name), RFC 2317 4 (reverse zones behind a CNAME).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Statement = Literal["nxdomain", "nodata", "alias", "referral", "lame", "error"]


@dataclass(frozen=True, slots=True)
class NegativeAnswer:
    """The contents of such a response. The final name is the name of the question, or the one to which its aliases lead.

    `nxdomain`: the RCODE is NXDOMAIN, else NOERROR. `aliased`: aliases in the answer section lead to the final name. `soa`, `ns`:
    the number of labels of a zone at or above the final name of which the authority section has a SOA or NS record, the lowest such
    zone; None without one. `other_soa`, `other_ns`: the authority section has such a record of any other zone. `stray`: only the
    additional section has records, not counting SOA records. `responsible`: AA or RA is set: the server answers for the zone, or
    for all of DNS."""

    nxdomain: bool = False
    aliased: bool = False
    soa: int | None = None
    ns: int | None = None
    other_soa: bool = False
    other_ns: bool = False
    stray: bool = False
    responsible: bool = True


def classify(answer: NegativeAnswer) -> Statement:
    """Return what the response states about the final name: `nxdomain` or `nodata`. Otherwise it states nothing: the final name
    needs a query of its own (`alias`), the server is of no use (`referral`, `lame`), or the response contradicts itself
    (`error`)."""
    if answer.nxdomain:
        return _without_name(answer)
    if _is_proved(answer):
        return "nodata"
    if answer.aliased:
        return "alias"
    if answer.ns is not None or answer.other_ns:
        return "referral"  # RFC 2308 2.2: NODATA has a SOA record, or no NS record
    if answer.other_soa:
        return "error"  # the record is of a zone that does not contain the name
    if not answer.responsible:
        return "lame"
    # RFC 2308 2.2, type 3: all sections are empty. Records in the additional section alone mean nothing.
    return "error" if answer.stray else "nodata"


def _without_name(answer: NegativeAnswer) -> Statement:
    """Return what NXDOMAIN states. The RCODE decides, whatever the authority section holds (RFC 2308 2.1), unless that section
    speaks only for another zone."""
    if answer.soa is not None or not answer.other_soa:
        return "nxdomain"
    return "alias" if answer.aliased else "error"


def _is_proved(answer: NegativeAnswer) -> bool:
    """Return whether a SOA record proves that there is no such record. The SOA record of any zone at or above the name does, unless
    NS records in the same response delegate the name to a lower zone."""
    return answer.soa is not None and (answer.ns is None or answer.ns <= answer.soa)
