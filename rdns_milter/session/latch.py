"""Word to a thread that waits for it: heard once.

What threading.Event is to any number of threads, at a quarter of the cost: a lock that whoever waits cannot have before it is
told. Thousands of them may be waited for at a time.
"""

from __future__ import annotations

import threading
from contextlib import suppress


class News:
    """There is none yet."""

    __slots__ = ("_lock", "told")

    def __init__(self) -> None:
        self.told = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def tell(self) -> None:
        """Now there is. From any thread, as often as they like."""
        self.told = True
        with suppress(RuntimeError):  # another has told it
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait for it, at most so many seconds: whether there is. One thread, once."""
        return self._lock.acquire(timeout=seconds)
