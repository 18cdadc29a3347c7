"""What is valid, but goes against a MUST or SHOULD, or surely was not meant: each with the rule, its line and the reference.

Pure. Where it can it asks the policy itself (policy/what_if.py) instead of looking at how rules are written. Changes nothing, and
what it warns of may be meant as it is.

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
from ..net.names import organizational_domain
from ..policy.reachability import covering_rule
from ..policy.rules import ACCEPT, TAG, Condition, Mailboxes, Words
from ..policy.what_if import (
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
from .load import Config
from .patterns.syntax import has_nested_repeat, parse

POSTFIX_TIMEOUT, SENDMAIL_TIMEOUT = 30.0, 10.0  # seconds: milter_command_timeout; R in Xmilter's T=, if nothing is set


@dataclass(frozen=True, slots=True)
class Caution:
    """One warning. `rule`: its name, "" where it is about an option or about all rules; `where`: the key path in the file;
    `line`: from 1, 0 where it is not known; `reference`: the RFC and its section; `text`: what is wrong and what to do."""

    rule: str
    where: Path
    line: int
    reference: str
    text: str

    def __str__(self) -> str:
        what = f"rule {quoted(self.rule)}: " if self.rule else ""
        return one_line(f"{what}{self.text}{f' ({self.reference})' if self.reference else ''}")


Finding = tuple[Path, str, str]  # where, reference, text
Check = Callable[[Config, date], Iterator[Finding]]


def lint(config: Config, today: date, positions: Positions | None = None) -> tuple[Caution, ...]:
    """All there is to warn of, in the order of the file. `positions`: of the file that the config was read from."""
    positions = positions or Positions()
    cautions = set()
    for check in _CHECKS:
        for where, reference, text in check(config, today):
            rule = config.policy.rules[int(where[1])].name if where[:1] == ("rule",) and len(where) > 1 else ""
            cautions.add(Caution(rule, where, positions.line(where), reference, text))
    return tuple(sorted(cautions, key=lambda caution: (_place(caution), caution.text)))


def _place(caution: Caution) -> tuple[int, int, str]:
    where = caution.where
    index = int(where[1]) if caution.rule else -1
    return index, caution.line, str(where)


def _alone(config: Config, today: date) -> Iterator[Finding]:
    """Rules that refuse for what one must not be refused for alone."""
    for fault, actions, reference, text in _FAULTS:
        names = rules_triggered_by(config.policy, today, fault, actions)
        for index, rule in enumerate(config.policy.rules):
            if rule.name in names:
                yield ("rule", index), reference, text


_FAULTS: tuple[tuple[Fault, frozenset[str], str, str], ...] = (
    (
        mismatch,
        REFUSED,
        "RFC 5321 section 4.1.4",
        "refuses clients whose only fault is that the HELO name does not match address or reverse name; a server MUST NOT"
        " refuse on that basis: tag, or ask for another fault as well",
    ),
    (
        softfail,
        REJECTED,
        "RFC 7208 section 8.5",
        "rejects on softfail alone; a receiver SHOULD NOT: tag, or ask for another fault as well",
    ),
    (
        null_sender,
        REFUSED,
        "RFC 2505 section 2.6.1",
        "refuses mail because its sender is <>; bounces have that sender, and an MTA MUST NOT refuse it",
    ),
)


def _neutral(config: Config, today: date) -> Iterator[Finding]:
    for where, condition in _conditions(config):
        if condition.name in ("spf_helo", "spf_mailfrom") and isinstance(condition.values, Words):
            words = condition.values.words
            if ("neutral" in words) != ("none" in words):
                named, missing = ("neutral", "none") if "neutral" in words else ("none", "neutral")
                yield (
                    where,
                    "RFC 7208 section 8.2",
                    f"asks for {condition.name} {named} without {missing}; neutral MUST be treated exactly like none",
                )


def _conditions(config: Config) -> Iterator[tuple[Path, Condition]]:
    for index, rule in enumerate(config.policy.rules):
        for key, conditions in (("when", rule.when), ("unless", rule.unless)):
            for condition in conditions:
                yield ("rule", index, key, condition.name), condition


def _postmaster(config: Config, today: date) -> Iterator[Finding]:
    refusing = [first_refusing(config.policy, today, recipient) for recipient in _postmasters(config)]
    if all(rule is not None for rule in refusing):
        yield (
            ("rule", next(index for index, rule in enumerate(config.policy.rules) if rule is refusing[0])),
            "RFC 5321 section 4.5.1",
            "can refuse mail to postmaster, whom everybody must be able to reach; put in front of it a rule with"
            ' when = { rcpt = ["postmaster@", "abuse@"] } and action = "accept"',
        )


def _postmasters(config: Config) -> Iterator[str]:
    """Addresses of which one must be spared: that of any domain, or one that the rules name."""
    yield "postmaster@\0"
    for _, condition in _conditions(config):
        if condition.name == "rcpt" and isinstance(condition.values, Mailboxes):
            yield from (each for each in condition.values.addresses if each.startswith("postmaster@"))


def _deadline(config: Config, today: date) -> Iterator[Finding]:
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


# What the client says of itself, and the conditions that make it more than that.
_VOUCHERS: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "helo_name": {
            "helo": frozenset(("pass",)),
            "spf_helo": frozenset(("pass",)),
            "helo_match": frozenset(("same", "aligned")),
        },
        "mailfrom": {"spf_mailfrom": frozenset(("pass",)), "mailfrom_match": frozenset(("same", "aligned"))},
    }
)


def _own_word(config: Config, today: date) -> Iterator[Finding]:
    for index, rule in enumerate(config.policy.rules):
        lets_in = rule.action == ACCEPT or rule.score < 0
        conditions, key = (rule.when, "when") if lets_in else (rule.unless, "unless")
        if not lets_in and rule.action == TAG:
            continue
        for condition in conditions:
            vouchers = _VOUCHERS.get(condition.name)
            if vouchers is None or (lets_in and any(_vouches(other, vouchers) for other in rule.when)):
                continue
            proof = f'{next(iter(vouchers))} = "pass"'
            yield (
                ("rule", index, key, condition.name),
                "RFC 5321 section 7.1",
                f"lets in whoever claims such a {condition.name}, and anybody can: ask for {proof} as well"
                if lets_in
                else f"spares whoever claims such a {condition.name}, and anybody can: instead accept it in a rule before this one"
                f" that asks for {proof} as well",
            )


def _vouches(condition: Condition, vouchers: Mapping[str, frozenset[str]]) -> bool:
    if condition.name in ("client", "ptr") or (condition.name == "authenticated" and condition.values is True):
        return True
    return (
        condition.name in vouchers
        and isinstance(condition.values, Words)
        and condition.values.words <= vouchers[condition.name]
    )


def _eclipsed(config: Config, today: date) -> Iterator[Finding]:
    rules = config.policy.rules
    for index, rule in enumerate(rules):
        other = covering_rule(rule, rules[:index])
        if other is not None:
            yield (
                ("rule", index),
                "",
                f"never decides anything: rule {quoted(other.name)} before it matches all that it could match",
            )


def _ends(config: Config, today: date) -> Iterator[Finding]:
    for index, rule in enumerate(config.policy.rules):
        if rule.until is not None and rule.until < today:
            yield ("rule", index, "until"), "", f"ended on {rule.until}, and is no longer in force: remove it"


def _permerror(config: Config, today: date) -> Iterator[Finding]:
    asking = [
        (index, rule, condition.values.words)
        for index, rule in enumerate(config.policy.rules)
        for condition in rule.when
        if condition.name == "iprev" and isinstance(condition.values, Words) and rule.action not in ("", ACCEPT)
    ]
    if any("permerror" in words for _, _, words in asking):
        return
    for index, _, words in asking:
        if "fail" in words:
            yield (
                ("rule", index, "when", "iprev"),
                "RFC 8601 section 2.7.3",
                'asks for iprev = "fail", which is a reverse name that does not lead back; that there is none at all is'
                ' "permerror", and no rule asks for it: ["fail", "permerror"]?',
            )


_SOMEBODY = ip_address("192.0.2.1")
_PARTS = re.compile(r"[a-z]+")


def _exceptions(config: Config, today: date) -> Iterator[Finding]:
    for index, name in enumerate(config.generic.exceptions):
        if why := _pool_like(name):
            yield (
                ("generic", "exceptions", index),
                "RFC 8501 section 5.1",
                f"generic.exceptions holds {quoted(name)}, {why}: none of the names below it would be generic; name the hosts"
                " that send mail instead",
            )


def _pool_like(name: str) -> str:
    """Why a name should not stand for all that is below it; "" if there is nothing against it."""
    own = organizational_domain(name)
    if not own:
        return "under which anybody can have a name"
    below = frozenset(_PARTS.findall(name.removesuffix(own)))
    # What says by itself how a line is made, or who sits at its end: the latter may be a firm's own name, too.
    if any(WORDS.get(word, 0) > (1 if word in below else 2) for word in _PARTS.findall(name)):
        return "which looks like a pool of addresses itself"
    return "which looks like a pool of addresses itself" if generic(f"x.{name}", _SOMEBODY).result == "yes" else ""


def _repetitions(config: Config, today: date) -> Iterator[Finding]:
    for index, pattern in enumerate(config.generic.patterns):
        if has_nested_repeat(parse(pattern)):
            yield (
                ("generic", "patterns", index),
                "",
                f"generic.patterns holds {quoted(pattern.pattern)}, a repetition in a repetition (nested quantifiers), as in"
                " (x+)+: with a small change it may take very long on names made for that. Possessive ones, (x++)+, do not",
            )


def _nothing(config: Config, today: date) -> Iterator[Finding]:
    if not config.policy.rules:
        yield (), "", "there is no rule: every message is accepted"


_CHECKS: tuple[Check, ...] = (
    _nothing,
    _deadline,
    _exceptions,
    _repetitions,
    _ends,
    _eclipsed,
    _alone,
    _neutral,
    _postmaster,
    _own_word,
    _permerror,
)
