"""Write a manual page in the format of man(7): headings, paragraphs, items, examples.

Knows nothing of the contents. In all texts `this` is bold. Everything else is printed unchanged, so that text copied from a
terminal is correct: no hyphen becomes a dash, and no quote a typographic one.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
_CODE = re.compile(r"`([^`]+)`")
_SENTENCE_END = re.compile(r'(?<=[.!?;:]) (?=[A-Z"`(])')
_WIDTH = 78


def plain(text: str) -> str:
    """Return the text, escaped for roff."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def bold(text: str) -> str:
    """Return a word that the reader types."""
    return f"\\fB{plain(text)}\\fP"


def italic(text: str) -> str:
    """Return a word that the reader replaces."""
    return f"\\fI{plain(text)}\\fP"


def marked(text: str) -> str:
    """Return the text with the words in backticks in bold."""
    parts = _CODE.split(text)
    return "".join(bold(part) if odd else plain(part) for part, odd in zip(parts, _alternating(), strict=False))


def _alternating() -> Iterable[bool]:
    while True:
        yield False
        yield True


class Page:
    """A page, written from top to bottom."""

    def __init__(self, name: str, section: int, day: str, source: str, manual: str, what: str) -> None:
        self._lines = [
            f'.TH {plain(name.upper())} {section} {day} "{plain(source)}" "{plain(manual)}"',
            # No hyphenation and no justification: most of the text is meant to be typed.
            ".nh",
            ".ad l",
        ]
        self.section("Name")
        self._lines.append(f"{plain(name)} \\- {plain(what)}")

    def section(self, title: str) -> None:
        """Add a heading."""
        self._lines.append(f'.SH "{plain(title.upper())}"')

    def subsection(self, title: str) -> None:
        """Add a smaller heading."""
        self._lines.append(f'.SS "{plain(title)}"')

    def paragraph(self, text: str) -> None:
        """Add a paragraph of sentences."""
        self._apart()
        self._fill(marked(text))

    def item(self, head: str, text: str) -> None:
        """Add a head (written with `bold`, `italic`, `plain`) and an indented text."""
        self._lines += [".TP", _guarded(head)]
        self._fill(marked(text))

    def line(self, line: str) -> None:
        """Add a paragraph written with `bold`, `italic`, `plain`."""
        self._apart()
        self._lines.append(_guarded(line))

    def example(self, text: str) -> None:
        """Add lines that the reader types."""
        self._apart()
        self._lines += [".RS 4", ".EX", *(_guarded(plain(line)) for line in text.splitlines()), ".EE", ".RE"]

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def _apart(self) -> None:
        """Begin a new paragraph, except after a heading."""
        if not self._lines[-1].startswith((".SH", ".SS")):
            self._lines.append(".PP")

    def _fill(self, text: str) -> None:
        for sentence in _SENTENCE_END.split(text):
            lines = textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
            self._lines += map(_guarded, lines)


def _guarded(line: str) -> str:
    """Return the line, protected if roff would take it for a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
