"""Text of any origin, numbers and bars on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.text.numbers import number, percent, plain
from rdns_milter.text.terminal import bar, stacked
from tests.kit.data.strategies import hostile_text


@given(hostile_text(200) | st.text(max_size=700))
def test_nothing_that_a_terminal_would_obey(text: str) -> None:
    shown = plain(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 10 * 500


def test_ordinary_text_stays() -> None:
    assert plain("mx.example.com [192.0.2.1]") == "mx.example.com [192.0.2.1]"
    assert plain("\x1b[31m\u202e\udcff") == "\\x1b[31m\\u202e\\udcff"
    assert plain("x" * 20, 10) == "xxxxxxx..."


def test_numbers_and_percents() -> None:
    assert number(1234567) == "1,234,567"
    shown = [percent(part, 100_000) for part in (0, 1, 10, 999, 1000, 50_000, 99_980, 99_999, 100_000)]
    assert shown == ["0.0 %", "< 0.01 %", "0.01 %", "1.00 %", "1.0 %", "50.0 %", "99.98 %", "> 99.99 %", "100.0 %"]
    assert percent(0, 0) == "-"


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(1, 200))
def test_bars_are_as_long_as_the_part(part: float, most: float, width: int) -> None:
    shown = bar(part, most, width)
    assert len(shown) <= width
    assert bool(shown) == (part > 0 and most > 0)
    if most > 0 and part >= most:
        assert shown == "█" * width


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.integers(1, 100), st.floats(1, 3))
def test_stacked_bars_add_up(parts: list[float], width: int, more: float) -> None:
    most = sum(parts) * more
    cells = stacked(parts, most, width)
    assert all(cell >= 0 for cell in cells)
    assert sum(cells) == (round(width * min(sum(parts), most) / most) if most else 0) <= width
