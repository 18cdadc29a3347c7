"""Warn of settings that are valid, but violate a MUST or SHOULD of an RFC or are probably not intended.

Pure. Where possible it evaluates the policy itself (policy/single_faults.py) instead of looking at how the rules are written.
Changes nothing; a setting with a warning may be intended as it is.

RFC 5321 4.1.4, 4.5.1, 7.1; RFC 7208 8.2, 8.5; RFC 8601 2.7.3; RFC 2505 2.6.1; RFC 8501 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from types import MappingProxyType

from ..checks.generic import generic
from ..checks.generic_words import WORDS
from ..net.alignment import organizational_domain
from ..policy.reachability import covering_rule
from ..policy.rules import ACCEPT, TAG, Condition, Mailboxes, Words
from ..policy.single_faults import (
    REFUSED,
    REJECTED,
    Fault,
    first_refusing,
    mismatch,
    null_sender,
    rules_triggered_by,
    softfail,
)
from ..text.escape import one_line
from ..text.toml import quoted
from ..text.toml_positions import Path, Positions
from .lint_checks.name_scope import missing_names
from .lint_checks.providers import wide_providers
from .lint_checks.relay_networks import relays_of_others
from .lint_checks.rule_effect import late_exceptions, not_judged, unused_lists, unused_scores
from .lint_checks.spf_reach import Reach
from .load import Config
from .patterns.syntax import has_nested_repeat, parse

POSTFIX_TIMEOUT, SENDMAIL_TIMEOUT = 30.0, 10.0  # seconds: milter_command_timeout; Sendmail's default for R in T=


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One warning. `rule`: the rule's name, "" if it is about an option or about all rules; `path`: the key path in the file;
    `line`: from 1, 0 if it is not known; `reference`: the RFC and its section, or ""; `text`: what is wrong and what to do."""

    rule: str
    path: Path
    line: int
    reference: str
    text: str

    def __str__(self) -> str:
        subject = f"rule {quoted(self.rule)}: " if self.rule else ""
        return one_line(f"{subject}{self.text}{f' ({self.reference})' if self.reference else ''}")


Problem = tuple[Path, str, str]  # path, reference and text of a warning
LintCheck = Callable[[Config, date], Iterator[Problem]]


def lint(
    config: Config, today: date, positions: Positions | None = None, reaches: Mapping[str, Reach] = MappingProxyType({})
) -> tuple[LintWarning, ...]:
    """Return all warnings in the order of the file. `positions`: those of the file that the configuration was read from;
    `reaches`: what the providers authorize that rules ask for, if that was looked up."""
    positions = positions or Positions()
    warnings = set()
    for path, reference, text in (
        *(problem for check in _CHECKS for problem in check(config, today)),
        *wide_providers(config, reaches),
    ):
        rule = config.policy.rules[int(path[1])].name if path[:1] == ("rule",) and len(path) > 1 else ""
        warnings.add(LintWarning(rule, path, positions.line(path), reference, text))
    return tuple(sorted(warnings, key=lambda warning: (_order(warning), warning.text)))


def _order(warning: LintWarning) -> tuple[int, int, str]:
    index = int(warning.path[1]) if warning.rule else -1
    return index, warning.line, str(warning.path)


def _no_rules(config: Config, today: date) -> Iterator[Problem]:
    if not config.policy.rules:
        yield (), "", "there is no rule: every message is accepted"


def _deadline(config: Config, today: date) -> Iterator[Problem]:
    seconds = config.milter.deadline
    if seconds >= POSTFIX_TIMEOUT:
        text = f"is not below the {POSTFIX_TIMEOUT:g} seconds after which Postfix (milter_command_timeout) gives up on a milter"
    elif seconds >= SENDMAIL_TIMEOUT:
        text = (
            f"is not below the {SENDMAIL_TIMEOUT:g} seconds after which Sendmail gives up on a milter, unless T= in"
            " INPUT_MAIL_FILTER has R:30s; Postfix waits 30"
        )
    else:
        return
    yield ("milter", "deadline"), "RFC 5321 section 4.5.3.2", f"milter.deadline = {seconds:g} {text}"


def _loopback(config: Config, today: date) -> Iterator[Problem]:
    networks = {"127.0.0.0/8": "127.0.0.1", "::1": "::1"}
    missing = [each for each, address in networks.items() if ip_address(address) not in config.exempt.networks]
    if missing:
        yield (
            ("exempt", "networks"),
            "",
            "exempt.networks lacks loopback: mail from programs on this host is judged; your list replaces the default, so add"
            f" {', '.join(map(quoted, missing))}",
        )


