"""The delay before a process is started again: none after a long life, else longer each time up to a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.daemon.restart_delay import RestartDelay

LOWER, UPPER, MIN_LIFE = 0.5, 30.0, 5.0


def delays(*lifetimes: float) -> list[float]:
    """The delay after each process that lived so long."""
    delay = RestartDelay(LOWER, UPPER, MIN_LIFE)
    return [delay.ended(lifetime) for lifetime in lifetimes]


def test_a_process_that_lived_long_is_restarted_at_once() -> None:
    assert delays(MIN_LIFE + 0.1) == [0.0]
    assert delays(0.0, 0.0, 100.0, 0.0) == [LOWER, 2 * LOWER, 0.0, LOWER]


def test_the_delay_doubles_up_to_the_bound() -> None:
    assert delays(*[MIN_LIFE] * 9) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@given(st.lists(st.floats(0, 1000)))
def test_the_delay_is_within_its_bounds(lifetimes: list[float]) -> None:
    for lifetime, delay in zip(lifetimes, delays(*lifetimes), strict=True):
        assert delay == 0.0 if lifetime > MIN_LIFE else LOWER <= delay <= UPPER
