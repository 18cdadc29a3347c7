"""Check iprev: whether the client's address has a PTR record, and whether a name in such a record resolves back to the address.

States the fact only; what follows from it is up to the policy. Which of several names stands for all is Iprev.ptr (evidence.py).
Never treats a temporary DNS error as the absence of a name.

RFC 8601 2.7.3 and 3 (iprev); RFC 2317 (the PTR record can be behind a CNAME, which the resolver follows).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..net.names import Address, is_hostname, is_special_use, parse_address, reverse_name
from ..resolver.lookup import Answer, Lookup, Question, forward_type
from .evidence import Iprev


async def iprev(lookup: Lookup, address: Address, max_names: int) -> Iprev:
    """Return the result for an address.

    The first `max_names` PTR names in sorted order are looked up in parallel: the order of the answer has no influence on the
    result. If one name is confirmed, errors for the others do not count.
    """
    (answer,) = await lookup.ask((Question(reverse_name(address), "PTR"),))
    if answer.temporary:
        return Iprev("temperror", answer.reason)
    published = sorted(set(answer.names()))
    if not published:
        return Iprev("permerror", "no-ptr")
    usable = [name for name in published if _is_usable(name)][:max_names]
    if not usable:
        return Iprev("fail", "bad-name", (), tuple(published[:max_names]), len(published))
    kind = forward_type(address)

    def confirms(answer: Answer) -> bool:
        return any(parse_address(text) == address for text in answer.names())

    forward = await lookup.ask([Question(name, kind) for name in usable], enough=confirms)
    confirmed = tuple(name for name, answer in zip(usable, forward, strict=True) if confirms(answer))
    result, reason = ("pass", "confirmed") if confirmed else _unconfirmed(forward)
    return Iprev(result, reason, confirmed, tuple(usable), len(published))


def _is_usable(name: str) -> bool:
    """Return whether to look up a PTR name: only valid host names of the public DNS, because a PTR record can hold anything."""
    return is_hostname(name) and not is_special_use(name)


def _unconfirmed(answers: Sequence[Answer]) -> tuple[str, str]:
    for answer in answers:
        if answer.temporary:
            return "temperror", answer.reason
    if any(answer.values for answer in answers):
        return "fail", "not-confirmed"
    return "fail", "no-forward"
