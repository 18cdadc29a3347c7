"""The documentation as data, so that tests can compare it with the code: its text, tables, blocks of code, headings and links.

Reads README.md and packaging/doc/*.md as one document. Knows no more of Markdown than they need.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
PAGES = tuple(sorted((ROOT / "packaging" / "doc").glob("*.md")))
# All that is installed with the program.
DOCUMENTS = (README, ROOT / "NEWS.md", ROOT / "packaging" / "README.md", ROOT / "packaging" / "SECURITY.md", *PAGES)
# They describe the code and name its modules; the others are for administrators.
FOR_DEVELOPERS = ("architecture.md", "platform.md")
_FENCE = re.compile(r"^( *)```([\w.]+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_ANY_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")


def text() -> str:
    """Return README.md and all pages, one after the other."""
    return "\n".join(page.read_text("utf-8") for page in (README, *PAGES))


def for_administrators() -> str:
    """Return README.md and the pages that do not describe the code."""
    return "\n".join(page.read_text("utf-8") for page in (README, *PAGES) if page.name not in FOR_DEVELOPERS)


def blocks(language: str) -> list[str]:
    """Return the blocks of code marked with that word, in order, without their indentation."""
    return [
        "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))
        for indent, word, body in _FENCE.findall(text())
        if word == language
    ]


def tables(first: str) -> list[list[list[str]]]:
    """Return the rows of each table whose first column has that head. Cells have no blanks around them."""
    found: list[list[list[str]]] = []
    head, inside = True, False
    for line in text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            head, inside = True, False
        elif head:
            head, inside = False, cells[0] == first
            found += [[]] if inside else []
        elif inside and not set(cells[0]) <= set("-"):
            found[-1].append(cells)
    return found


def table(first: str) -> list[list[str]]:
    """Return the rows of the only table whose first column has that head."""
    (rows,) = tables(first)
    return rows


def code(cell: str) -> list[str]:
    """Return the words in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def links(document: str) -> list[str]:
    """Return the targets of the links, without those to other sites."""
    return [target for target in _LINK.findall(_ANY_FENCE.sub("", document)) if "://" not in target]


def anchors(document: str) -> set[str]:
    """Return the anchors of the headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", _ANY_FENCE.sub("", document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
