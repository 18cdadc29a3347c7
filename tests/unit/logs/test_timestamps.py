"""Dates of log lines, in every form that log daemons write."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.logs.timestamps import Dates

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DATES = Dates(NOW, BERLIN)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Nov 21 01:02:03 mail rdns-milter[1]: x", "2026-11-21 01:02:00+01:00"),
        ("Nov  1 01:02:03 mail x", "2026-11-01 01:02:00+01:00"),
        ("<22>Jul  1 01:02:03 mail x", "2026-07-01 01:02:00+02:00"),
        ("Nov 22 23:00:00 mail x", "2026-11-22 23:00:00+01:00"),
        ("Nov 30 01:02:03 mail x", "2025-11-30 01:02:00+01:00"),
        ("Dec 31 23:59:59 mail x", "2025-12-31 23:59:00+01:00"),
        ("Feb 29 01:02:03 mail x", "2024-02-29 01:02:00+01:00"),
        ("2026-11-21T01:02:03.123456+00:00 mail x", "2026-11-21 02:02:00+01:00"),
        ("2026-11-21T01:02:03Z mail x", "2026-11-21 02:02:00+01:00"),
        ("2026-11-21T01:02:03-0500 mail x", "2026-11-21 07:02:00+01:00"),
        ("<22>1 2026-11-21T01:02:03.1+01:00 mail x", "2026-11-21 01:02:00+01:00"),
        ("Sat 2026-11-21 01:02:03 UTC mail x", "2026-11-21 02:02:00+01:00"),
        ("Sat 2026-11-21 01:02:03 CET mail x", "2026-11-21 01:02:00+01:00"),
        ("2026-11-21 01:02:03,5 mail x", "2026-11-21 01:02:00+01:00"),
    ],
)
def test_every_form(line: str, expected: str) -> None:
    assert str(DATES.of(line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "action=accept rule=default",
        "rdns-milter[1]: x",
        "Foo 21 01:02:03 mail x",
        "Nov 31 01:02:03 mail x",
        "Nov 21 25:02:03 mail x",
        "2026-13-21T01:02:03Z mail x",
        "2026-11-21T01:99:03Z mail x",
        "9999-12-31T23:59:59-23:00 mail x",
        "2026-11-21T01:02:03+99:99 mail x",
        " Nov 21 01:02:03 mail x",
    ],
)
def test_no_date(line: str) -> None:
    assert DATES.of(line) is None


def test_since() -> None:
    assert DATES.since("7d") == datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
    assert DATES.since("36h") == datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
    assert DATES.since("90m") == datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
    assert DATES.since("1w") == datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
    assert DATES.since("2026-07-01") == datetime(2026, 7, 1, tzinfo=BERLIN)
    assert DATES.since("2026-07-01T12:30Z") == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    for wrong in ("", "yesterday", "7", "7y", "2026-13-01", "-7d", "99999999w"):
        with pytest.raises(ValueError, match="is not a date such as"):
            DATES.since(wrong)


def test_this_hosts_zone_is_the_default() -> None:
    moment = Dates(NOW).of("2026-11-21T01:02:03Z mail x")
    assert moment == datetime(2026, 11, 21, 1, 2, tzinfo=UTC)
    assert Dates(NOW).of("Jan  5 10:00:00 mail x") == datetime(2026, 1, 5, 10, 0).astimezone()


@given(st.text(max_size=60) | st.from_regex(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d x", fullmatch=True))
def test_never_raises(line: str) -> None:
    found = DATES.of(line)
    assert found is None or found.tzinfo is not None


@given(st.datetimes(datetime(2025, 12, 1), datetime(2026, 11, 21)))
def test_the_last_such_day(moment: datetime) -> None:
    minute = moment.replace(second=0, microsecond=0, tzinfo=BERLIN)
    found = DATES.of(f"{moment:%b} {moment.day:2} {moment:%H:%M:%S} mail x")
    assert found == minute
