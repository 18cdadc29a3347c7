"""Lint checks: rules that do what an RFC forbids, or says not to do.

Pure. Refusals are found by evaluating the policy for a client with a single fault (policy/single_faults.py), and not by how the
rules are written.

RFC 5321 4.1.4 (HELO names), 4.5.1 (postmaster); RFC 7208 8.2 (neutral), 8.5 (softfail); RFC 2505 2.6.1 (bounces).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ...policy.rules import Condition, Mailboxes, Words
from ...policy.single_faults import (
    REFUSED,
    REJECTED,
    Fault,
    first_refusing,
    mismatch,
    null_sender,
    rules_triggered_by,
    softfail,
)
from ...text.toml_positions import Path
from ..load import Config

Problem = tuple[Path, str, str]  # path, reference and text of a warning

_SINGLE_FAULTS: tuple[tuple[Fault, frozenset[str], str, str], ...] = (
    (
        mismatch,
        REFUSED,
        "RFC 5321 section 4.1.4",
        "refuses clients whose only fault is that the HELO name does not match the address or the reverse name; a server MUST NOT"
        " refuse mail for that reason: use tag, or require another fault as well",
    ),
    (
        softfail,
        REJECTED,
        "RFC 7208 section 8.5",
        "rejects for softfail alone; a receiver SHOULD NOT do so: use tag, or require another fault as well",
    ),
    (
        null_sender,
        REFUSED,
        "RFC 2505 section 2.6.1",
        "refuses mail because its sender is <>; bounces have this sender, and an MTA MUST NOT refuse them",
    ),
)


def single_faults(config: Config, today: date) -> Iterator[Problem]:
    """Find rules that refuse a client for a single fault that must not be the only reason."""
    for fault, actions, reference, text in _SINGLE_FAULTS:
        names = rules_triggered_by(config.policy, today, fault, actions)
        for index, rule in enumerate(config.policy.rules):
            if rule.name in names:
                yield ("rule", index), reference, text


def neutral_unlike_none(config: Config, today: date) -> Iterator[Problem]:
    """Find rules that treat the SPF results neutral and none differently."""
    for path, condition in _conditions(config):
        if condition.name in ("spf_helo", "spf_mailfrom") and isinstance(condition.values, Words):
            words = condition.values.words
            if ("neutral" in words) != ("none" in words):
                named, missing = ("neutral", "none") if "neutral" in words else ("none", "neutral")
                yield (
                    path,
                    "RFC 7208 section 8.2",
                    f"tests {condition.name} for {named} without {missing}; neutral MUST be treated exactly like none",
                )


def _conditions(config: Config) -> Iterator[tuple[Path, Condition]]:
    for index, rule in enumerate(config.policy.rules):
        for key, conditions in (("when", rule.when), ("unless", rule.unless)):
            for condition in conditions:
                yield ("rule", index, key, condition.name), condition


def postmaster_refused(config: Config, today: date) -> Iterator[Problem]:
    """Find the rule that makes postmaster unreachable."""
    refusing = [first_refusing(config.policy, today, recipient) for recipient in _postmasters(config)]
    if all(rule is not None for rule in refusing):
        yield (
            ("rule", next(index for index, rule in enumerate(config.policy.rules) if rule is refusing[0])),
            "RFC 5321 section 4.5.1",
            "can refuse mail to postmaster, which must be reachable for everybody; put before it a rule with"
            ' when = { rcpt = ["postmaster@", "abuse@"] } and action = "accept"',
        )


def _postmasters(config: Config) -> Iterator[str]:
    """Yield the addresses of postmaster: one for any domain, and those that rules name. At least one of them must not be
    refused."""
    yield "postmaster@\0"
    for _, condition in _conditions(config):
        if condition.name == "rcpt" and isinstance(condition.values, Mailboxes):
            yield from (each for each in condition.values.addresses if each.startswith("postmaster@"))
