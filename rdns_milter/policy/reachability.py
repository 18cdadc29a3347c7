"""Find rules that can never match: contradictory conditions, and rules for which earlier rules leave no message.

Pure. Reports only what is certain, never a rule that merely matches seldom.

packaging/doc/rules.md (Facts: which facts occur together).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..checks.evidence import FACTS
from ..net.networks import Networks
from ..resolver.lookup import TEMPORARY
from ..text.toml import quoted
from .rules import Condition, Domains, Listing, Listings, Mailboxes, Names, Rule, Words

PossibleValues = dict[str, frozenset[str]]  # by fact


def _table(
    first: str, second: str, restricted: Mapping[str, Sequence[str]]
) -> tuple[str, str, Mapping[str, frozenset[str]]]:
    """Return two facts, and for each value of the first fact the values of the second that occur with it. These are all values,
    unless `restricted` gives them."""
    every = FACTS[second].words
    return first, second, {word: frozenset(restricted.get(word, every)) for word in FACTS[first].words}


_UNCONFIRMED = {word: ("none",) for word in FACTS["iprev"].words if word != "pass"}
_NO_SPF = ("none", "temperror")

# Pairs of dependent facts. As a graph they contain no cycle, so that comparing pairs finds every contradiction.
_TOGETHER = (
    _table(
        "iprev",
        "iprev_reason",
        {
            "pass": ("confirmed",),
            "fail": ("not-confirmed", "no-forward", "bad-name"),
            "permerror": ("no-ptr", "bad-name"),
            "temperror": tuple(TEMPORARY),
            "none": ("exempt",),
        },
    ),
    _table("iprev", "helo_match", _UNCONFIRMED),
    _table("iprev", "mailfrom_match", _UNCONFIRMED),
    _table("iprev_reason", "generic", {"no-ptr": ("none",), "exempt": ("none",)}),
    _table("helo_kind", "helo", {"missing": ("none",), "invalid": ("none", "temperror")}),
    _table("helo_kind", "helo_match", {"missing": ("none",)}),
    _table("helo_kind", "helo_own", {"missing": ("no",)}),
    # RFC 7208 2.3: only a fully qualified name is checked.
    _table("helo_kind", "spf_helo", {word: _NO_SPF for word in FACTS["helo_kind"].words if word != "fqdn"}),
)


def contradiction(rule: Rule) -> str:
    """Return why the conditions of the rule cannot all hold; "" if they can."""
    for wanted in rule.when:
        for excluded in rule.unless:
            if wanted.name == excluded.name and _covers(excluded.values, wanted.values):
                return f"unless excludes every value of {wanted.name} that when allows"
    if all(_possible_values(rule).values()):
        return ""
    asked = [condition.name for condition in rule.when + rule.unless if condition.name in {*FACTS, "ptr", "helo_name"}]
    return f"no client can meet all of its conditions on {', '.join(dict.fromkeys(asked))}"


def unreachable(rule: Rule, earlier: Sequence[Rule]) -> str:
    """Return why no message with the required score reaches the rule after the earlier ones; "" if one can."""
    for other in earlier:
        if _decides_all(other):
            return f"rule {quoted(other.name)} before it decides every message"
    scores = [other.score for other in earlier if not other.action]
    highest, lowest = sum(score for score in scores if score > 0), sum(score for score in scores if score < 0)
    for condition in rule.when:
        if condition.name == "min_score" and _number(condition) > highest:
            return f"the scores of the rules before it add up to {highest:g} at most"
    for condition in rule.unless:
        if condition.name == "min_score" and _number(condition) <= lowest:
            return f"every message has a score of at least {lowest:g}"
    return ""


def covering_rule(rule: Rule, earlier: Sequence[Rule]) -> Rule | None:
    """Return an earlier rule that certainly decides every message that the rule could match; None if there is none.

    An earlier rule does not count if it expires (`until`), or if it tests the score and rules behind it can change the score."""
    possible = _possible_values(rule)
    for place, other in enumerate(earlier):
        scored = any(not between.action for between in earlier[place + 1 :])
        if other.action and not other.shadow and other.until is None and _includes(other, rule, possible, scored):
            return other
    return None


def _includes(outer: Rule, inner: Rule, possible: PossibleValues, scored: bool) -> bool:
    """Return whether the outer rule matches whenever the inner one does. `possible`: the values that the facts can have if the
    inner rule matches; `scored`: True if a rule between the two changes the score."""
    asked = {condition.name: condition.values for condition in inner.when}
    excluded = {condition.name: condition.values for condition in inner.unless}

    def implied(condition: Condition) -> bool:
        if condition.name in FACTS:
            return possible[condition.name] <= _words(condition)
        if condition.name == "min_score" and scored:
            return False
        return condition.name in asked and _covers(condition.values, asked[condition.name])

    def ruled_out(condition: Condition) -> bool:
        if condition.name in FACTS:
            return not possible[condition.name] & _words(condition)
        if condition.name == "min_score" and scored:
            return False
        return condition.name in excluded and _covers(excluded[condition.name], condition.values)

    return all(map(implied, outer.when)) and all(map(ruled_out, outer.unless))


def _decides_all(rule: Rule) -> bool:
    return (
        bool(rule.action)
        and not rule.shadow
        and rule.until is None
        and not rule.unless
        and all(
            condition.name in FACTS and _words(condition) >= set(FACTS[condition.name].words) for condition in rule.when
        )
    )


def _possible_values(rule: Rule) -> PossibleValues:
    """Return the values that each fact can have if the rule matches. If a fact has none, the rule cannot match."""
    possible: PossibleValues = {name: frozenset(fact.words) for name, fact in FACTS.items()}
    for condition in rule.when:
        if condition.name in FACTS:
            possible[condition.name] &= _words(condition)
        elif condition.name == "ptr":  # matches a confirmed name only
            possible["iprev"] &= {"pass"}
        elif condition.name == "helo_name":
            possible["helo_kind"] -= {"missing"}
    for condition in rule.unless:
        if condition.name in FACTS:
            possible[condition.name] -= _words(condition)
    while _narrow(possible):
        pass
    return possible


def _narrow(possible: PossibleValues) -> bool:
    """Remove each value that occurs with no possible value of another fact. Return whether any were removed."""
    before = dict(possible)
    for first, second, table in _TOGETHER:
        possible[first] = frozenset(word for word in possible[first] if table[word] & possible[second])
        possible[second] &= frozenset().union(*(table[word] for word in possible[first]))
    return possible != before


def _words(condition: Condition) -> frozenset[str]:
    assert isinstance(condition.values, Words)
    return condition.values.words


def _number(condition: Condition) -> float:
    assert isinstance(condition.values, (int, float))
    return condition.values


def _covers(outer: Any, inner: Any) -> bool:
    """Return whether the outer values match everything that the inner ones match. False for an empty inner list: it can be filled
    later."""
    return _COVERS[type(inner)](outer, inner)


def _cover_words(outer: Words, inner: Words) -> bool:
    return inner.words <= outer.words


def _cover_names(outer: Names, inner: Names) -> bool:
    return (
        bool(inner.exact or inner.suffixes)
        and all(map(outer.match, inner.exact))
        and all(_suffixed(outer, name) for name in inner.suffixes)
    )


def _suffixed(outer: Names, suffix: str) -> bool:
    return suffix in outer.suffixes or Names(suffixes=outer.suffixes).match(f"x{suffix}")


def _cover_mailboxes(outer: Mailboxes, inner: Mailboxes) -> bool:
    domains = inner.domains.exact or inner.domains.suffixes
    if not (inner.addresses or inner.locals or domains or inner.null):
        return False
    return (
        inner.locals <= outer.locals
        and (outer.null or not inner.null)
        and (not domains or _cover_names(outer.domains, inner.domains))
        and all(address in outer.addresses or _matches(outer, address) for address in inner.addresses)
    )


def _matches(outer: Mailboxes, address: str) -> bool:
    local, _, domain = address.rpartition("@")  # in the form of the configuration reader, not of a client
    return local in outer.locals or outer.domains.match(domain)


def _cover_networks(outer: Networks, inner: Networks) -> bool:
    return len(inner) > 0 and outer.covers(inner)


def _cover_listings(outer: Listings, inner: Listings) -> bool:
    return all(any(_includes_listing(other, entry) for other in outer.entries) for entry in inner.entries)


def _includes_listing(outer: Listing, inner: Listing) -> bool:
    if (outer.name, outer.zone) != (inner.name, inner.zone):
        return False
    return not outer.octets or (
        bool(inner.octets)
        and all(
            low <= first and last <= high for (low, high), (first, last) in zip(outer.octets, inner.octets, strict=True)
        )
    )


_COVERS: Mapping[type, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        Words: _cover_words,
        Names: _cover_names,
        Mailboxes: _cover_mailboxes,
        Networks: _cover_networks,
        Domains: lambda outer, inner: inner.names <= outer.names,
        Listings: _cover_listings,
        bool: lambda outer, inner: outer is inner,
        float: lambda outer, inner: outer <= inner,
    }
)
