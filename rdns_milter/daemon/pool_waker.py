"""Make libmilter's thread pool grow while callbacks block.

Debian's libmilter serves its sessions with a pool of threads. The pool grows only when an event arrives while no thread is idle. In
a burst of sessions that wait, the other sessions are therefore served two at a time; once all threads wait, they are not served at
all. A poke is a connection to our own socket that is closed at once. It is such an event: it starts a thread, which serves the
sessions that were left over, until it has to wait itself. The poke may reach any process that shares the socket, so each of them
gets one.

Must never let so many sessions wait that no thread is left for the others. Must never poke for a thread that cannot be started:
libmilter would neither answer that connection nor ever close it. A session that may not wait is judged by what is known. No poke is
needed while a thread is idle. But libmilter itself may block threads on incomplete packets, unseen: so where nothing moves, each
process pokes now and then.

packaging/doc/platform.md 1.1.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..session.latch import Latch

MAX_PROCESSES = 4  # that are poked at the same time
MAX_POKES = 32  # at the same time, for each process
SECONDS_EACH, MAX_SECONDS = 0.002, 1.0  # to answer one waiting session, about, and all of them
TICK = 0.01  # seconds between two looks
MAX_TICK = 0.1  # seconds between two pokes for threads that libmilter may be blocking
MAX_WAITING = 1000  # sessions of a process that wait at the same time
RESERVE = 8  # threads that are kept for sessions that do not wait
_OTHERS = 2  # threads of libmilter that serve no session: one takes signals, one polls


def pool_size() -> int:
    """Return about how many threads libmilter has for sessions: all threads that this process has not started itself. If they
    cannot be counted, return sys.maxsize."""
    ours = sum(not thread.name.startswith("Dummy-") for thread in threading.enumerate()) + _OTHERS
    try:
        threads = os.stat("/proc/self/task").st_nlink - 2
    except OSError:
        return sys.maxsize
    return threads - ours


class PoolWaker:
    """Blocks sessions that wait, and pokes meanwhile from a thread of its own.

    `poke`: connects and closes.
    `steps`: returns how many callbacks have been called in this process.
    `threads`: returns the size of libmilter's pool.
    `spare`: returns how many more threads may be started.
    `limit_reached`: called with the limit when a session may not wait."""

    def __init__(
        self,
        poke: Callable[[], None],
        steps: Callable[[], int],
        processes: int,
        threads: Callable[[], int] = pool_size,
        spare: Callable[[], int] = lambda: sys.maxsize,
        limit_reached: Callable[[int], None] = lambda limit: None,
    ) -> None:
        self._poke = poke
        self._steps = steps
        self._threads = threads
        self._spare = spare
        self._limit_reached = limit_reached
        self._limit = MAX_WAITING
        self._processes = min(processes, MAX_PROCESSES)
        self._waiting = 0
        self._lock = threading.Lock()
        self._any_waiting = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="pool-waker", daemon=True).start()

    def wait(self, latch: Latch, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Wait for the latch as Latch.wait does, while other sessions are served. The more sessions wait, the shorter each may
        wait, because answering all of them takes time as well. A session counts as waiting until its wait is over."""
        with self._lock:
            seconds -= min(self._waiting * SECONDS_EACH, MAX_SECONDS, seconds / 2)
            may_wait = self._waiting < self._limit
            self._waiting += may_wait
            if self._waiting == 1:
                self._any_waiting.set()
        if not may_wait:
            self._limit_reached(self._limit)
            return latch.wait(0, is_over)
        try:
            return latch.wait(seconds, is_over)
        finally:
            with self._lock:
                self._waiting -= 1

    def poke_for(self, connections: int) -> None:
        """Poke once for each of the `connections` for which no callback has been called. Poke at least once, because there may be
        more connections in the queue of the socket."""
        self._poke_times(min(max(1, connections), MAX_POKES))

    def has_idle_thread(self) -> bool:
        """Return True if libmilter has a thread whose session does not wait."""
        return self._threads() > self._waiting

    @property
    def waiting(self) -> int:
        """The number of sessions that wait at the moment."""
        return self._waiting

    def update_limit(self) -> int:
        """Find out how many sessions may wait now. Return how many more threads may be started, without the reserve."""
        room = max(0, self._spare() - RESERVE)
        self._limit = MAX_WAITING if room >= MAX_WAITING else max(1, min(MAX_WAITING, self._threads() + room))
        return room

    def _run(self) -> None:
        while True:
            self._any_waiting.wait()
            self._watch()

    def _watch(self) -> None:
        """Poke in rounds while sessions wait and no thread is idle: in each round twice as many times as in the last."""
        seen, pokes, pause = self._steps(), 1, TICK
        while self._is_any_waiting():
            time.sleep(pause)
            before, seen = seen, self._steps()
            if not self.has_idle_thread():
                self._poke_times(pokes)
                pokes, pause = min(2 * pokes, MAX_POKES), TICK
            elif seen != before:
                pokes, pause = 1, TICK
            else:
                pokes, pause = 1, min(2 * pause, MAX_TICK)
                self._poke_times(1)

    def _is_any_waiting(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._any_waiting.clear()
            return self._waiting > 0

    def _poke_times(self, times: int) -> None:
        for _ in range(min(times * self._processes, self.update_limit())):
            with suppress(OSError):
                self._poke()
