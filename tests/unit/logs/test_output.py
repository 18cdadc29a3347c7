"""The sink never blocks or raises, keeps the order of lines, and counts lost ones. Sockets: tests/wire/test_log_failures.py."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from rdns_milter.logs.output import MAX_BACKLOG, RETRY, LogUnreachableError, Sink

PATIENCE = 20.0


@dataclass
class Place:
    """An outlet under the control of a test. `room`: the number of lines until it is full; `away`: it is unreachable."""

    room: int = 1_000_000
    away: bool = False
    lines: list[str] = field(default_factory=list)
    tries: int = 0

    def send(self, text: str, level: str) -> bool:
        """See Outlet."""
        self.tries += 1
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
def test_twenty_thousand_lines_to_nobody(place: Place) -> None:
    """The backlog holds as many as it may; later ones are lost and counted."""
    lost: list[int] = []
    sink = Sink(place, line_dropped=lambda: lost.append(1))
    began = time.monotonic()
    write(sink, numbers(0, 2 * MAX_BACKLOG))
    assert time.monotonic() - began < PATIENCE
    assert sink.dropped == len(lost) == MAX_BACKLOG
    place.room, place.away = 1_000_000, False
    drained(sink)
    assert place.lines == numbers(0, MAX_BACKLOG)
    assert sink.dropped == MAX_BACKLOG


def test_away_for_a_while() -> None:
    """A restart of the log daemon loses no line, and the daemon is not tried too often meanwhile."""
    place = Place()
    sink = Sink(place)
    write(sink, numbers(0, 10))
    place.away, place.tries = True, 0
    write(sink, numbers(10, 1000))
    time.sleep(RETRY / 2)
    assert place.tries <= 3
    place.away = False
    drained(sink)
    assert place.lines == numbers(0, 1000)
    assert sink.dropped == 0


def test_away_with_a_backlog() -> None:
    place = Place(room=5)
    sink = Sink(place)
    write(sink, numbers(0, 100))
    place.away = True
    time.sleep(0.1)
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


def test_a_long_backlog_keeps_no_writer_waiting() -> None:
    """While it is written, other threads wait for a few lines at most."""

    class Slow(Place):
        def send(self, text: str, level: str) -> bool:
            time.sleep(0.0005)
            return super().send(text, level)

    place = Slow(room=0)
    sink = Sink(place)
    write(sink, numbers(0, 4000))
    place.room = 1_000_000
    time.sleep(0.1)
    began = time.monotonic()
    sink.write("late")
    took = time.monotonic() - began
    waiting = 4000 - len(place.lines)
    drained(sink)
    assert place.lines == [*numbers(0, 4000), "late"]
    assert waiting > 1000 or took < 1.0


@pytest.mark.parametrize(
    "text", ["a\naction=accept rule=x", "a\r\n", "a\0b", "\x1b[31m", "\x7f", "\u2028", "\x85", "\udcff", "a\tb"]
)
def test_a_line_is_one_line(text: str) -> None:
    place = Place()
    Sink(place).write(text, "err")
    (line,) = place.lines
    assert line.isprintable()
    assert line.isascii()
