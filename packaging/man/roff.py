"""A manual page as man(7) wants it: headings, paragraphs, items, examples.

Knows how to write, and nothing of what is written. In all texts `this` is bold; everything else is printed as it stands, so that
what is copied from a terminal is what was meant: no hyphen becomes a dash, no quote a curly one.
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
    """The text as it stands."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def bold(text: str) -> str:
    """A word that is typed."""
    return f"\\fB{plain(text)}\\fP"


def italic(text: str) -> str:
    """A word that stands for another."""
    return f"\\fI{plain(text)}\\fP"


def marked(text: str) -> str:
    """The text, with what stands in backticks bold."""
    parts = _CODE.split(text)
    return "".join(bold(part) if odd else plain(part) for part, odd in zip(parts, _alternating(), strict=False))


def _alternating() -> Iterable[bool]:
    while True:
        yield False
        yield True


class Page:
    """One page, written from the top."""

    def __init__(self, name: str, section: int, day: str, source: str, manual: str, what: str) -> None:
        self._lines = [
            f'.TH {plain(name.upper())} {section} {day} "{plain(source)}" "{plain(manual)}"',
            # Neither words torn apart nor blanks stretched: most of this is meant to be typed.
            ".nh",
            ".ad l",
        ]
        self.section("Name")
        self._lines.append(f"{plain(name)} \\- {plain(what)}")

    def section(self, title: str) -> None:
        """A heading."""
        self._lines.append(f'.SH "{plain(title.upper())}"')

    def subsection(self, title: str) -> None:
        """A smaller heading, as it stands."""
        self._lines.append(f'.SS "{plain(title)}"')

    def paragraph(self, text: str) -> None:
        """Sentences."""
        self._apart()
        self._fill(marked(text))

    def item(self, head: str, text: str) -> None:
        """A head (written with `bold`, `italic`, `plain`) and, indented, what is to be said of it."""
        self._lines += [".TP", _guarded(head)]
        self._fill(marked(text))

    def line(self, line: str) -> None:
        """A paragraph that is written with `bold`, `italic`, `plain`."""
        self._apart()
        self._lines.append(_guarded(line))

    def example(self, text: str) -> None:
        """Lines as they are to be typed."""
        self._apart()
        self._lines += [".RS 4", ".EX", *(_guarded(plain(line)) for line in text.splitlines()), ".EE", ".RE"]

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def _apart(self) -> None:
        """A new paragraph, but where a heading has just begun one."""
        if not self._lines[-1].startswith((".SH", ".SS")):
            self._lines.append(".PP")

    def _fill(self, text: str) -> None:
        for sentence in _SENTENCE_END.split(text):
            lines = textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
            self._lines += map(_guarded, lines)


def _guarded(line: str) -> str:
    """A line of text must not look like a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
