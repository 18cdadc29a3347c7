"""Print the output of the demo: with colours and line breaks on a terminal, as plain text in a pipe.

Knows nothing of mail.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from typing import TextIO

WIDEST = 110
BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
_COLOURS = {
    **dict.fromkeys(("accept", "pass", "250"), GREEN),
    **dict.fromkeys(("reject", "fail", "permerror", "550"), RED),
    **dict.fromkeys(("tag", "tempfail", "temperror", "softfail", "451"), YELLOW),
}
_PAIR = re.compile(r'(?P<key>\b[a-z_]+=)(?P<value>[^\s"]*)')


class Output:
    """Writer for one stream. `colour`: it is a terminal, and NO_COLOR is not set (https://no-color.org)."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.terminal = out.isatty()
        self.colour = self.terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self.width = min(WIDEST, shutil.get_terminal_size((100, 24)).columns) if self.terminal else 100

    def paint(self, text: str, *codes: str) -> str:
        """Return the text in that colour, if colours are used."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colour and codes else text

    def word(self, text: str) -> str:
        """Return a result in the colour of its meaning."""
        return self.paint(text, *filter(None, [_COLOURS.get(text, "")]))

    def line(self, text: str = "") -> None:
        """Print one line unchanged."""
        print(text, file=self._out, flush=True)

    def prose(self, text: str, indent: str = "") -> None:
        """Print a paragraph, wrapped."""
        self.line(textwrap.fill(text, min(self.width, 90), initial_indent=indent, subsequent_indent=indent))

    def title(self, text: str) -> None:
        """Print a heading."""
        for number, part in enumerate(textwrap.wrap(text, self.width, subsequent_indent="    ")):
            self.line(("" if number else "\n") + self.paint(part, BOLD))

    def log_line(self, label: str, text: str) -> None:
        """Print a line of key=value pairs: on a terminal wrapped, with dim keys and coloured results."""
        for part in self._wrapped(label, text):
            self.line(_PAIR.sub(self._pair, part))

    def labelled(self, label: str, text: str) -> None:
        """Print a labelled text, wrapped on a terminal, with a leading code in its colour."""
        for number, part in enumerate(self._wrapped(label, text)):
            code = text.partition(" ")[0]
            self.line(part if number else part.replace(code, self.word(code), 1))

    def _wrapped(self, label: str, text: str) -> list[str]:
        if not self.terminal:
            return [label + text]
        return textwrap.wrap(
            text, self.width, initial_indent=label, subsequent_indent=" " * len(label),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def _pair(self, match: re.Match[str]) -> str:
        return self.paint(match["key"], DIM) + self.word(match["value"])
