"""A frozen set of texts that takes few bytes, whatever their number, and that processes can share.

Pure. Holds the texts one after another in the order of their hashes; a look-up is a bisection in the hashes and one comparison.
Python salts the hash of a text (so nobody can choose texts with equal ones), and the salt is one process's and its forks': a set
must never be handed to any other process.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set
from itertools import accumulate
from pickle import PickleBuffer
from typing import Any

SMALL = 1000  # texts, up to which a frozenset will do


def text_set(texts: Iterable[str]) -> Set[str]:
    """The set of the texts: a frozenset if they are few."""
    every = frozenset(texts)
    return every if len(every) <= SMALL else CompactSet(every)


class CompactSet(Set[str]):
    """The set. Iterates in no order that means anything."""

    __slots__ = ("_ends", "_hashes", "_text")

    def __init__(self, texts: frozenset[str]) -> None:
        ordered = sorted(texts, key=hash)
        self._hashes = memoryview(array("q", map(hash, ordered)))
        self._ends = memoryview(array("Q", accumulate(len(text.encode()) for text in ordered)))
        self._text = memoryview("".join(ordered).encode())

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Set[Any]:
        """What the operators of Set make of two sets."""
        return text_set(it)

    def __contains__(self, text: object) -> bool:
        hashes, wanted = self._hashes, hash(text)
        place = bisect_left(hashes, wanted)
        while place < len(hashes) and hashes[place] == wanted:
            if self._at(place) == text:
                return True
            place += 1
        return False

    def _at(self, place: int) -> str:
        begin = self._ends[place - 1] if place else 0
        return str(self._text[begin : self._ends[place]], "utf-8")

    def __iter__(self) -> Iterator[str]:
        return map(self._at, range(len(self._hashes)))

    def __len__(self) -> int:
        return len(self._hashes)

    def __hash__(self) -> int:
        return hash((len(self), *self._hashes[:8]))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """The arrays are pickled as buffers, which need not be copied (PEP 574)."""
        return _restored, (PickleBuffer(self._hashes), PickleBuffer(self._ends), PickleBuffer(self._text))


def _restored(hashes: Any, ends: Any, text: Any) -> CompactSet:
    restored = CompactSet.__new__(CompactSet)
    restored._hashes = memoryview(hashes).cast("B").cast("q")
    restored._ends = memoryview(ends).cast("B").cast("Q")
    restored._text = memoryview(text).cast("B")
    return restored
