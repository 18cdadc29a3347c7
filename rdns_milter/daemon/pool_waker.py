"""Keeps libmilter's threads coming while callbacks wait.

Debian's libmilter serves its sessions with a pool of threads that grows only when an event arrives and no thread is idle: in a
burst of sessions that wait, the others are served two at a time, and once all threads wait, not at all. A connection to our own
socket, closed at once, is such an event: it brings a thread, which takes the sessions that were left over until it waits itself.
It may reach any of the processes that share the socket, so there is one for each of them.

Never lets so many wait that no thread could be had for the others, and does not kick for one that cannot be had: libmilter would
neither answer that connection nor ever close it. Who may not wait is judged by what is known. Never kicks where a thread is left
that can serve: it takes whoever was left over. libmilter itself may hold up threads, with
half a packet, and that is not seen: so where nothing moves each process kicks now and then anyway.

PLATFORM 0.1 (measured).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..session.latch import News

MAX_TAPS = 4  # of one kick: that many processes
MAX_KICKS = 32  # at a time
EACH, MOST = 0.002, 1.0  # seconds that it takes to answer one of a crowd, about, and all
TICK = 0.01  # seconds between two looks
LONGEST = 0.1  # seconds between two kicks for threads that may be held up by libmilter
MAX_WAITING = 1000  # sessions of a process that wait at a time
RESERVE = 8  # threads that are left for those who do not wait
_OTHERS = 2  # threads of libmilter that serve nobody: one takes signals, one polls


def pool() -> int:
    """How many threads libmilter has to serve sessions, about: all that nobody here has started. Enough, where that cannot be
    known."""
    ours = sum(not thread.name.startswith("Dummy-") for thread in threading.enumerate()) + _OTHERS
    try:
        threads = os.stat("/proc/self/task").st_nlink - 2
    except OSError:
        return sys.maxsize
    return threads - ours


class Kicker:
    """Waits for a thread's sake, and kicks meanwhile, from a thread of its own. `tap` connects and closes; `steps`: how many
    steps the sessions of this process have made; `threads`: how many there are to make them; `spare`: how many more there may
    be; `crowded` is told that a session could not wait."""

    def __init__(
        self,
        tap: Callable[[], None],
        steps: Callable[[], int],
        processes: int,
        threads: Callable[[], int] = pool,
        spare: Callable[[], int] = lambda: sys.maxsize,
        crowded: Callable[[int], None] = lambda most: None,
    ) -> None:
        self._tap = tap
        self._steps = steps
        self._threads = threads
        self._spare = spare
        self._crowded = crowded
        self._most = MAX_WAITING
        self._taps = min(processes, MAX_TAPS)
        self._waiting = 0
        self._lock = threading.Lock()
        self._somebody = threading.Event()

    def start(self) -> None:
        """From now on those who wait are watched."""
        threading.Thread(target=self._watch, name="kicker", daemon=True).start()

    def wait(self, news: News, seconds: float) -> bool:
        """Wait until there is news, at most so long: whether there is. Others are served meanwhile. Whoever waits behind many
        gives up the sooner, for to answer all of them takes its time, too."""
        with self._lock:
            seconds -= min(self._waiting * EACH, MOST, seconds / 2)
            may_wait = self._waiting < self._most
            self._waiting += may_wait
            if self._waiting == 1:
                self._somebody.set()
        if not may_wait:
            self._crowded(self._most)
            return news.wait(0)
        try:
            return news.wait(seconds)
        finally:
            with self._lock:
                self._waiting -= 1

    def look_after(self, ungreeted: int) -> None:
        """Kick for so many who have come and have not been greeted, for one at least: more are not known of."""
        self._kick(min(max(1, ungreeted), MAX_KICKS))

    def is_anybody_idle(self) -> bool:
        """Whether a thread is left that does not wait."""
        return self._threads() > self._waiting

    @property
    def waiting(self) -> int:
        """How many sessions wait just now."""
        return self._waiting

    def count_room(self) -> int:
        """Find out how many may wait now; how many threads more there may be, beside the reserve."""
        room = max(0, self._spare() - RESERVE)
        self._most = MAX_WAITING if room >= MAX_WAITING else max(1, min(MAX_WAITING, self._threads() + room))
        return room

    def _watch(self) -> None:
        while True:
            self._somebody.wait()
            self._watch_over()

    def _watch_over(self) -> None:
        """Kick while somebody waits and nobody is left to serve the others: each time twice as much, until somebody is."""
        seen, kicks, pause = self._steps(), 1, TICK
        while self._goes_on():
            time.sleep(pause)
            before, seen = seen, self._steps()
            if self._threads() <= self._waiting:
                self._kick(kicks)
                kicks, pause = min(2 * kicks, MAX_KICKS), TICK
            elif seen != before:
                kicks, pause = 1, TICK
            else:
                kicks, pause = 1, min(2 * pause, LONGEST)
                self._kick(1)

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._somebody.clear()
            return self._waiting > 0

    def _kick(self, times: int) -> None:
        for _ in range(min(times * self._taps, self.count_room())):
            with suppress(OSError):
                self._tap()
