"""Memory and cores of a worker process: garbage collection once a second, one heap for all threads, one core for each worker.

Python left to itself examines all objects again and again: with a full cache that takes half a second, in which nobody is served. A
worker has automatic collection switched off, and calls `collect` once a second.

gc (Python), mallopt(3), sched_setaffinity(2).
"""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # mallopt(3)
_LARGE = 65_536  # bytes


def collect() -> None:
    """Free it, of what has come since the last time. What is in use now is not looked at again: neither here, nor in the
    processes that begin as copies of this one, which would write to memory that they share."""
    gc.collect()
    gc.freeze()


def share_memory() -> None:
    """Use one heap for all threads, and give large pieces of memory back to the system. glibc gives each thread a heap, and
    libmilter's threads come and go: a process grew by a fifth within 150,000 messages. Python's lock lets one thread at a time
    allocate anyway."""
    with suppress(AttributeError, OSError):  # another libc
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def pin(number: int, workers: int) -> None:
    """Keep worker `number` on a core of its own if there are as many workers as cores: Python's lock costs most where its threads
    move between cores."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == workers > 1:
        os.sched_setaffinity(0, {cores[number]})
