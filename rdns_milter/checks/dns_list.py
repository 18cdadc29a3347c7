"""Check a DNS list: whether it has the client's address, and with which answers.

States the fact only. Must never report an entry that the list does not have. An answer outside 127.0.0.0/8 comes from a resolver or
a parked domain that answers everything. With an answer in 127.255.255.0/24, or of the form 127.0.x.255 (DNSWL: 127.0.0.255), a list
refuses a query. Both are trouble.

RFC 5782 2.1 (IPv4), 2.4 (IPv6), 2.3 (answers in 127.0.0.0/8).
"""

from __future__ import annotations

from ipaddress import IPv4Network

from ..net.names import Address, parse_address, reverse_name
from ..resolver.lookup import Lookup, Question
from .evidence import REFUSED, TEMPERROR

NOT_LISTED = "none"
MAX_ANSWERS = 10  # of one list that are kept

_ANSWERS = IPv4Network("127.0.0.0/8")
_REFUSALS = IPv4Network("127.255.255.0/24")
_NUMBERED = IPv4Network("127.0.0.0/16")  # in which 255 as the last byte refuses, and other numbers are kinds of entries


async def dns_list(lookup: Lookup, address: Address, zone: str) -> tuple[str, ...]:
    """Return the values of the fact `dnslist` for one list: its answers, or one of `none`, `temperror` and `refused`. `zone`: the
    domain of the list."""
    (answer,) = await lookup.ask((Question(query_name(address, zone), "A"),))
    if answer.temporary:
        return (TEMPERROR,)
    found = sorted(each for text in answer.names() if (each := parse_address(text)) is not None)
    if not found:
        return (NOT_LISTED,)
    return tuple(map(str, found[:MAX_ANSWERS])) if all(map(is_entry, found)) else (REFUSED,)


def is_entry(answer: Address) -> bool:
    """Return whether an answer stands for an entry. If it does not, it is trouble."""
    if answer not in _ANSWERS or answer in _REFUSALS:
        return False
    return answer not in _NUMBERED or answer.packed[-1] != 255


def query_name(address: Address, zone: str) -> str:
    """Return the name at which a list has an address: its bytes, or the hexadecimal digits of an IPv6 address, in reverse order,
    in front of the list's domain."""
    digits = reverse_name(address).removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return f"{digits}.{zone}"
