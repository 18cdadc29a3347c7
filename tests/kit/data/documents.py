"""README.md as data, so that tests can hold it to what the code says: its tables and its blocks of code.

Reads only; knows no more of Markdown than README.md needs.
"""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[3] / "README.md"
_FENCE = re.compile(r"^( *)```([\w.]+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def text() -> str:
    """All of it."""
    return README.read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The blocks of code that are marked with that word, in order, without their indent."""
    return [
        "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))
        for indent, word, body in _FENCE.findall(text())
        if word == language
    ]


def table(first: str) -> list[list[str]]:
    """The rows below the head of the table whose first column is called so, cells without blanks around them."""
    rows: list[list[str]] = []
    found = False
    for line in text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            found = False
        elif found and not set(cells[0]) <= set("-"):
            rows.append(cells)
        elif cells[0] == first:
            found = True
    return rows


def code(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)
