"""Decide what a DNS response says that holds no record of the kind that was asked for: no such name, no such record, or nothing.

Pure: knows neither wire format nor dnspython. Must never take a response that proves nothing for the statement that there is no
such record: a misconfigured name server would have every client refused for good.

RFC 2308 2.1 and 2.2 (negative answers beside referrals), RFC 1034 4.3.2 (referrals), RFC 6604 3 (the RCODE is about the name
behind the aliases), RFC 2317 4 (reverse zones behind a CNAME).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["nxdomain", "nodata", "alias", "referral", "lame", "error"]


@dataclass(frozen=True, slots=True)
class NegativeAnswer:
    """What such a response consists of. The final name is the name in question, or the one to which its aliases lead.

    `nxdomain`: the RCODE is NXDOMAIN, else NOERROR. `aliased`: aliases in the answer section lead to the final name. `soa`, `ns`:
    the number of labels of the lowest zone at or above the final name of which the authority section has such a record.
    `other_soa`, `other_ns`: it has one of another zone. `stray`: records in the additional section, though the others are empty.
    `responsible`: AA or RA is set, so that the server answers for the zone or for the whole DNS.
    """

    nxdomain: bool = False
    aliased: bool = False
    soa: int | None = None
    ns: int | None = None
    other_soa: bool = False
    other_ns: bool = False
    stray: bool = False
    responsible: bool = True


def classify(answer: NegativeAnswer) -> Kind:
    """Return what the response says of the final name: `nxdomain`, `nodata`, or nothing. Then it is to be asked for on its own
    (`alias`), or the server is of no use (`referral`, `lame`), or the response contradicts itself (`error`)."""
    if answer.nxdomain:
        return _without_name(answer)
    if _is_proved(answer):
        return "nodata"
    if answer.aliased:
        return "alias"
    if answer.ns is not None or answer.other_ns:
        return "referral"  # RFC 2308 2.2: NODATA has a SOA, or no NS
    if answer.other_soa:
        return "error"  # a zone that cannot know the name has no say
    if not answer.responsible:
        return "lame"
    # RFC 2308 2.2, type 3: all sections are empty. What stands in the additional section alone adds to nothing.
    return "error" if answer.stray else "nodata"


def _without_name(answer: NegativeAnswer) -> Kind:
    """Return what NXDOMAIN says: the RCODE decides, whatever the authority section holds (RFC 2308 2.1), unless it speaks for
    another zone only."""
    if answer.soa is not None or not answer.other_soa:
        return "nxdomain"
    return "alias" if answer.aliased else "error"


def _is_proved(answer: NegativeAnswer) -> bool:
    """Return whether a SOA record says that there is no such record: that of any zone at or above the name, but for one whose
    NS records in the same response delegate the name to another zone."""
    return answer.soa is not None and (answer.ns is None or answer.ns <= answer.soa)
