"""Parse a configured regular expression: its repetitions, and short texts that match its parts.

Pure. Must never match the expression, because that may take any time. Only config/patterns/timing.py does, and measures it.

Python's `re` has no public parser; `re._parser` is unchanged from 3.11 to 3.13.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_PARSER: Any = importlib.import_module("re._parser")
UNBOUNDED = int(importlib.import_module("re._constants").MAXREPEAT)
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz-._"  # of host names, in lower case
MAX_DEPTH = 40  # of nested groups
_WORDS = 6  # texts for each part
_MAX_WORD = 60  # characters of such a text

_REPEATS = frozenset(("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"))
_ATOMS = frozenset(("LITERAL", "NOT_LITERAL", "ANY", "IN"))
_DIGIT = frozenset("0123456789")
_WORD = frozenset(ALPHABET) - frozenset("-.")
_CATEGORIES: Mapping[str, frozenset[str]] = {
    "CATEGORY_DIGIT": _DIGIT,
    "CATEGORY_NOT_DIGIT": frozenset(ALPHABET) - _DIGIT,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": frozenset("-."),
    "CATEGORY_SPACE": frozenset(),
    "CATEGORY_NOT_SPACE": frozenset(ALPHABET),
}


class Node(NamedTuple):
    """One element. `kind`: the parser's name for it; `parts`: the alternatives that it consists of, each a sequence; `letters`: the
    characters of host names that an element for one character matches; `low`, `high`: the bounds of a repetition."""

    kind: str
    parts: tuple[tuple[Node, ...], ...] = ()
    letters: frozenset[str] = frozenset()
    low: int = 1
    high: int = 1


def parse(pattern: re.Pattern[str]) -> tuple[Node, ...]:
    """Return the elements of a compiled pattern. Raises ValueError if groups are nested too deeply."""
    return _sequence(_PARSER.parse(pattern.pattern, pattern.flags), 0)


def has_nested_repeat(nodes: Iterable[Node], inside: bool = False) -> bool:
    """Return whether an unbounded repetition contains another one of varying length, as in "(a+)*". Python does not
    backtrack into possessive quantifiers and atomic groups, so these do not count."""
    for node in nodes:
        fixed = node.kind in ("POSSESSIVE_REPEAT", "ATOMIC_GROUP")
        repeats = node.kind in _REPEATS and node.high > max(1, node.low)
        if inside and repeats and not fixed:
            return True
        within = not fixed and (inside or (repeats and node.high == UNBOUNDED))
        if any(has_nested_repeat(part, within) for part in node.parts):
            return True
    return False


def letter_sets(nodes: Iterable[Node]) -> Iterator[frozenset[str]]:
    """Yield the characters that each element for one character matches."""
    for node in nodes:
        if node.kind in _ATOMS:
            yield node.letters
        for part in node.parts:
            yield from letter_sets(part)


class Sampler:
    """Short texts that match parts of a pattern. Characters that many elements match are preferred, because such a text can be
    matched in many ways."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        counts = Counter(letter for letters in letter_sets(nodes) for letter in letters)
        self.ranked = sorted(ALPHABET, key=lambda letter: (-counts[letter], ALPHABET.index(letter)))

    def words(self, nodes: Iterable[Node]) -> list[str]:
        """Return at least one text for a sequence. The first is the best; each of the others differs from it in one element."""
        found = [""]
        for node in nodes:
            first, *others = self._words(node)
            found = [*(word + first for word in found), *(found[0] + other for other in others)]
            found = list(dict.fromkeys(word[:_MAX_WORD] for word in found))[:_WORDS]
        return found

    def repeated(self, nodes: Iterable[Node], before: str = "") -> Iterator[tuple[str, str]]:
        """Yield, for each repetition at any depth, a text that may precede it, and a text that it repeats."""
        for node in nodes:
            if node.high > 1:
                yield from ((before, word) for part in node.parts for word in self.words(part) if word)
            for part in node.parts:
                yield from self.repeated(part, before)
            before = (before + self._words(node)[0])[:_MAX_WORD]

    def _words(self, node: Node) -> list[str]:
        if node.kind in _ATOMS:
            return [letter for letter in self.ranked if letter in node.letters][:3] or [""]
        found = [word for part in node.parts for word in self.words(part)] or [""]
        if node.kind.startswith("ASSERT"):
            return [""]
        if node.kind in _REPEATS:
            often = [min(count, node.high, _MAX_WORD) for count in (max(node.low, 1), node.low, node.low + 1)]
            found = [found[0] * often[0], *(word * often[0] for word in found[1:]), *(found[0] * n for n in often[1:])]
        return list(dict.fromkeys(found))[:_WORDS]


def _sequence(parsed: Iterable[tuple[object, Any]], depth: int) -> tuple[Node, ...]:
    if depth > MAX_DEPTH:
        raise ValueError(f"has groups nested more than {MAX_DEPTH} deep")
    return tuple(_node(str(operator), argument, depth + 1) for operator, argument in parsed)


def _node(kind: str, argument: Any, depth: int) -> Node:
    if kind in _ATOMS:
        return Node(kind, letters=_letters(kind, argument))
    low, high = argument[:2] if kind in _REPEATS else (1, 1)
    parts = tuple(_sequence(part, depth) for part in _parts(kind, argument) if part is not None)
    return Node(kind, parts, low=int(low), high=int(high))


def _parts(kind: str, argument: Any) -> Sequence[Any]:
    """Return the parts of an element in the parser's form."""
    if kind == "BRANCH":
        return argument[1]  # type: ignore[no-any-return]
    if kind == "GROUPREF_EXISTS":
        return argument[1:]  # type: ignore[no-any-return]
    if kind == "ATOMIC_GROUP":
        return (argument,)
    if kind in _REPEATS or kind in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
        return (argument[-1],)
    return ()  # AT, GROUPREF: no parts


def _letters(kind: str, argument: Any) -> frozenset[str]:
    """Return the characters that an element for one character matches, without regard to case."""
    if kind == "ANY":
        return frozenset(ALPHABET)
    items = [(kind.removeprefix("NOT_"), argument)] if kind != "IN" else [(str(op), value) for op, value in argument]
    found = frozenset[str]().union(*(_item(operator, value) for operator, value in items))
    negated = kind == "NOT_LITERAL" or items[0][0] == "NEGATE"
    return frozenset(ALPHABET) - found if negated else found


def _item(operator: str, value: Any) -> frozenset[str]:
    if operator == "CATEGORY":
        return _CATEGORIES.get(str(value), frozenset())
    if operator == "NEGATE":
        return frozenset()
    low, high = value if operator == "RANGE" else (value, value)
    return frozenset(each for each in ALPHABET if low <= ord(each) <= high or low <= ord(each.upper()) <= high)
