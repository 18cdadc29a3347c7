"""Read the dates of log lines, in all forms that logs/line_prefix.py knows, to the minute.

Pure except for the time zone of this host, which applies to dates without one. Must never return a date that cannot be right, such
as one of a wrong clock.

RFC 3164 section 4.1.2 (no year, no zone), RFC 5424 section 6.2.3 and RFC 3339; journalctl's short forms.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta, tzinfo

from .line_prefix import CONTAINER, PRIORITY, STAMP, VERSION

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"{CONTAINER}{PRIORITY}{VERSION}{STAMP}(?= |\Z)")
_DAY = re.compile(r"(?:(\d{4}) )?([A-Z][a-z]{2}) {1,2}(\d{1,2})(?: (\d{4}))?")
_AGO = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# The log of another host or time zone may be a little ahead.
_AHEAD = timedelta(days=2)
# A clock that was never set gives an earlier date.
_EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
_LEAP_YEARS = 9  # years to search for a 29 February: there are at most 8 from one to the next (1896 to 1904)


class Dates:
    """A reader of dates. `now`: an aware datetime; a date without a year is taken for the latest such day up to `now`. `zone`: the
    time zone of dates without one, and of all results; None: that of this host."""

    def __init__(self, now: datetime, zone: tzinfo | None = None) -> None:
        self._now = now.astimezone(zone)
        self._zone = zone
        # Cached, because thousands of lines have the same minute.
        self._traditional = functools.lru_cache(maxsize=4096)(self._read_traditional)
        self._full = functools.lru_cache(maxsize=4096)(self._read_full)
        self._epoch = functools.lru_cache(maxsize=4096)(self._read_epoch)

    def of(self, text: str) -> datetime | None:
        """Return the minute in which a line was written; None if it has no date, or one that cannot be right."""
        match = _DATE.match(text)
        return None if match is None else self._moment(match)

    def since(self, text: str) -> datetime:
        """Return the time given as "2026-11-01", "2026-11-01 12:30", "90m", "36h", "7d", "2w", or in a form of a log's dates.

        Raises ValueError."""
        try:
            if ago := _AGO.fullmatch(text):
                return self._now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            if (match := _DATE.fullmatch(text)) and (found := self._moment(match)):
                return found
            if day := _DAY.fullmatch(text):
                found = self._traditional(day[1] or day[4], day[2], day[3], "00", "00")
                if found is not None:
                    return found
            return self._local(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            raise ValueError(
                f"{text!r} is not a date such as 2026-11-01, 2026-11-01T12:30 or Nov 1 12:30:00, nor a period such as 7d"
            ) from None

    def _moment(self, match: re.Match[str]) -> datetime | None:
        year, month, day, other_year, hour, minute, date, time, offset, zone, seconds = match.groups()
        if month:
            return self._traditional(year or other_year, month, day, hour, minute)
        return self._full(date, time, offset or zone) if date else self._epoch(int(seconds) // 60) if seconds else None

    def _read_traditional(self, year: str | None, month: str, day: str, hour: str, minute: str) -> datetime | None:
        if month not in _MONTHS:
            return None
        latest = self._now.year + 1
        for candidate in (int(year),) if year else range(latest, latest - _LEAP_YEARS - 1, -1):
            try:
                found = self._local(datetime(candidate, _MONTHS.index(month) + 1, int(day), int(hour), int(minute)))
            except (ValueError, OverflowError):
                continue
            if found <= self._now + _AHEAD:
                return self._plausible(found)
        return None

    def _read_full(self, date: str, time: str, offset: str | None) -> datetime | None:
        zone = "+00:00" if offset in ("Z", "UTC", "GMT") else offset if offset and offset[0] in "+-" else ""
        if zone and len(zone) == 3:
            zone += ":00"
        try:
            return self._plausible(self._local(datetime.fromisoformat(f"{date}T{time}:00{zone}")))
        except (ValueError, OverflowError, OSError):
            return None

    def _read_epoch(self, minutes: int) -> datetime | None:
        try:
            return self._plausible(datetime.fromtimestamp(minutes * 60, UTC).astimezone(self._zone))
        except (ValueError, OverflowError, OSError):
            return None

    def _plausible(self, moment: datetime) -> datetime | None:
        return moment if _EARLIEST <= moment <= self._now + _AHEAD else None

    def _local(self, moment: datetime) -> datetime:
        if moment.tzinfo is None and self._zone is not None:
            return moment.replace(tzinfo=self._zone)
        return moment.astimezone(self._zone)
