"""Memory that is bounded: by entries, by octets, and by the time for which an entry holds.

Knows neither DNS nor a clock: the time is an argument. The entry that has not been used for longest goes first. Belongs to
one thread.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Kept = TypeVar("Kept")


class Cache(Generic[Key, Kept]):
    """At most `max_entries` entries of at most `max_octets` in all, each until its own time."""

    __slots__ = ("_entries", "max_entries", "max_octets", "octets")

    def __init__(self, max_entries: int, max_octets: int) -> None:
        self.max_entries = max_entries
        self.max_octets = max_octets
        self.octets = 0
        self._entries: OrderedDict[Key, tuple[float, int, Kept]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> tuple[float, Kept] | None:
        """When the entry ends (on the clock that `now` was read from) and what it holds; None if it is not there."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        ends, octets, kept = entry
        if ends <= now:
            del self._entries[key]
            self.octets -= octets
            return None
        self._entries.move_to_end(key)
        return ends, kept

    def put(self, key: Key, kept: Kept, ends: float, octets: int) -> None:
        """Keep something of about `octets` octets until `ends`. What is larger than the whole memory is not kept."""
        old = self._entries.pop(key, None)
        if old is not None:
            self.octets -= old[1]
        if self.max_entries <= 0 or octets > self.max_octets:
            return
        self._entries[key] = (ends, octets, kept)
        self.octets += octets
        while len(self._entries) > self.max_entries or self.octets > self.max_octets:
            _, (_, octets, _) = self._entries.popitem(last=False)
            self.octets -= octets

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.octets = 0
