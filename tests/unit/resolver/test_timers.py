"""Timers of equal length share one timer of the event loop, and behave like timers of their own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

import pytest

from rdns_milter.resolver.transport.timers import UNSEARCHED, Timeout, Timeouts
from tests.kit.dns.virtual_time import VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    running = VirtualLoop()
    yield running
    running.close()


def test_each_is_called_once_when_it_is_due(loop: VirtualLoop) -> None:
    """Compared with one timer of the event loop for each; some are cancelled."""
    rng, timeouts = random.Random(7), Timeouts(loop)
    called: list[tuple[float, int]] = []
    expected: list[tuple[float, int]] = []
    for number in range(300):
        seconds, lives = rng.choice((1.0, 2.0, 4.0)), rng.choice((0.5, 10.0))
        timeout = timeouts.start(seconds, lambda number=number: called.append((loop.time(), number)))  # type: ignore[misc]
        if lives < seconds:
            loop.call_later(lives, timeout.cancel)
        else:
            expected.append((loop.time() + seconds, number))
        loop.advance(rng.choice((0.0, 0.01, 0.1)))
    loop.advance(20.0)
    assert {number: when for when, number in called} == pytest.approx({number: when for when, number in expected})
    assert len(called) == len(expected)


def test_cancelled_timers_are_dropped(loop: VirtualLoop) -> None:
    timeouts = Timeouts(loop)
    for _ in range(1000):
        timeouts.start(2.0, loop.stop).cancel()
    assert sum(map(len, timeouts._queues.values())) == 1
    loop.advance(5.0)
    assert not timeouts._queues
    assert not timeouts._armed


@pytest.mark.parametrize("live", [1, 3 * UNSEARCHED], ids=["one", "many"])
def test_cancelled_timers_behind_live_ones_are_bounded(loop: VirtualLoop, live: int) -> None:
    """The oldest query waits for a server that does not answer, while thousands of others are answered."""
    timeouts = Timeouts(loop)
    called: list[int] = []
    for number in range(live):
        timeouts.start(2.0, partial(called.append, number))
    for _ in range(20 * UNSEARCHED):
        timeouts.start(2.0, loop.stop).cancel()
        assert len(timeouts._queues[2.0]) <= 2 * max(UNSEARCHED, live)
    loop.advance(5.0)
    assert called == list(range(live))


def test_a_callback_that_raises_or_cancels_others_does_not_disturb_them(loop: VirtualLoop) -> None:
    timeouts, called, errors = Timeouts(loop), [], []
    loop.set_exception_handler(lambda loop, context: errors.append(context["exception"]))

    def fail() -> None:
        raise ValueError

    timeouts.start(1.0, fail)
    started: list[Timeout] = []
    timeouts.start(1.0, lambda: started[0].cancel())
    started.append(timeouts.start(1.0, lambda: called.append("cancelled")))
    timeouts.start(1.0, lambda: called.append("last"))
    loop.advance(2.0)
    assert called == ["last"]
    assert [type(error) for error in errors] == [ValueError]


def test_closed(loop: VirtualLoop) -> None:
    timeouts = Timeouts(loop)
    timeouts.start(1.0, loop.stop)
    timeouts.close()
    loop.advance(5.0)
    assert not timeouts._armed
