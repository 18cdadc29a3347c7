"""Lint check: rules that favour a client for its own claims. Anybody can claim a HELO name or a sender.

Pure. Looks at each rule alone: a condition that confirms the claim must be in the same rule.

RFC 5321 7.1 (senders are not authenticated).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

from ...policy.rules import ACCEPT, TAG, Condition, Words
from ...text.toml_positions import Path
from ..load import Config

Problem = tuple[Path, str, str]  # path, reference and text of a warning

# Conditions on what the client claims, and for each the facts and values that confirm the claim.
_CONFIRMATIONS: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "helo_name": {
            "helo": frozenset(("pass",)),
            "spf_helo": frozenset(("pass",)),
            "helo_match": frozenset(("same", "aligned")),
        },
        "mailfrom": {"spf_mailfrom": frozenset(("pass",)), "mailfrom_match": frozenset(("same", "aligned"))},
    }
)


def unconfirmed_claims(config: Config, today: date) -> Iterator[Problem]:
    """Find rules that favour a client for its HELO name or its sender while no condition confirms it."""
    for index, rule in enumerate(config.policy.rules):
        favours = rule.action == ACCEPT or rule.score < 0
        conditions, key = (rule.when, "when") if favours else (rule.unless, "unless")
        if not favours and rule.action == TAG:
            continue
        for condition in conditions:
            confirmations = _CONFIRMATIONS.get(condition.name)
            if confirmations is None or (favours and any(_confirms(other, confirmations) for other in rule.when)):
                continue
            proof = f'{next(iter(confirmations))} = "pass"'
            yield (
                ("rule", index, key, condition.name),
                "RFC 5321 section 7.1",
                f"favours every client that claims this {condition.name}, which anybody can: require {proof} as well"
                if favours
                else f"spares every client that claims this {condition.name}, which anybody can: accept it in an earlier rule"
                f" instead, one that requires {proof} as well",
            )


def _confirms(condition: Condition, confirmations: Mapping[str, frozenset[str]]) -> bool:
    if condition.name in ("client", "ptr", "client_spf") or (
        condition.name == "authenticated" and condition.values is True
    ):
        return True
    return (
        condition.name in confirmations
        and isinstance(condition.values, Words)
        and condition.values.words <= confirmations[condition.name]
    )
