"""How words, tables and bars look on a terminal.

Judges nothing. Must never let through what a terminal would obey: names and lines of a log are of the sender's own making.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .numbers import plain

_BLOCKS = " ▏▎▍▌▋▊▉█"
# How a word looks.
STYLES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("pass", "accept", "accepted", "same", "aligned", "ok", "confirmed"), "green"),
        **dict.fromkeys(("fail", "permerror", "reject", "quarantine", "invalid"), "bold red"),
        **dict.fromkeys(("softfail", "tempfail", "deferred", "tag", "nxdomain", "nodata", "missing"), "yellow"),
        **dict.fromkeys(("temperror", "timeout", "servfail", "bogus", "resolver-down", "deadline", "error"), "yellow"),
        **dict.fromkeys(("refused", "referral", "lame", "open"), "yellow"),
        **dict.fromkeys(("none", "neutral"), "dim"),
    }
)


def word(value: object) -> Text:
    """A word of the evidence or of a verdict, in its colour."""
    text = plain(str(value))
    return Text(text, style=STYLES.get(text, ""))


def bar(part: float, most: float, width: int) -> str:
    """A bar of at most so many cells, as long as the part is of the most; anything above 0 can be seen."""
    if part <= 0 or most <= 0:
        return ""
    eighths = max(1, round(8 * width * min(part, most) / most))
    return _BLOCKS[8] * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def stacked(parts: Sequence[float], most: float, width: int) -> list[int]:
    """The cells of each part of a bar whose whole is as long as all parts together are of the most."""
    cells, reached, total = [], 0, 0.0
    for part in parts:
        total += part
        end = round(width * min(total, most) / most) if most > 0 else 0
        cells.append(end - reached)
        reached = end
    return cells


def heading(console: Console, title: str, note: str = "") -> None:
    """A heading, with a blank line before it."""
    console.print()
    text = Text(title, style="bold")
    if note:
        text.append(f"  {note}", style="not bold dim")
    console.print(text, soft_wrap=True)


def table(
    console: Console, rows: Iterable[Sequence[Any]], left: int = 1, heads: Sequence[str] = (), bars: bool = False
) -> None:
    """Rows in columns: the first `left` of them flush left, with `bars` the last one too, the others flush right."""
    listed = [[cell if isinstance(cell, Text) else Text(plain(str(cell))) for cell in row] for row in rows]
    if not listed:
        return
    shown = Table(box=None, show_header=bool(heads), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    last = len(listed[0]) - 1
    for index in range(last + 1):
        shown.add_column(
            f"{'  ' if not index else ''}{heads[index] if heads else ''}",
            justify="left" if index < left or (bars and index == last) else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in listed:
        shown.add_row(Text("  ") + row[0], *row[1:])
    console.print(shown)
