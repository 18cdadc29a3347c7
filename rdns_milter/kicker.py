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
MAX_KICKS = 32  # at a time
EACH, MOST = 0.002, 1.0  # seconds that it takes to answer one of a crowd, about, and all
TICK = 0.01  # seconds without a step after which somebody may have been left over
LONGEST = 0.1  # seconds between two kicks that freed nobody


class Kicker:
    """Waits for a thread's sake, and kicks meanwhile, from a thread of its own. `tap` connects and closes; `steps`: how many
    steps the sessions of this process have made."""

    def __init__(self, tap: Callable[[], None], steps: Callable[[], int], processes: int) -> None:
        self._tap = tap
        self._steps = steps
        self._taps = min(processes, MAX_TAPS)
        self._waiting = 0
        self._lock = threading.Lock()
        self._somebody = threading.Event()

    def start(self) -> None:
        """From now on those who wait are watched."""
        threading.Thread(target=self._watch, name="kicker", daemon=True).start()

    def wait(self, news: threading.Event, seconds: float) -> bool:
        """Wait until there is news, at most so long: whether there is. Others are served meanwhile. Whoever waits behind many
        gives up the sooner, for to answer all of them takes its time, too."""
        with self._lock:
            seconds -= min(self._waiting * EACH, MOST, seconds / 2)
            self._waiting += 1
            if self._waiting == 1:
                self._somebody.set()
        try:
            return news.wait(seconds)
        finally:
            with self._lock:
                self._waiting -= 1

    def look_after(self, ungreeted: int) -> None:
        """Kick for so many who have come and have not been greeted, for one at least: more are not known of."""
        self._kick(min(max(1, ungreeted), MAX_KICKS))

    def _watch(self) -> None:
        while True:
            self._somebody.wait()
            self._watch_over()

    def _watch_over(self) -> None:
        """Kick while somebody waits and nothing moves. Where those who were freed by it wait, too, there may be more of them: at
        once twice as much. Twice as rarely each time that nothing came of it."""
        seen, kicks, pause, kicked, waiting = self._steps(), 1, TICK, False, 0
        while self._goes_on():
            time.sleep(pause)
            before, seen = seen, self._steps()
            freed = kicked and self._waiting - waiting >= (kicks + 1) // 2
            if freed:
                kicks, pause = min(2 * kicks, MAX_KICKS), TICK
            elif seen != before:
                kicks, pause, kicked = 1, TICK, False
                continue
            elif kicked:
                kicks, pause = 1, min(2 * pause, LONGEST)
            waiting, kicked = self._waiting, True
            self._kick(kicks)

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._somebody.clear()
            return self._waiting > 0

    def _kick(self, times: int) -> None:
        for _ in range(times * self._taps):
            with suppress(OSError):
                self._tap()
