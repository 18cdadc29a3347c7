"""The short hash by which the log names the rules in force.

Pure. The same for rules that judge alike: spelling, comments, the order of keys and values, and where lists were read from
do not count; the rules' order, their names and what was in the lists do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence, Set
from typing import Any

from ..net.networks import Networks
from ..text.compact_set import SMALL
from .rules import Condition, Mailboxes, Names, Rule, Values, Words

_DIGITS = 6


def digest(rules: Iterable[Rule]) -> str:
    """Six hexadecimal digits of SHA-256."""
    plain = json.dumps([_rule(rule) for rule in rules], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()[:_DIGITS]


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
    if isinstance(values, Networks):
        return [hashlib.sha256(column).hexdigest() for column in values.columns()]
    return values


def _texts(texts: Set[str]) -> list[str] | str:
    return sorted(texts) if len(texts) <= SMALL else _sum(texts)


def _sum(texts: Iterable[str]) -> str:
    """A number for a set of texts that are too many for one document: the same in whatever order they come."""
    return f"{sum(int.from_bytes(hashlib.sha256(text.encode()).digest()) for text in texts):x}"
