"""Find out whether two rules can match the same message.

Pure. The answer is no only if that is certain: the conditions contradict each other, or name different clients, names or mailboxes.
An empty list can be filled later, so it may match anything.

packaging/doc/rules.md (Conditions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..net.networks import Networks
from .reachability import contradiction
from .rules import Domains, Listings, Mailboxes, Names, Rule, Words

_MANY = 100_000  # entries of the larger of two lists; larger ones are taken to overlap


def may_both_match(first: Rule, second: Rule) -> bool:
    """Return whether a message can match both rules."""
    for one in first.when:
        for other in second.when:
            if one.name == other.name and not _OVERLAP[type(one.values)](one.values, other.values):
                return False
    return not contradiction(replace(first, when=first.when + second.when, unless=first.unless + second.unless))


def _networks(one: Networks, other: Networks) -> bool:
    if not (len(one) and len(other)) or max(len(one), len(other)) > _MANY:
        return True
    return any(each.network_address in other for each in one) or any(each.network_address in one for each in other)


def _names(one: Names, other: Names) -> bool:
    sizes = [len(names.exact) + len(names.suffixes) for names in (one, other)]
    return not all(sizes) or max(sizes) > _MANY or _some_name_is_in_both(one, other)


def _some_name_is_in_both(one: Names, other: Names) -> bool:
    return any(
        any(map(outer.match, inner.exact))
        # The names below one of two suffixes are among those below the other, or no name is below both.
        or any(suffix in outer.suffixes or outer.match(f"x{suffix}") for suffix in inner.suffixes)
        for outer, inner in ((one, other), (other, one))
    )


def _mailboxes(one: Mailboxes, other: Mailboxes) -> bool:
    sizes = [
        len(each.addresses) + len(each.locals) + len(each.domains.exact) + len(each.domains.suffixes) + each.null
        for each in (one, other)
    ]
    if not all(sizes) or max(sizes) > _MANY or (one.null and other.null):
        return True
    for outer, inner in ((one, other), (other, one)):
        domains = outer.domains.exact or outer.domains.suffixes
        if any(local in outer.locals for local in inner.locals) or (inner.locals and domains):
            return True
        if any(_contains(outer, address) for address in inner.addresses):
            return True
    return _some_name_is_in_both(one.domains, other.domains)


def _contains(mailboxes: Mailboxes, address: str) -> bool:
    if address in mailboxes.addresses:
        return True
    local, _, domain = address.rpartition("@")  # in the form of the configuration reader, not of a client
    return local in mailboxes.locals or mailboxes.domains.match(domain)


def _words(one: Words, other: Words) -> bool:
    return bool(one.words & other.words)


_OVERLAP: Mapping[type, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        Words: _words,
        Names: _names,
        Mailboxes: _mailboxes,
        Networks: _networks,
        Domains: lambda one, other: True,
        Listings: lambda one, other: True,
        bool: lambda one, other: one is other,
        float: lambda one, other: True,
    }
)
