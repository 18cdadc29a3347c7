"""Numbers, shares and periods as a reader sees them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rdns_milter.text.numbers import duration, minute, percent


@pytest.mark.parametrize(
    ("hours", "words"),
    [(1, "1 hour"), (6, "6 hours"), (24, "1 day"), (36, "36 hours"), (168, "7 days")],
)
def test_duration(hours: int, words: str) -> None:
    assert duration(hours) == words


def test_minute() -> None:
    assert minute(datetime(2026, 11, 20, 3, 5, 59, tzinfo=UTC)) == "2026-11-20 03:05"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "-"),
        (0, 5, "0.0 %"),
        (1, 100_000, "< 0.01 %"),
        (99_999, 100_000, "> 99.99 %"),
        (1, 200, "0.50 %"),
        (1, 3, "33.3 %"),
        (5, 5, "100.0 %"),
    ],
)
def test_neither_nothing_nor_all_is_claimed_wrongly(part: float, whole: float, text: str) -> None:
    assert percent(part, whole) == text
