"""`until` takes a date; for anything else the message names the date to write, if there is no doubt which one."""

from __future__ import annotations

from datetime import date

import pytest

from rdns_milter.config.load import ConfigError, parse

TODAY = date(2026, 11, 29)

NAMED = [
    ('"30d"', "2026-12-29"), ("30d", "2026-12-29"), ("30", "2026-12-29"), ('"30"', "2026-12-29"), ('"+30d"', "2026-12-29"),
    ('"in 30 days"', "2026-12-29"), ('"2w"', "2026-12-13"), ('"36h"', "2026-12-01"), ('"3 months"', "2027-02-28"),
    ('"1 year"', "2027-11-29"), ('"P30D"', "2026-12-29"), ('"tomorrow"', "2026-11-30"), ('"31.12.2026"', "2026-12-31"),
    ("31.12.2026", "2026-12-31"), ('"12/31/2026"', "2026-12-31"), ('"31/12/2026"', "2026-12-31"), ("2026/12/31", "2026-12-31"),
    ("2026-1-5", "2026-01-05"), ('"2026-1-5"', "2026-01-05"), ("20261231", "2026-12-31"), ('"20261231"', "2026-12-31"),
    ('"31 Dec 2026"', "2026-12-31"), ('"December 31, 2026"', "2026-12-31"), ("2026-12-31T10:00:00", "2026-12-31"),
    ('"2026-12-31T10:00"', "2026-12-31"), ("30d # a ticket", "2026-12-29"),
]  # fmt: skip


def message(written: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(f'[[rule]]\nname = "r"\naction = "tag"\nuntil = {written}\n', "c.toml", TODAY)
    (error,) = caught.value.errors
    assert error.line == 4
    return error.message


@pytest.mark.parametrize(("written", "day"), NAMED)
def test_the_date_is_named(written: str, day: str) -> None:
    assert f"; write until = {day}" in message(written)


@pytest.mark.parametrize(
    "written",
    ['"03/04/2026"', '"2026-02-30"', "2026-02-30", '"1m"', "2027", "true", "10:00:00", '"soon"', "0", "-3", '"9999y"'],
)
def test_a_doubtful_date_is_not_guessed(written: str) -> None:
    assert "write until" not in message(written)


@pytest.mark.parametrize("written", ['"never"', '""', "false", "never"])
def test_a_rule_without_end(written: str) -> None:
    assert "for a rule without end leave until out" in message(written)
