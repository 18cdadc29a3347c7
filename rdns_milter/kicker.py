"""Keeps libmilter's threads coming while callbacks wait.

Debian's libmilter serves its sessions with a pool of threads that grows only when an event arrives and no thread is idle: in a
burst of sessions that wait, the others are served two at a time. A connection to our own socket, closed at once, is such an
event. It may reach any of the processes that share the socket, so there is one for each of them, and more while somebody
still waits.

PLATFORM 0.1 (measured).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

MAX_KICKS = 4  # for one thread that is about to wait
AGAIN = 0.05  # seconds between further kicks while threads wait


class Kicker:
    """A context that a thread is in while it waits. `tap` connects and closes; `crowd`: the number of sessions that there are
    in this process."""

    def __init__(self, tap: Callable[[], None], crowd: Callable[[], int], processes: int) -> None:
        self._tap = tap
        self._crowd = crowd
        self._kicks = min(processes, MAX_KICKS)
        self._waiting = 0
        self._lock = threading.Lock()
        self._someone_waits = threading.Event()
        self._thread = threading.Thread(target=self._keep_kicking, name="kicker", daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        # Another thread has to take the place of the one that is about to wait, if there is anyone else to be served.
        with self._lock:
            self._waiting += 1
            alone = self._crowd() <= self._waiting
        self._someone_waits.set()
        if not alone:
            self._tap_all()

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._waiting -= 1
            if self._waiting == 0:
                self._someone_waits.clear()

    def _tap_all(self) -> None:
        for _ in range(self._kicks):
            with suppress(OSError):
                self._tap()

    def _keep_kicking(self) -> None:
        pause = threading.Event()
        while True:
            self._someone_waits.wait()
            pause.wait(AGAIN)
            if self._waiting and self._crowd() > self._waiting:
                self._tap_all()
