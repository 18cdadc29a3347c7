"""The sink never blocks or raises, keeps the order of lines, and counts lost ones. Sockets: tests/wire/test_log_failures.py."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from rdns_milter.logs.output import MAX_BACKLOG, RETRY, LogUnreachableError, Sink

PATIENCE = 20.0


@dataclass
class Place:
    """An outlet under the control of a test. `room`: the number of lines until it is full; `away`: it is unreachable."""

    room: int = 1_000_000
    away: bool = False
    lines: list[str] = field(default_factory=list)
    tries_by: Counter[int] = field(default_factory=Counter)  # by thread

    @property
    def tries(self) -> int:
        return self.tries_by.total()

    def send(self, text: str, level: str) -> bool:
        """See Outlet."""
        self.tries_by[threading.get_ident()] += 1
        if self.away:
            raise LogUnreachableError("nobody")
        if not self.room:
            return False
        self.room -= 1
        self.lines.append(text)
        return True

    def wait(self, seconds: float) -> None:
        """See Outlet."""
        time.sleep(seconds)


def numbers(begin: int, end: int) -> list[str]:
    return [f"line {number}" for number in range(begin, end)]


def write(sink: Sink, lines: list[str]) -> None:
    for line in lines:
        sink.write(line)


def drained(sink: Sink) -> None:
    """Wait until the backlog is empty."""
    sink.flush(PATIENCE)


def test_written_at_once_where_there_is_room() -> None:
    place = Place()
    sink = Sink(place)
    write(sink, numbers(0, 100))
    assert place.lines == numbers(0, 100)
    assert sink.dropped == 0


def test_what_finds_no_room_waits_in_order() -> None:
    place = Place(room=10)
    sink = Sink(place)
    write(sink, numbers(0, 500))
    assert place.lines == numbers(0, 10)
    place.room = 1_000_000
    write(sink, numbers(500, 600))  # after those in the backlog
    drained(sink)
    assert place.lines == numbers(0, 600)
    assert sink.dropped == 0


@pytest.mark.parametrize("place", [Place(room=0), Place(away=True)], ids=["full", "away"])
def test_twenty_thousand_lines_without_a_log(place: Place) -> None:
    """The backlog keeps MAX_BACKLOG lines; later ones are dropped and counted."""
    lost: list[int] = []
    sink = Sink(place, line_dropped=lambda: lost.append(1))
    write(sink, numbers(0, 2 * MAX_BACKLOG))
    assert place.tries_by[threading.get_ident()] == 1, "with a backlog, write does not try again"
    assert sink.dropped == len(lost) == MAX_BACKLOG
    place.room, place.away = 1_000_000, False
    drained(sink)
    assert place.lines == numbers(0, MAX_BACKLOG)
    assert sink.dropped == MAX_BACKLOG


class Clock:
    """A clock that a test advances. `reads`: how often it was read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now


def wait_for(figure: Callable[[], int], least: int) -> None:
    """Wait until a figure is at least this high."""
    until = time.monotonic() + PATIENCE
    while figure() < least:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_away_for_a_while() -> None:
    """A restart of the log daemon loses no line, and the daemon is tried once in RETRY seconds meanwhile."""
    place, clock = Place(), Clock()
    sink = Sink(place, clock)
    write(sink, numbers(0, 10))
    place.away = True
    place.tries_by.clear()
    write(sink, numbers(10, 1000))
    for tries in range(1, 4):
        wait_for(lambda: place.tries, tries)
        wait_for(lambda: clock.reads, clock.reads + 10)
        assert place.tries == tries
        clock.now += RETRY
    place.away = False
    clock.now += RETRY
    wait_for(lambda: len(place.lines), 1000)
    assert place.lines == numbers(0, 1000)
    assert sink.dropped == 0


def test_away_with_a_backlog() -> None:
    place = Place(room=5)
    sink = Sink(place)
    write(sink, numbers(0, 100))
    place.away = True
    place.tries_by.clear()
    wait_for(lambda: place.tries, 1)
    place.away, place.room = False, 1_000_000
    drained(sink)
    assert place.lines == numbers(0, 100)


def test_many_writers() -> None:
    """The lines of each thread stay in order, and none is lost or doubled."""
    place = Place(room=50)
    sink = Sink(place)

    def writer(name: int) -> None:
        for number in range(1000):
            sink.write(f"{name} {number}")
            if number % 100 == 0:
                place.room += 50

    threads = [threading.Thread(target=writer, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    place.room = 1_000_000
    drained(sink)
    assert len(place.lines) == 8000
    for name in range(8):
        assert [line for line in place.lines if line.startswith(f"{name} ")] == [f"{name} {n}" for n in range(1000)]


def test_a_long_backlog_keeps_no_writer_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written in slices. Other threads can write between two of them."""
    place = Place(room=0)
    sink = Sink(place)
    written: list[int] = []
    write(sink, numbers(0, 4000))

    def write_late() -> None:
        sink.write("late")
        written.append(len(place.lines))

    def pause(seconds: float) -> None:
        """Sleep; in the first pause after a slice, until another thread has written a line."""
        if place.lines and not written and threading.current_thread().name == "log":
            writer = threading.Thread(target=write_late)
            writer.start()
            writer.join(PATIENCE)
        time.sleep(seconds)

    monkeypatch.setattr("rdns_milter.logs.output.time", SimpleNamespace(sleep=pause, monotonic=time.monotonic))
    place.room = 1_000_000
    drained(sink)
    assert place.lines == [*numbers(0, 4000), "late"]
    assert 0 < written[0] < 400


@pytest.mark.parametrize(
    "text", ["a\naction=accept rule=x", "a\r\n", "a\0b", "\x1b[31m", "\x7f", "\u2028", "\x85", "\udcff", "a\tb"]
)
def test_a_line_is_one_line(text: str) -> None:
    place = Place()
    Sink(place).write(text, "err")
    (line,) = place.lines
    assert line.isprintable()
    assert line.isascii()
