"""Compute the digest by which a log line identifies the rules in force.

Pure. Rules with equal effect have the same digest: notation, comments, the order of keys and values, and the file from which a list
was read make no difference. The order of the rules, their names, and the contents of lists make a difference.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence, Set
from typing import Any

from ..net.networks import Networks
from ..text.compact_set import SMALL
from .rules import Condition, Domains, Listings, Mailboxes, Names, Rule, Values, Words

_DIGITS = 6


def digest(rules: Iterable[Rule]) -> str:
    """Return six hexadecimal digits of a SHA-256 of the rules."""
    document = json.dumps([_rule(rule) for rule in rules], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()[:_DIGITS]


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "when": _conditions(rule.when),
        "unless": _conditions(rule.unless),
        "action": rule.action,
        "score": float(rule.score),
        "shadow": rule.shadow,
        "reply": [rule.code, rule.enhanced, rule.text],
        "until": rule.until.isoformat() if rule.until else "",
    }


def _conditions(conditions: Sequence[Condition]) -> dict[str, Any]:
    return {condition.name: _values(condition.values) for condition in conditions}


def _values(values: Values) -> Any:
    if isinstance(values, Words):
        return sorted(values.words)
    if isinstance(values, Names):
        return [_texts(values.exact), _texts(values.suffixes)]
    if isinstance(values, Mailboxes):
        return [_texts(values.addresses), _texts(values.locals), _values(values.domains), values.null]
    if isinstance(values, Domains):
        return sorted(values.names)
    if isinstance(values, Listings):
        return sorted([entry.name, entry.zone, [*map(list, entry.octets)]] for entry in values.entries)
    if isinstance(values, Networks):
        return [hashlib.sha256(column).hexdigest() for column in values.columns()]
    return values


def _texts(texts: Set[str]) -> list[str] | str:
    return sorted(texts) if len(texts) <= SMALL else _sum(texts)


def _sum(texts: Iterable[str]) -> str:
    """Return a hash of a set of texts. It does not depend on their order, because the set is too large to be sorted."""
    return f"{sum(int.from_bytes(hashlib.sha256(text.encode()).digest()) for text in texts):x}"