def _exceptions(config: Config, today: date) -> Iterator[Problem]:
    for index, name in enumerate(config.generic.exceptions):
        if reason := _reason_against_exception(name):
            yield (
                ("generic", "exceptions", index),
                "RFC 8501 section 5.1",
                f"generic.exceptions contains {quoted(name)}, {reason}: no name below it would be generic; list the hosts that send"
                " mail instead",
            )


_EXAMPLE_ADDRESS = ip_address("192.0.2.1")
_LETTERS = re.compile(r"[a-z]+")


def _reason_against_exception(name: str) -> str:
    """Return why a name should not stand for all names below it, "" if there is no reason."""
    domain = organizational_domain(name)
    if not domain:
        return "under which anybody can register a name"
    below = frozenset(_LETTERS.findall(name.removesuffix(domain)))
    # A weight of 2 is enough below the organizational domain, but not in it: there the word may be part of a company's name.
    if any(WORDS.get(word, 0) > (1 if word in below else 2) for word in _LETTERS.findall(name)):
        return "which itself looks like an address pool"
    return "which itself looks like an address pool" if generic(f"x.{name}", _EXAMPLE_ADDRESS).result == "yes" else ""


def _nested_repetitions(config: Config, today: date) -> Iterator[Problem]:
    for index, pattern in enumerate(config.generic.patterns):
        if has_nested_repeat(parse(pattern)):
            yield (
                ("generic", "patterns", index),
                "",
                f"generic.patterns contains {quoted(pattern.pattern)} with nested quantifiers, as in (x+)+: after a small"
                " change such a pattern may need very long for some names; possessive quantifiers, (x++)+, avoid that",
            )


def _ended(config: Config, today: date) -> Iterator[Problem]:
    for index, rule in enumerate(config.policy.rules):
        if rule.until is not None and rule.until < today:
            yield ("rule", index, "until"), "", f"ended on {rule.until} and is no longer in force: remove it"


def _covered_by_earlier(config: Config, today: date) -> Iterator[Problem]:
    rules = config.policy.rules
    for index, rule in enumerate(rules):
        other = covering_rule(rule, rules[:index])
        if other is not None:
            yield (
                ("rule", index),
                "",
                f"never decides: the earlier rule {quoted(other.name)} matches every message that this one could match",
            )


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


def _single_faults(config: Config, today: date) -> Iterator[Problem]:
    """Find rules that refuse a client for a single fault that must not be the only reason."""
    for fault, actions, reference, text in _SINGLE_FAULTS:
        names = rules_triggered_by(config.policy, today, fault, actions)
        for index, rule in enumerate(config.policy.rules):
            if rule.name in names:
                yield ("rule", index), reference, text


def _neutral(config: Config, today: date) -> Iterator[Problem]:
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


def _postmaster(config: Config, today: date) -> Iterator[Problem]:
    refusing = [first_refusing(config.policy, today, recipient) for recipient in _postmasters(config)]
    if all(rule is not None for rule in refusing):
        yield (
            ("rule", next(index for index, rule in enumerate(config.policy.rules) if rule is refusing[0])),
            "RFC 5321 section 4.5.1",
            "can refuse mail to postmaster, which must be reachable for everybody; put before it a rule with"
            ' when = { rcpt = ["postmaster@", "abuse@"] } and action = "accept"',
        )


def _postmasters(config: Config) -> Iterator[str]:
    """Yield postmaster's addresses, of which at least one must not be refused: in any domain, and those that the rules name."""
    yield "postmaster@\0"
    for _, condition in _conditions(config):
        if condition.name == "rcpt" and isinstance(condition.values, Mailboxes):
            yield from (each for each in condition.values.addresses if each.startswith("postmaster@"))


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


def _unconfirmed_claims(config: Config, today: date) -> Iterator[Problem]:
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


def _fail_without_permerror(config: Config, today: date) -> Iterator[Problem]:
    tests = [
        (index, condition.values.words)
        for index, rule in enumerate(config.policy.rules)
        for condition in rule.when
        if condition.name == "iprev" and isinstance(condition.values, Words) and rule.action not in ("", ACCEPT)
    ]
    if any("permerror" in words for _, words in tests):
        return
    for index, words in tests:
        if "fail" in words:
            yield (
                ("rule", index, "when", "iprev"),
                "RFC 8601 section 2.7.3",
                'tests iprev for "fail": there is a reverse name, but it does not resolve back. A client without any reverse'
                ' name has "permerror", which no rule tests; did you mean ["fail", "permerror"]?',
            )


_CHECKS: tuple[LintCheck, ...] = (
    _no_rules,
    _deadline,
    _loopback,
    relays_of_others,
    _exceptions,
    _nested_repetitions,
    _ended,
    _covered_by_earlier,
    late_exceptions,
    unused_scores,
    not_judged,
    unused_lists,
    missing_names,
    _single_faults,
    _neutral,
    _postmaster,
    _unconfirmed_claims,
    _fail_without_permerror,
)
