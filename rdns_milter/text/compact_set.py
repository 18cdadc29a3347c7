"""An immutable set of strings that takes little memory and can be shared between processes.

Pure. Holds all strings as one block of UTF-8, ordered by hash; a lookup is a bisection over the hashes and one comparison. Python
salts string hashes, so that an attacker cannot choose strings with equal hashes. The salt belongs to a process and its forks: a set
must never be passed to any other process.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set
from itertools import accumulate
from pickle import PickleBuffer
from typing import Any

SMALL = 1000  # strings; a set of at most so many is a frozenset


def text_set(texts: Iterable[str]) -> Set[str]:
    """Return the set of the strings: a frozenset up to SMALL of them, else a CompactSet."""
    unique = frozenset(texts)
    return unique if len(unique) <= SMALL else CompactSet(unique)


class CompactSet(Set[str]):
    """An immutable set of strings. Its iteration order has no meaning."""

    __slots__ = ("_ends", "_hashes", "_text")

    def __init__(self, texts: frozenset[str]) -> None:
        ordered = sorted(texts, key=hash)
        self._hashes = memoryview(array("q", map(hash, ordered)))
        self._ends = memoryview(array("Q", accumulate(len(text.encode()) for text in ordered)))
        self._text = memoryview("".join(ordered).encode())

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Set[Any]:
        """Return the result of a set operator, such as `|`."""
        return text_set(it)

    def __contains__(self, text: object) -> bool:
        hashes, wanted = self._hashes, hash(text)
        index = bisect_left(hashes, wanted)
        while index < len(hashes) and hashes[index] == wanted:
            if self._at(index) == text:
                return True
            index += 1
        return False

    def _at(self, index: int) -> str:
        begin = self._ends[index - 1] if index else 0
        return str(self._text[begin : self._ends[index]], "utf-8")

    def __iter__(self) -> Iterator[str]:
        return map(self._at, range(len(self._hashes)))

    def __len__(self) -> int:
        return len(self._hashes)

    def __hash__(self) -> int:
        return hash((len(self), *self._hashes[:8]))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle the arrays as buffers, which can be shared without a copy (PEP 574)."""
        return _restored, (PickleBuffer(self._hashes), PickleBuffer(self._ends), PickleBuffer(self._text))


def _restored(hashes: Any, ends: Any, text: Any) -> CompactSet:
    restored = CompactSet.__new__(CompactSet)
    restored._hashes = memoryview(hashes).cast("B").cast("q")
    restored._ends = memoryview(ends).cast("B").cast("Q")
    restored._text = memoryview(text).cast("B")
    return restored
