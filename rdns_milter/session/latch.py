"""Let one thread wait until another one wakes it.

What threading.Event does for any number of threads, at a quarter of the cost. Thousands of sessions may wait at the same time, each
on a latch of its own. Knows nothing of what is waited for.
"""

from __future__ import annotations

import threading
from contextlib import suppress


class Latch:
    """A latch for a single waiting thread: closed at first, opened by `set`, closed again by a wait that ends."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Open the latch. From any thread, any number of times."""
        with suppress(RuntimeError):  # it is open already
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait until the latch is open, at most so many seconds; 0 does not wait. Return whether it was open, and close it."""
        return self._lock.acquire(timeout=seconds)
