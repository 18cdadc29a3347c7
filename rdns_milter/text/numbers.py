"""Counts and percentages as they are shown to a reader.

Pure. A rounded share must never look like nothing or everything where it is not.
"""

from __future__ import annotations

from datetime import datetime


def number(count: float) -> str:
    """Return the number with a comma every three digits."""
    return f"{count:,}"


def percent(part: float, whole: float) -> str:
    """Return the share in percent, "-" if `whole` is 0. A share near 0 or 100 has two decimals, or is "< 0.01 %" or "> 99.99 %"."""
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
