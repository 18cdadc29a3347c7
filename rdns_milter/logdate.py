"""When a line of a log was written: the dates that log daemons put before it.

Pure but for the time zone of this host, which is what dates without one are in. To the minute: nobody asks for more.

RFC 3164 4.1.2 (no year, no zone), RFC 5424 6.2.3 and RFC 3339, journalctl's short forms.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime, timedelta, tzinfo

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"(?:<\d{1,3}>)?(?:"
    r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):\d\d"
    r"|(?:1 |[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d)?(?:[.,]\d+)?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?"
    r")(?= |\Z)"
)
_AGO = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# A log may be a little ahead of us: another host's, another time zone's.
_AHEAD = timedelta(days=2)
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

    def of(self, text: str) -> datetime | None:
        """The minute in which the line was written; None if it does not begin with a date."""
        match = _DATE.match(text)
        if match is None:
            return None
        month, day, hour, minute, date, time, offset = match.groups()
        return self._traditional(month, day, hour, minute) if month else self._full(date, time, offset)

    def since(self, text: str) -> datetime:
        """The moment that somebody means with "2026-11-01", "2026-11-01 12:30", "90m", "36h", "7d" or "2w". Raises ValueError."""
        try:
            if ago := _AGO.fullmatch(text):
                return self._now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return self._local(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            raise ValueError(
                f"{text!r} is no date such as 2026-11-01 or 2026-11-01T12:30, and no span such as 7d"
            ) from None

    def _read_traditional(self, month: str, day: str, hour: str, minute: str) -> datetime | None:
        if month not in _MONTHS:
            return None
        for year in range(self._now.year + 1, self._now.year - _LEAP_YEARS, -1):
            try:
                found = self._local(datetime(year, _MONTHS.index(month) + 1, int(day), int(hour), int(minute)))
            except (ValueError, OverflowError):
                continue
            if found <= self._now + _AHEAD:
                return found
        return None

    def _read_full(self, date: str, time: str, offset: str | None) -> datetime | None:
        zone = "" if offset is None else "+00:00" if offset in ("Z", "UTC") else offset
        if zone and len(zone) == 3:
            zone += ":00"
        try:
            return self._local(datetime.fromisoformat(f"{date}T{time}:00{zone}"))
        except (ValueError, OverflowError, OSError):
            return None

    def _local(self, moment: datetime) -> datetime:
        if moment.tzinfo is None and self._zone is not None:
            return moment.replace(tzinfo=self._zone)
        return moment.astimezone(self._zone)
