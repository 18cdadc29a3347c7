"""Numbers, shares and text of any origin as a reader sees them.

Pure. Must never let through what a terminal or a browser would obey: names and lines of a log are of the sender's own making.
"""

from __future__ import annotations

from datetime import datetime

MAX_TEXT = 500  # characters


def plain(text: str, most: int = MAX_TEXT) -> str:
    """The text in printable ASCII, all else escaped, at most so many characters of it."""
    cut = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(letter if letter.isascii() and letter.isprintable() else ascii(letter)[1:-1] for letter in cut)


def number(count: float) -> str:
    """With a comma every three digits."""
    return f"{count:,}"


def percent(part: float, whole: float) -> str:
    """What part of the whole it is, so that neither nothing nor everything is claimed where it is not so."""
    if not whole:
        return "-"
    share = 100 * part / whole
    if 0 < share < 0.01:
        return "< 0.01 %"
    if 99.99 < share < 100:
        return "> 99.99 %"
    return f"{share:.2f} %" if 0 < share < 1 or 99 < share < 100 else f"{share:.1f} %"


def minute(moment: datetime) -> str:
    """A date and a time of day without seconds and zone: "2026-11-20 03:53"."""
    return moment.strftime("%Y-%m-%d %H:%M")


def duration(hours: int) -> str:
    """A number of hours, 1 or more, in words; whole days as days: "1 hour", "7 days"."""
    days, rest = divmod(hours, 24)
    count, unit = (hours, "hour") if rest else (days, "day")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
