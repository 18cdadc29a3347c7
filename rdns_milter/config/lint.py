"""Run the checks of `config --lint`: they warn of settings that are valid, but go against an RFC or are probably not intended.

Pure. Each check is in lint_checks/. Changes nothing; a setting with a warning may be intended as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from ..text.escape import one_line
from ..text.toml import quoted
from ..text.toml_positions import Path, Positions
from .lint_checks.name_scope import missing_names
from .lint_checks.option_values import long_deadline, loopback_missing, nested_repetitions, wide_exceptions
from .lint_checks.relay_networks import relays_of_others
from .lint_checks.rfc_violations import neutral_unlike_none, postmaster_refused, single_faults
from .lint_checks.rule_effect import (
    covered_rules,
    ended_rules,
    fail_without_permerror,
    late_exceptions,
    no_rules,
    not_judged,
    unused_lists,
    unused_scores,
)
from .lint_checks.spf_reach import Reach
from .lint_checks.unconfirmed_claims import unconfirmed_claims
from .lint_checks.wide_providers import wide_providers
from .load import Config


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
    """Return all warnings in the order of the file. `positions`: the lines of that file; `reaches`: for each provider that the
    rules ask about, which clients it authorizes, if that was looked up."""
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


_CHECKS: tuple[LintCheck, ...] = (
    no_rules,
    long_deadline,
    loopback_missing,
    relays_of_others,
    wide_exceptions,
    nested_repetitions,
    ended_rules,
    covered_rules,
    late_exceptions,
    unused_scores,
    not_judged,
    unused_lists,
    missing_names,
    single_faults,
    neutral_unlike_none,
    postmaster_refused,
    unconfirmed_claims,
    fail_without_permerror,
)
