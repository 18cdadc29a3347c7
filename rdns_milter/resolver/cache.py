"""A cache, bounded in the number of its entries, in memory, and in the time for which each entry is valid. Also: the time for which
a DNS answer is kept.

Has no clock: the time is an argument. The least recently used entry is evicted first. Not thread-safe.

RFC 2308 5 and 7.1 (negative answers and failures are cached), RFC 8767 4 (upper bound of cache times).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from .limits import ResolverLimits
from .lookup import TEMPORARY
from .reading import Reading

FAILURE_TTL = 30.0  # seconds for which a failure is cached
MAX_FAILURES = 10_000  # entries
ENTRY_BYTES = 1024  # of memory, for each entry that a cache may have
ANSWER_OVERHEAD = 400  # bytes of an answer beside its text

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Holds at most `max_entries` entries of at most `max_bytes` in all. Each entry is valid until its own time. `bytes`: the bytes
    in use."""

    __slots__ = ("_entries", "bytes", "max_bytes", "max_entries")

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.bytes = 0
        self._entries: OrderedDict[Key, tuple[float, int, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> tuple[float, Value] | None:
        """Return two values: the time when the entry expires, on the clock of `now`, and its value. None if there is no entry, or
        if it has expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, size, value = entry
        if expires <= now:
            del self._entries[key]
            self.bytes -= size
            return None
        self._entries.move_to_end(key)
        return expires, value

    def put(self, key: Key, value: Value, expires: float, size: int) -> None:
        """Store a value of about `size` bytes until `expires`. A value larger than the whole cache is not stored."""
        old = self._entries.pop(key, None)
        if old is not None:
            self.bytes -= old[1]
        if self.max_entries <= 0 or size > self.max_bytes:
            return
        self._entries[key] = (expires, size, value)
        self.bytes += size
        while len(self._entries) > self.max_entries or self.bytes > self.max_bytes:
            _, (_, evicted, _) = self._entries.popitem(last=False)
            self.bytes -= evicted

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self.bytes = 0


def answer_lifetime(reading: Reading, limits: ResolverLimits) -> float:
    """Return the seconds for which an answer is kept. A failure is kept for FAILURE_TTL. Any other answer is kept for its TTL,
    within the bounds of the options for answers with or without records."""
    if reading.status in TEMPORARY:
        return FAILURE_TTL
    longest = limits.cache_max_ttl if reading.status == "ok" else limits.negative_ttl
    return max(limits.cache_min_ttl, min(reading.ttl, longest))
