"""The most frequent names in an endless stream, counted in bounded memory.

Pure. Counts are exact as long as all names fit; after that the rarest names are dropped, and a count may be too low by at most
`missed`, never too high. Memory must never grow with the number of names, because senders choose them.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)
Example = TypeVar("Example")

CAPACITY = 2000


@dataclass(frozen=True, slots=True)
class Entry(Generic[Name, Example]):
    """A name, its count, and the example that was given when it was first added, or None."""

    name: Name
    count: int
    example: Example | None = None


class TopList(Generic[Name, Example]):
    """Counts by name. A list with 2 * `capacity` names is full: before the next name is added, only the `capacity` most frequent
    names are kept. `missed`: the amount by which a count may be too low; 0 as long as no name was dropped."""

    __slots__ = ("_counts", "_examples", "capacity", "missed")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.missed = 0
        self._counts: dict[Name, int] = {}
        self._examples: dict[Name, Example] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: Name, count: int = 1, example: Example | None = None) -> None:
        """Add `count` to the name's count."""
        before = self._counts.get(name)
        if before is not None:
            self._counts[name] = before + count
            return
        if len(self._counts) >= 2 * self.capacity:
            self._drop_rarest()
        self._counts[name] = count
        if example is not None:
            self._examples[name] = example

    def top(self, limit: int | None = None) -> list[Entry[Name, Example]]:
        """Return at most `limit` names, the most frequent first. If counts are equal, the older name comes first."""
        ranked = nlargest(len(self._counts) if limit is None else limit, self._counts.items(), key=itemgetter(1))
        return [Entry(name, count, self._examples.get(name)) for name, count in ranked]

    def _drop_rarest(self) -> None:
        ranked = nlargest(self.capacity + 1, self._counts.items(), key=itemgetter(1))
        self.missed += ranked.pop()[1]
        self._counts = dict(ranked)
        self._examples = {name: each for name, each in self._examples.items() if name in self._counts}
