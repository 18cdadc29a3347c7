"""When a line of a log was written: the dates that stand before it, in all forms that logs/line_prefix.py knows.

Pure but for the time zone of this host, which is what dates without one are in. To the minute: nobody asks for more. A date that
cannot be right, of a clock that was wrong, is none.

RFC 3164 4.1.2 (no year, no zone), RFC 5424 6.2.3 and RFC 3339, journalctl's short forms.
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
# A log may be a little ahead of us: another host's, another time zone's.
_AHEAD = timedelta(days=2)
# Older than any log of ours can be: what a clock says that nobody has set.
_EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
_LEAP_YEARS = 9  # 29 February: so many years at most lie between two (1896 and 1904)


class Dates:
    """Reads them. `now`: aware; a date without a year is the last such day up to then; `zone`: of dates that name none, and of
    all that is returned; None: this host's."""

    def __init__(self, now: datetime, zone: tzinfo | None = None) -> None:
        self._now = now.astimezone(zone)
        self._zone = zone
        # Thousands of lines share a minute.
        self._traditional = functools.lru_cache(maxsize=4096)(self._read_traditional)
        self._full = functools.lru_cache(maxsize=4096)(self._read_full)
        self._epoch = functools.lru_cache(maxsize=4096)(self._read_epoch)

    def of(self, text: str) -> datetime | None:
        """The minute in which the line was written; None if it does not begin with a date, or with one that cannot be right."""
        match = _DATE.match(text)
        return None if match is None else self._moment(match)

    def since(self, text: str) -> datetime:
        """The moment that somebody means with "2026-11-01", "2026-11-01 12:30", "90m", "36h", "7d", "2w", or a date as it stands
        before the lines of a log. Raises ValueError."""
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
                f"{text!r} is no date such as 2026-11-01, 2026-11-01T12:30 or Nov 1 12:30:00, and no span such as 7d"
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
