"""The short hash by which the log names the rules in force.

Pure. The same for rules that judge alike: spelling, comments, the order of keys and values, and where lists were read from
do not count; the rules' order, their names and what was in the lists do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from .networks import Networks
from .policy import Condition, Mailboxes, Names, Rule, Values, Words

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
        return sorted(values.exact | values.suffixes)
    if isinstance(values, Mailboxes):
        return [sorted(values.addresses), sorted(values.locals), _values(values.domains), values.null]
    if isinstance(values, Networks):
        return sorted({f"{int(network.network_address):x}/{network.prefixlen}/{network.version}" for network in values})
    return values
