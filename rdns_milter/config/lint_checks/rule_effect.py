"""Lint checks: rules that have no effect, or not the one that was probably meant.

Pure. Looks at the conditions alone. So a warning can be wrong about what was meant, but not about which messages a rule gets.

packaging/doc/rules.md (How rules are tried); RFC 8601 2.7.3 (iprev: fail and permerror).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from ...checks.evidence import FACTS
from ...net.networks import Networks
from ...policy.overlap import may_both_match
from ...policy.reachability import covering_rule
from ...policy.rules import ACCEPT, KEPT_OUT, TAG, Condition, Mailboxes, Rule, Words
from ...text.toml import quoted
from ...text.toml_positions import Path
from ..load import Config

Problem = tuple[Path, str, str]  # path, reference and text of a warning

_MAX_NAMED = 3  # rules in a message


def no_rules(config: Config, today: date) -> Iterator[Problem]:
    """Find that there is no rule at all."""
    if not config.policy.rules:
        yield (), "", "there is no rule: every message is accepted"


def ended_rules(config: Config, today: date) -> Iterator[Problem]:
    """Find rules whose last day (`until`) is over."""
    for index, rule in enumerate(config.policy.rules):
        if rule.until is not None and rule.until < today:
            yield ("rule", index, "until"), "", f"ended on {rule.until} and is no longer in force: remove it"


def covered_rules(config: Config, today: date) -> Iterator[Problem]:
    """Find rules that never decide, because an earlier rule matches every message that they could match."""
    rules = config.policy.rules
    for index, rule in enumerate(rules):
        other = covering_rule(rule, rules[:index])
        if other is not None:
            yield (
                ("rule", index),
                "",
                f"never decides: the earlier rule {quoted(other.name)} matches every message that this one could match",
            )


def late_exceptions(config: Config, today: date) -> Iterator[Problem]:
    """Find accept rules that come after the rules to which they should be exceptions."""
    places = [index for index, rule in enumerate(config.policy.rules) if rule.until is None or rule.until >= today]
    rules = [config.policy.rules[place] for place in places]
    for index, (place, rule) in enumerate(zip(places, rules, strict=True)):
        if rule.action != ACCEPT or rule.shadow or not rule.when or _spares_postmaster(rule):
            continue
        earlier = _not_excepted(rule, rules[:index], rules[index + 1 :])
        if earlier and covering_rule(rule, rules[:index]) is None:
            names = ", ".join(quoted(each.name) for each in earlier[:_MAX_NAMED])
            more = f" and {len(earlier) - _MAX_NAMED} more" if len(earlier) > _MAX_NAMED else ""
            yield (
                ("rule", place),
                "",
                f"accepts only what the rules before it leave: {names}{more} can decide on the same mail first; to make it an"
                f" exception to them, move it before {quoted(earlier[0].name)}",
            )


def _not_excepted(rule: Rule, before: Sequence[Rule], after: Sequence[Rule]) -> Sequence[Rule]:
    """Return the earlier rules to which the accept rule was probably meant to be an exception."""
    earlier = [
        each for each in before if not each.shadow and each.action in (*KEPT_OUT, TAG) and may_both_match(rule, each)
    ]
    refusing = [each for each in earlier if each.action in KEPT_OUT]
    is_exception = any(each.action != ACCEPT and may_both_match(rule, each) for each in after)
    if not is_exception:  # then it has no other effect
        return refusing or earlier
    # It is an exception to later rules; an earlier one about one client or one fault apart may be meant to come first.
    is_personal = any(map(_is_identity, rule.when))
    return [each for each in refusing if not any(map(_is_particular, each.when))] if is_personal else []


def _is_identity(condition: Condition) -> bool:
    """Return whether the condition names particular clients, senders or recipients."""
    return condition.name not in FACTS and condition.name not in ("min_score", "tls")


def _is_particular(condition: Condition) -> bool:
    return _is_identity(condition) or condition.name == "helo_own"


def _spares_postmaster(rule: Rule) -> bool:
    """Return whether the rule is about postmaster. There is a separate warning for that."""
    return any(
        address.partition("@")[0] == "postmaster"
        for condition in rule.when
        if condition.name == "rcpt" and isinstance(condition.values, Mailboxes)
        for address in (*condition.values.locals, *condition.values.addresses)
    )


def unused_scores(config: Config, today: date) -> Iterator[Problem]:
    """Find rules whose score no later rule tests."""
    rules = config.policy.rules
    for index, rule in enumerate(rules):
        if not rule.action and not any(_tests_score(later) for later in rules[index + 1 :]):
            yield (
                ("rule", index),
                "",
                "its score has no effect: no rule after it tests min_score",
            )


def _tests_score(rule: Rule) -> bool:
    return any(condition.name == "min_score" for condition in rule.when + rule.unless)


def not_judged(config: Config, today: date) -> Iterator[Problem]:
    """Find conditions that only exempt clients meet. They never match, because no rule is tried on an exempt client."""
    for index, rule in enumerate(config.policy.rules):
        for condition in rule.when:
            option = _exempting(config, condition)
            if option:
                yield (
                    ("rule", index, "when", condition.name),
                    "",
                    f"never matches: {option} exempts such clients from all rules",
                )


def _exempting(config: Config, condition: Condition) -> str:
    if condition.name == "authenticated" and condition.values is True and config.exempt.authenticated:
        return "exempt.authenticated = true"
    if isinstance(condition.values, Networks) and len(condition.values):
        return "exempt.networks" if config.exempt.networks.covers(condition.values) else ""
    return ""


def unused_lists(config: Config, today: date) -> Iterator[Problem]:
    """Find lists and DNS lists that no rule uses."""
    for name in config.unused_lists:
        yield ("lists", name), "", f'the list {quoted(name)} is not used: no rule has "@{name}"'
    asked = {name for name, _ in config.policy.dnslists}
    for name, _ in config.dns_lists:
        if name not in asked:
            text = f"the DNS list {quoted(name)} is not asked: no rule has dnslist = {quoted(name)}"
            yield ("dnslists", name), "", text


def fail_without_permerror(config: Config, today: date) -> Iterator[Problem]:
    """Find rules on iprev that leave out clients without a reverse name."""
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
