"""The tables of packaging/doc/migration.md: what was set in another program, the rules for it, and whether both were compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.kit.data import documents

_KEYS = re.compile(r", (?=(?:when|unless|action|score|shadow|code|text) = )")


@dataclass(frozen=True, slots=True)
class Row:
    """`old`: the first setting; `settings`: those with it; `rules`: the keys of each rule, a line each; `options`: each with its
    section; `compared`: the cell, "-" if they were not."""

    old: str
    settings: list[str]
    rules: list[str]
    compared: str
    options: tuple[str, ...] = ()


def rows(program: str) -> list[Row]:
    """Return the rows of the table of that program."""
    found = []
    for cells in documents.table(program):
        old, *settings = documents.code(cells[0]) or [""]
        new = documents.code(cells[1])
        rules = [_KEYS.sub("\n", each) for each in new if each.startswith(("when", "action"))]
        options = tuple(each for each in new if not each.startswith(("when", "action")))
        found.append(Row(old, settings, rules, cells[2] if len(cells) > 2 else "-", options))
    return found
