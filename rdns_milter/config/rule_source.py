"""Find the lines of each rule in a configuration file, and the comment above it, for messages that quote a rule.

Pure. Reads only documents that load.py has accepted. Does not interpret the rules.

TOML 1.0.0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from ..text.toml_positions import Positions

MAX_LINES = 20  # of a comment, and of a rule; more are cut


@dataclass(frozen=True, slots=True)
class RuleSource:
    """One rule as written in the file. `line`: the line of its [[rule]], from 1; `comment`: the comment lines directly above it,
    without "#"; `text`: the lines of the rule."""

    name: str
    line: int
    comment: tuple[str, ...]
    text: tuple[str, ...]


def rule_sources(document: str) -> Mapping[str, RuleSource]:
    """Return the rules of a configuration file by name. Raises tomllib.TOMLDecodeError."""
    lines, positions = document.splitlines(), Positions(document)
    found: dict[str, RuleSource] = {}
    for index, rule in enumerate(tomllib.loads(document).get("rule", ())):
        line = positions.line(("rule", index))
        name = rule.get("name", "")
        if line and name not in found:
            found[name] = RuleSource(name, line, _comment_above(lines, line - 1), _text_from(lines, line - 1))
    return found


def _comment_above(lines: list[str], at: int) -> tuple[str, ...]:
    first = at
    while first and at - first < MAX_LINES and lines[first - 1].startswith("#"):
        first -= 1
    return tuple(line.removeprefix("#").strip() for line in lines[first:at])


def _text_from(lines: list[str], at: int) -> tuple[str, ...]:
    """Return the lines of a rule: up to a blank line, a comment or the next header."""
    end = at + 1
    while end < min(len(lines), at + MAX_LINES) and lines[end].strip() and not lines[end].startswith(("[", "#")):
        end += 1
    return tuple(line.rstrip() for line in lines[at:end])
