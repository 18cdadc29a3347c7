"""The memory of a process of the service: garbage collection at chosen times, one heap for all threads.

Python's automatic collection examines all objects again and again: with a full cache one pass takes a quarter of a second, during
which nothing is served. So a worker switches it off and lets a GarbageCollector run once a second. Must never leave cyclic garbage
in memory beyond the bounds below.

gc (Python), mallopt(3); packaging/doc/platform.md 7.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

# Blocks of memory (sys.getallocatedblocks, about 80 bytes each) by which a worker may grow until all objects are examined: when it
# is idle, and in any case.
IDLE_GROWTH = 100_000
MAX_GROWTH = 500_000
UNEXAMINED = 9  # times that a busy process only freezes its new objects
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # mallopt(3)
_LARGE = 65_536  # bytes


class GarbageCollector:
    """Frees cyclic garbage with short pauses. Objects that survive a collection are frozen: they are not examined again. So the
    time of a collection depends only on the number of new objects. A frozen object is freed when its last reference goes. Objects
    that become a garbage cycle while they are frozen are not freed. So all objects are examined when the process has grown by
    IDLE_GROWTH and is idle, or has grown by MAX_GROWTH: whatever was leaked is part of that growth.

    If a collection finds nothing, a busy process skips the next UNEXAMINED ones and only freezes the new objects. With many new
    clients nearly all of these are answers in the cache, and to examine them takes some milliseconds each second."""

    def __init__(self) -> None:
        freeze_all()
        self._baseline = sys.getallocatedblocks()
        self._left = 0  # times that new objects are only frozen

    def run(self, is_idle: bool) -> None:
        """Collect garbage. `is_idle`: no client waits for this process at the moment."""
        is_full = sys.getallocatedblocks() - self._baseline >= (IDLE_GROWTH if is_idle else MAX_GROWTH)
        if is_full:
            gc.unfreeze()
        if self._left and not is_idle and not is_full:
            self._left -= 1
            gc.freeze()
        else:
            self._left = 0 if freeze_all() else UNEXAMINED
        blocks = sys.getallocatedblocks()
        self._baseline = blocks if is_full else min(self._baseline, blocks)


def freeze_all() -> int:
    """Collect garbage and freeze what is left. Return the number of objects found unreachable. The parent calls it before it forks:
    a collection writes to each object that it examines, and so to pages that processes share."""
    unreachable = gc.collect()
    gc.freeze()
    return unreachable


def use_one_heap() -> None:
    """Use one heap for all threads, and return large blocks to the system. glibc gives each thread a heap of its own, and
    libmilter's threads come and go: a process grew by a fifth within 150,000 messages. Python's lock lets only one thread allocate
    at a time anyway."""
    with suppress(AttributeError, OSError):  # another libc
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
