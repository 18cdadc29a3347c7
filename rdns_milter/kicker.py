"""Keeps libmilter's threads coming while callbacks wait.

Debian's libmilter serves its sessions with a pool of threads that grows only when an event arrives and no thread is idle: in a
burst of sessions that wait, the others are served two at a time. A connection to our own socket, closed at once, is such an
event: it frees one session that was left over. It may reach any of the processes that share the socket, so there is one for
each of them.

Never kicks while sessions make steps: then a thread is free, and takes whoever is left over. Threads that libmilter itself holds
up, with half a packet, wait for nothing of ours: so each process kicks now and then anyway.

PLATFORM 0.1 (measured).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

MAX_TAPS = 4  # of one kick: that many processes
MAX_KICKS = 8  # at a time
TICK = 0.01  # seconds without a step after which somebody may have been left over
LONGEST = 0.1  # seconds between two kicks that freed nobody


class Kicker:
    """Waits for a thread's sake, and kicks meanwhile, from a thread of its own. `tap` connects and closes; `steps`: how many
    steps the sessions of this process have made; `crowd`: how many sessions there are."""

    def __init__(
        self, tap: Callable[[], None], steps: Callable[[], int], crowd: Callable[[], int], processes: int
    ) -> None:
        self._tap = tap
        self._steps = steps
        self._crowd = crowd
        self._taps = min(processes, MAX_TAPS)
        self._waiting = 0
        self._lock = threading.Lock()
        self._somebody = threading.Event()

    def start(self) -> None:
        """From now on those who wait are watched."""
        threading.Thread(target=self._watch, name="kicker", daemon=True).start()

    def wait(self, news: threading.Event, seconds: float) -> bool:
        """Wait until there is news, at most so long: whether there is. Others are served meanwhile."""
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._somebody.set()
        try:
            return news.wait(seconds)
        finally:
            with self._lock:
                self._waiting -= 1

    def look_after(self, descriptors: int) -> None:
        """Kick for all who have come and have not been greeted. `descriptors`: how many are open that are not our own; those
        that are no session's are theirs, or questions' to a name server."""
        self._kick(min(max(1, descriptors - self._crowd()), MAX_KICKS))

    def _watch(self) -> None:
        while True:
            self._somebody.wait()
            self._watch_over()

    def _watch_over(self) -> None:
        """Kick while somebody waits and nothing moves: twice as much each time that it was of use, twice as rarely each time
        that it was not."""
        seen, kicks, pause, kicked = self._steps(), 1, TICK, False
        while self._goes_on():
            time.sleep(pause)
            steps, before = self._steps(), seen
            seen = steps
            if steps != before:
                kicks = min(2 * kicks, MAX_KICKS) if kicked else kicks
                pause, kicked = TICK, False
                continue
            if kicked:
                kicks, pause = 1, min(2 * pause, LONGEST)
            self._kick(kicks)
            kicked = True

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._somebody.clear()
            return self._waiting > 0

    def _kick(self, times: int) -> None:
        for _ in range(times * self._taps):
            with suppress(OSError):
                self._tap()
