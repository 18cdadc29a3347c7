"""Suggest a date for a value that is not a date: "30d" (from today on), "31.12.2026", a date with a time.

Pure: today is an argument. A date is suggested only if there is no doubt which one is meant.

TOML 1.0.0 (Local Date).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

_PERIOD = re.compile(
    r"\s*(?:in\s+|for\s+|now\s*)?\+?\s*p?([0-9]{1,4})\s*(days?|d|weeks?|w|months?|mon|years?|y|hours?|h|)\s*\Z",
    re.IGNORECASE,
)
_NO_END = ("", "never", "none", "forever", "always", "no", "false")
_WORDS = {"today": 0, "tomorrow": 1}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR_FIRST = re.compile(r"([0-9]{4})(?P<sign>[-/. ]?)([0-9]{1,2})(?P=sign)([0-9]{1,2})(?:[T ].*)?\Z")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/. ])([0-9]{1,2})\2([0-9]{4})\Z")
_DAY_MONTH = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?\.?[ -]([a-z]{3})[a-z]*\.?,?[ -]([0-9]{4})\Z", re.IGNORECASE)
_MONTH_DAY = re.compile(r"([a-z]{3})[a-z]*\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})\Z", re.IGNORECASE)


def date_hint(value: object, today: date) -> str:
    """Return the end of the message about a value of `until` that is not a date; "" if there is no hint."""
    if value is False or (isinstance(value, str) and value.strip().lower() in _NO_END):
        return "; for a rule without end leave until out"
    meant = meant_date(value, today)
    return f"; write until = {meant}" if meant else ""


def meant_date(value: object, today: date) -> date | None:
    """Return the date that was probably meant; None if it is not known."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000_000:
        value = str(value)
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        return _period(value, today) or _written(value.strip())
    except (ValueError, OverflowError):
        return None


def _period(text: str, today: date) -> date | None:
    days = _WORDS.get(text.strip().lower())
    if days is not None:
        return today + timedelta(days=days)
    match = _PERIOD.match(text)
    if match is None:
        return None
    count, unit = int(match[1]), match[2][:1].lower()
    if not unit and not 0 < count < 1000:  # a number alone: days, unless it is a year
        return None
    if unit not in ("m", "y"):
        return today + timedelta(days=-(-count // 24) if unit == "h" else count * (7 if unit == "w" else 1))
    months = count * (12 if unit == "y" else 1) + today.month - 1
    year, month = today.year + months // 12, months % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(today.day, (following - timedelta(days=1)).day))


def _written(text: str) -> date | None:
    if match := _YEAR_FIRST.match(text):
        return date(int(match[1]), int(match[3]), int(match[4]))
    if match := _DAY_MONTH.match(text):
        return date(int(match[3]), _month(match[2]), int(match[1]))
    if match := _MONTH_DAY.match(text):
        return date(int(match[3]), _month(match[1]), int(match[2]))
    if match := _YEAR_LAST.match(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match[2] == "." or first > 12 or first == second:
            return date(year, second, first)
        # 12/31/2026 can be one date only, 03/04/2026 is two.
        return date(year, first, second) if second > 12 else None
    return None


def _month(word: str) -> int:
    return _MONTHS.index(word.lower()) + 1
