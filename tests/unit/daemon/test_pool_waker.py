"""When the waker kicks: where nobody is left to serve, and not where somebody is. `threads` and `steps` are its looks."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

from rdns_milter.daemon.pool_waker import MAX_POKES, RESERVE, PoolWaker
from rdns_milter.session.latch import Latch
from tests.kit.milter.process_group import CLONE

ENOUGH = 20.0  # seconds; reached only if something is broken


def always() -> bool:
    return True


ALONE = """
import threading
from rdns_milter.daemon.pool_waker import pool_size
none, stop = pool_size(), threading.Event()
others = [threading.Thread(target=stop.wait) for _ in range(5)]
for other in others: other.start()
print(none, pool_size())
stop.set()
"""


class Looks:
    """Answers each look, and counts it; `done` after so many."""

    def __init__(self, until: int, answer: Callable[[int], int]) -> None:
        self._until = until
        self._answer = answer
        self.made = 0
        self.done = threading.Event()

    def __call__(self) -> int:
        self.made += 1
        if self.made >= self._until:
            self.done.set()
        return self._answer(self.made)


def watched(threads: Looks, steps: Callable[[], int], processes: int = 1) -> int:
    """How many pokes came of it while one session waited, until all looks at the threads were made."""
    pokes: list[int] = []
    waker = PoolWaker(lambda: pokes.append(threads.made), steps, processes, threads)
    waker.start()
    latch = Latch()
    waiting = threading.Thread(target=waker.wait, args=(latch, ENOUGH, always))
    waiting.start()
    assert threads.done.wait(ENOUGH)
    latch.set()
    waiting.join(ENOUGH)
    return sum(look < threads._until for look in pokes)


def test_a_thread_that_is_left_serves_all_while_steps_are_made() -> None:
    assert watched(Looks(5, lambda _: 2), iter(range(1000)).__next__) == 0


def test_where_all_threads_wait_it_kicks_twice_as_much_each_time() -> None:
    assert watched(Looks(4, lambda _: 1), iter(range(1000)).__next__) == 1 + 2 + 4
    assert watched(Looks(4, lambda _: 1), iter(range(1000)).__next__, processes=2) == 2 * (1 + 2 + 4)


def test_never_more_than_so_much() -> None:
    assert watched(Looks(9, lambda _: 1), iter(range(1000)).__next__) == 1 + 2 + 4 + 8 + 16 + 3 * MAX_POKES


def test_where_nobody_moves_it_kicks_now_and_then() -> None:
    """libmilter may hold threads up, unseen."""
    assert watched(Looks(4, lambda _: 2), lambda: 7) == 3


def test_threads_of_ours_serve_nobody() -> None:
    """In a process of its own: here others come and go."""
    alone = subprocess.run([sys.executable, "-c", ALONE], cwd=CLONE, capture_output=True, text=True, check=True)
    assert alone.stdout == "-2 -2\n"


def crowd(spare: int, threads: int, sessions: int) -> tuple[int, int]:
    """How many of so many sessions may wait, and how many pokes come of them all."""
    pokes: list[int] = []
    told: list[int] = []
    waker = PoolWaker(lambda: pokes.append(1), lambda: 7, 1, lambda: threads, lambda: spare, told.append)
    waker.poke_for(100)
    latches = [Latch() for _ in range(sessions)]
    waiting = [threading.Thread(target=waker.wait, args=(each, ENOUGH, always)) for each in latches]
    for thread in waiting:
        thread.start()
    while waker.waiting + len(told) < sessions:
        waiting[0].join(0.001)
    found = waker.waiting
    for each in latches:
        each.set()
    for thread in waiting:
        thread.join(ENOUGH)
    assert told == [found] * (sessions - found)
    return found, len(pokes)


def test_no_more_wait_than_there_can_be_threads_for() -> None:
    assert crowd(spare=RESERVE + 5, threads=3, sessions=20) == (3 + 5, 5)
    assert crowd(spare=RESERVE, threads=3, sessions=20) == (3, 0)
    assert crowd(spare=0, threads=0, sessions=20) == (1, 0)
    assert crowd(spare=sys.maxsize, threads=3, sessions=20) == (20, MAX_POKES)


def test_who_may_not_wait_still_hears_what_is_there() -> None:
    waker = PoolWaker(lambda: None, lambda: 7, 1, lambda: 0, lambda: 0)
    waker.poke_for(1)
    held = threading.Thread(target=waker.wait, args=(held_latch := Latch(), ENOUGH, always))
    held.start()
    while not waker.waiting:
        held.join(0.001)
    latch = Latch()
    assert not waker.wait(latch, ENOUGH, always)
    told = Latch()
    told.set()
    assert waker.wait(told, ENOUGH, always)
    held_latch.set()
    held.join(ENOUGH)
