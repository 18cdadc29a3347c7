"""Let one thread wait until another one wakes it.

Does for one thread what threading.Event does for any number of them, at a quarter of the cost. Thousands of sessions may wait at
the same time, each on a latch of its own. Knows nothing of what is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress


def _always() -> bool:
    return True


class Latch:
    """A latch for a single waiting thread. It is closed at first. `set` opens it, and a wait that ends closes it again."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Open the latch. From any thread, any number of times."""
        with suppress(RuntimeError):  # it is open already
            self._lock.release()

    def wait(self, seconds: float, is_over: Callable[[], bool] = _always) -> bool:
        """Wait until the latch is open and `is_over` returns True, but not longer than `seconds` (0: do not wait). Close the latch.
        Return False if the time was over before. The waiting thread calls `is_over` each time that it finds the latch open."""
        until = time.monotonic() + seconds
        while self._lock.acquire(timeout=seconds):
            if is_over():
                return True
            seconds = max(0.0, until - time.monotonic())
        return False
