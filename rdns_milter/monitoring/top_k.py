"""Who occurs most often in a stream without end: counts in bounded memory.

Pure. Exact for as many different names as fit; beyond that the rare ones are forgotten, and a count may be too low, by `missed`
at most, never too high. Names are of the sender's own making, so there may be millions of them.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

CAPACITY = 2000


@dataclass(frozen=True, slots=True)
class Entry(Generic[Name]):
    """A name, how often it came, and what was said the first time."""

    name: Name
    count: int
    example: str = ""


class TopList(Generic[Name]):
    """Names and how often they came. `capacity`: how many survive when it gets too full; it holds at most twice as many.
    `missed`: by how much a count may be too low; 0 while nothing was forgotten."""

    __slots__ = ("_counts", "_examples", "capacity", "missed")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.missed = 0
        self._counts: dict[Name, int] = {}
        self._examples: dict[Name, str] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: Name, count: int = 1, example: str = "") -> None:
        """The name came so many times more."""
        before = self._counts.get(name)
        if before is not None:
            self._counts[name] = before + count
            return
        if len(self._counts) >= 2 * self.capacity:
            self._forget()
        self._counts[name] = count
        if example:
            self._examples[name] = example

    def top(self, most: int | None = None) -> list[Entry[Name]]:
        """The most frequent, of equal ones the earlier; all of them for None."""
        ranked = nlargest(len(self._counts) if most is None else most, self._counts.items(), key=itemgetter(1))
        return [Entry(name, count, self._examples.get(name, "")) for name, count in ranked]

    def _forget(self) -> None:
        """Keep the better half."""
        ranked = nlargest(self.capacity + 1, self._counts.items(), key=itemgetter(1))
        self.missed += ranked.pop()[1]
        self._counts = dict(ranked)
        self._examples = {name: text for name, text in self._examples.items() if name in self._counts}
