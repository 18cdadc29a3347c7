"""The greeting: what kind of name it is, whether it is one of ours, whether it leads to the client.

Each question has a function of its own, since each is answered at another time. Never says what should follow: that the
name does not match the address is no ground for refusal (RFC 5321 4.1.4).

RFC 5321 2.3.5 and 4.1.1.1 (the argument of HELO and EHLO), 4.1.3 (address literals).
"""

from __future__ import annotations

import functools
from collections.abc import Collection

from ..net.names import Address, canonical, is_domain, is_hostname, parse_address, parse_literal
from ..resolver.lookup import Answer, Lookup, Question, Type, forward_type

# DNS is asked for these; literal and address are compared as they stand.
_NAMES = frozenset(("fqdn", "unqualified"))
_ADDRESSES = frozenset(("literal", "address"))
_OTHER_FAMILY: dict[Type, Type] = {"A": "AAAA", "AAAA": "A"}


@functools.lru_cache(maxsize=4096)
def kind(greeting: str) -> str:
    """What the greeting is: `fqdn`, `unqualified`, `literal`, `address` (no brackets), `invalid`, or `missing`."""
    if not greeting:
        return "missing"
    if parse_literal(greeting) is not None:
        return "literal"
    if parse_address(greeting.removesuffix(".")) is not None:
        return "address"
    name = canonical(greeting)
    if is_domain(name):
        return "fqdn"
    return "unqualified" if is_hostname(name) else "invalid"


def denoted(greeting: str) -> Address | None:
    """The address that a greeting of kind `literal` or `address` denotes."""
    literal = parse_literal(greeting)
    return literal if literal is not None else parse_address(greeting.removesuffix("."))


def own(greeting: str, client: Address, names: Collection[str], addresses: Collection[Address]) -> str:
    """`yes` if a client that is not ourselves greets with one of our canonical names or one of our addresses."""
    if client in addresses:
        return "no"
    if kind(greeting) in _ADDRESSES:
        return "yes" if denoted(greeting) in addresses else "no"
    name = canonical(greeting)
    return "yes" if name and name in names else "no"


def compared(greeting: str, client: Address) -> str:
    """The result that takes no lookup: an address equals the client's (`pass`) or not (`fail`), what cannot be asked is
    `none`; "" for a name."""
    sort = kind(greeting)
    if sort in _ADDRESSES:
        return "pass" if denoted(greeting) == client else "fail"
    return "" if sort in _NAMES else "none"


async def resolve(lookup: Lookup, greeting: str, client: Address) -> tuple[str, str]:
    """Whether the greeting leads to the client: the result (`pass`; `fail`: to another address; `permerror`: to none;
    `temperror`; `none`: cannot be asked), and the status of the lookup behind it, "" without one."""
    if result := compared(greeting, client):
        return result, ""
    name, record = canonical(greeting), forward_type(client)
    (answer,) = await lookup.ask((Question(name, record),))
    if answer.status == "nodata":
        # The name is there: only the other family tells whether it leads somewhere else or nowhere.
        (answer,) = await lookup.ask((Question(name, _OTHER_FAMILY[record]),))
    return _result(answer, client), answer.reason


def _result(answer: Answer, client: Address) -> str:
    if answer.temporary:
        return "temperror"
    if not answer.values:
        return "permerror"
    return "pass" if any(parse_address(text) == client for text in answer.names()) else "fail"
