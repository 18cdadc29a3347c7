"""Keeps libmilter's threads coming while callbacks wait.

Debian's libmilter serves its sessions with a pool of threads that grows only when an event arrives and no thread is idle: in a
burst of sessions that wait, the others are served two at a time. A connection to our own socket, closed at once, is such an
event. It may reach any of the processes that share the socket, so there is one for each of them, and again while somebody
still waits and others have not been served. Nobody kicks who waits for a moment only: that would cost more than the wait.
Threads that libmilter itself holds up, with half a packet, wait for nothing of ours: so each process kicks now and then anyway.

PLATFORM 0.1 (measured).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

MAX_KICKS = 4  # at a time
MAX_FORGOTTEN = 32  # for so many at a time
FIRST = 0.01  # seconds of waiting before the first kick
AGAIN = 0.1  # seconds until the second; twice as long until each further one
PAUSE = 0.001  # seconds between two kicks of a process: a thousand waiting threads must not keep it from its work


class Kicker:
    """Waits for a thread's sake, and kicks meanwhile. `tap` connects and closes; `crowd`: the number of sessions that there
    are in this process."""

    def __init__(
        self, tap: Callable[[], None], crowd: Callable[[], int], processes: int, clock: Callable[[], float]
    ) -> None:
        self._tap = tap
        self._crowd = crowd
        self._kicks = min(processes, MAX_KICKS)
        self._clock = clock
        self._next = 0.0
        self._waiting = 0
        self._lock = threading.Lock()

    def wait(self, news: threading.Event, seconds: float) -> bool:
        """Wait until there is news, at most so long: whether there is. Others are served meanwhile."""
        if news.wait(min(FIRST, seconds)):
            return True
        with self._lock:
            self._waiting += 1
        try:
            left, pause = seconds - FIRST, AGAIN
            if self._crowd() > self._waiting:
                self._kick()
            while left > 0:
                if news.wait(min(pause, left)):
                    return True
                left -= pause
                pause *= 2
                # Whoever has not even been greeted is not in the crowd.
                self._kick()
            return False
        finally:
            with self._lock:
                self._waiting -= 1

    def look_after(self, descriptors: int) -> None:
        """Kick for all who have come and have not been greeted. `descriptors`: how many are open that are not our own; those
        that are no session's are theirs, or questions' to a name server."""
        for _ in range(min(max(1, descriptors - self._crowd()), MAX_FORGOTTEN)):
            self._kick_once()

    def _kick(self) -> None:
        now = self._clock()
        if now < self._next:
            return  # somebody has just kicked
        self._next = now + PAUSE
        self._kick_once()

    def _kick_once(self) -> None:
        for _ in range(self._kicks):
            with suppress(OSError):
                self._tap()
