"""Check the HELO name: its kind, whether it is one of our own names, whether it resolves to the client's address, and
whether it matches the reverse name.

One function for each fact, because they become known at different times. States the facts only: RFC 5321 4.1.4 forbids refusing
mail because the name does not match the address.

RFC 5321 2.3.5 and 4.1.1.1 (the argument of HELO and EHLO), 4.1.3 (address literals).
"""

from __future__ import annotations

import functools
from collections.abc import Collection

from ..net.alignment import alignment
from ..net.names import Address, canonical, is_domain, is_hostname, parse_address, parse_literal
from ..resolver.lookup import Answer, Lookup, Question, Type, forward_type

# Kinds that are looked up; `literal` and `address` are compared directly.
_NAMES = frozenset(("fqdn", "unqualified"))
_ADDRESSES = frozenset(("literal", "address"))
_OTHER_FAMILY: dict[Type, Type] = {"A": "AAAA", "AAAA": "A"}


@functools.lru_cache(maxsize=4096)
def kind(greeting: str) -> str:
    """Return the kind of a HELO name: `fqdn`, `unqualified`, `literal`, `address` (no brackets), `invalid` or `missing`."""
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
    """Return the address in a HELO name of kind `literal` or `address`."""
    literal = parse_literal(greeting)
    return literal if literal is not None else parse_address(greeting.removesuffix("."))


def own(greeting: str, client: Address, names: Collection[str], addresses: Collection[Address]) -> str:
    """Return "yes" if a client other than this host uses one of our canonical names or one of our addresses."""
    if client in addresses:
        return "no"
    if kind(greeting) in _ADDRESSES:
        return "yes" if denoted(greeting) in addresses else "no"
    name = canonical(greeting)
    return "yes" if name and name in names else "no"


def match(greeting: str, names: tuple[str, ...]) -> str:
    """Return `helo_match`: how a HELO name is aligned with the confirmed names of the client."""
    return alignment(canonical(greeting), names)


def result_without_lookup(greeting: str, client: Address) -> str:
    """Return the result if it needs no lookup, else "". For an address it is `pass` if the address is the client's, else `fail`;
    for a name that cannot be looked up it is `none`."""
    greeting_kind = kind(greeting)
    if greeting_kind in _ADDRESSES:
        return "pass" if denoted(greeting) == client else "fail"
    return "" if greeting_kind in _NAMES else "none"


async def resolve(lookup: Lookup, greeting: str, client: Address) -> tuple[str, str]:
    """Return the result for a HELO name, and the status of the lookup that gave it ("" if there was none).

    `pass`: resolves to the client's address; `fail`: to other addresses only; `permerror`: to no address; `temperror`: not known,
    because of a temporary DNS error; `none`: cannot be looked up.
    """
    if result := result_without_lookup(greeting, client):
        return result, ""
    name, record = canonical(greeting), forward_type(client)
    (answer,) = await lookup.ask((Question(name, record),))
    if answer.status == "nodata":
        # The name exists: records of the other address family make the difference between `fail` and `permerror`.
        (answer,) = await lookup.ask((Question(name, _OTHER_FAMILY[record]),))
    return _result(answer, client), answer.reason


def _result(answer: Answer, client: Address) -> str:
    if answer.temporary:
        return "temperror"
    if not answer.values:
        return "permerror"
    return "pass" if any(parse_address(text) == client for text in answer.names()) else "fail"
