"""Bars and headings on a terminal."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rdns_milter.text.terminal import bar, heading, stacked


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(1, 200))
def test_bars_are_as_long_as_the_part(part: float, whole: float, width: int) -> None:
    shown = bar(part, whole, width)
    assert len(shown) <= width
    assert bool(shown) == (part > 0 and whole > 0)
    if whole > 0 and part >= whole:
        assert shown == "█" * width


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.integers(1, 100), st.floats(1, 3))
def test_stacked_bars_add_up(parts: list[float], width: int, more: float) -> None:
    whole = sum(parts) * more
    cells = stacked(parts, whole, width)
    assert all(cell >= 0 for cell in cells)
    assert sum(cells) == (round(width * min(sum(parts), whole) / whole) if whole else 0) <= width


def test_a_heading_lets_no_control_character_through() -> None:
    written = io.StringIO()
    heading(Console(file=written), "By \x1b[31mrule", "of \u202emx\nexample")
    assert written.getvalue() == "\nBy \\x1b[31mrule  of \\u202emx\\nexample\n"
