"""Write words, headings, tables and bars to a terminal.

Knows nothing of mail. Must never let through a control character: names and log lines are chosen by the sender.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .escape import escaped

_BLOCKS = " ▏▎▍▌▋▊▉█"
# The style of each word of evidence, verdicts and DNS answers.
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
    """Return a word of evidence or of a verdict in its style."""
    text = escaped(str(value))
    return Text(text, style=STYLES.get(text, ""))


def bar(part: float, whole: float, width: int) -> str:
    """Return a bar: `width` cells stand for `whole`. Any part above 0 is visible."""
    if part <= 0 or whole <= 0:
        return ""
    eighths = max(1, round(8 * width * min(part, whole) / whole))
    return _BLOCKS[8] * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def stacked(parts: Sequence[float], whole: float, width: int) -> list[int]:
    """Return the number of cells of each part of a stacked bar: `width` cells stand for `whole`. Rounding errors do not add up."""
    cells, reached, total = [], 0, 0.0
    for part in parts:
        total += part
        end = round(width * min(total, whole) / whole) if whole > 0 else 0
        cells.append(end - reached)
        reached = end
    return cells


def heading(console: Console, title: str, note: str = "") -> None:
    """Print a blank line and a heading, with a note behind it; both are escaped."""
    console.print()
    text = Text(escaped(title), style="bold")
    if note:
        text.append(f"  {escaped(note)}", style="not bold dim")
    console.print(text, soft_wrap=True)


def table(
    console: Console, rows: Iterable[Sequence[Any]], left: int = 1, heads: Sequence[str] = (), bars: bool = False
) -> None:
    """Print rows in columns. The first `left` columns are aligned left, the others right; with `bars` the last one is aligned left,
    too. A cell is escaped, unless it is a Text. Without rows nothing is printed."""
    cells = [[cell if isinstance(cell, Text) else Text(escaped(str(cell))) for cell in row] for row in rows]
    if not cells:
        return
    shown = Table(box=None, show_header=bool(heads), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    last = len(cells[0]) - 1
    for index in range(last + 1):
        shown.add_column(
            f"{'  ' if not index else ''}{heads[index] if heads else ''}",
            justify="left" if index < left or (bars and index == last) else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in cells:
        shown.add_row(Text("  ") + row[0], *row[1:])
    console.print(shown)
