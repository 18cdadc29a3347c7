"""Lint checks: names that match less than was probably meant: a domain without the names below it, or the reverse.

Pure. `dom` matches this name only, `.dom` only the names below it.

packaging/doc/rules.md (Conditions).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice

from ...net.alignment import organizational_domain
from ...policy.rules import Condition, Mailboxes, Names
from ...text.toml import quoted
from ...text.toml_positions import Path
from ..load import Config

Problem = tuple[Path, str, str]  # path, reference and text of a warning

_MAX_TRIED = 20_000  # names of a list that are looked at


def missing_names(config: Config, today: date) -> Iterator[Problem]:
    """Find conditions that probably match too few names: a domain that does not match the hosts in it, and a suffix that does not
    match the domain itself."""
    for index, rule in enumerate(config.policy.rules):
        for key, conditions in (("when", rule.when), ("unless", rule.unless)):
            for condition in conditions:
                text = _missing(condition)
                if text:
                    yield ("rule", index, key, condition.name), "", text


def _missing(condition: Condition) -> str:
    if isinstance(condition.values, Names):
        name = _whole_domain(condition.values)
        if name:
            return (
                f"{condition.name} = {quoted(name)} matches this one name, not mail.{name}; for the names below it write"
                f" {quoted(f'.{name}')}, for both [{quoted(name)}, {quoted(f'.{name}')}]"
            )
    elif isinstance(condition.values, Mailboxes):
        suffix = _lonely_suffix(condition.values.domains)
        if suffix:
            name = suffix.removeprefix(".")
            return (
                f"{condition.name} = {quoted(suffix)} matches mailboxes in the domains below {name}, not those in {name} itself;"
                f" for these write {quoted(name)}, for both [{quoted(name)}, {quoted(suffix)}]"
            )
    return ""


def _whole_domain(names: Names) -> str:
    """Return the first name that is an organizational domain while the names below it are not matched; "" if there is none."""
    for name in sorted(islice(names.exact, _MAX_TRIED)):
        if organizational_domain(name) == name and not names.match(f"x.{name}"):
            return name
    return ""


def _lonely_suffix(names: Names) -> str:
    """Return the first suffix of an organizational domain while the domain itself is not matched; "" if there is none."""
    for suffix in sorted(islice(names.suffixes, _MAX_TRIED)):
        name = suffix.removeprefix(".")
        if organizational_domain(name) == name and not names.match(name):
            return suffix
    return ""
