"""Make host names that a regular expression may need a long time to match. They are made of texts that it repeats.

Pure. A name has at most 253 characters and a label at most 63, as all names that are matched at run time. With longer ones,
harmless patterns would be refused.

RFC 1035 2.3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from ...net.names import MAX_NAME
from .syntax import Node, Sampler, letter_sets, parse

MAX_LABEL = 63
MAX_NAMES = 3000  # for one pattern
_SHORT = (31, 24)  # characters; some patterns need longest for a name that is a little too short for them
_CLASSES = 6  # characters of which all pairs are tried
_PREFIXES = 6
_REPEATED = 120  # texts that the pattern repeats and that are tried

_TYPICAL = (
    "192-0-2-1.dyn.example.net",
    "ip-192-0-2-1.dynamic.pool.dsl.access.example.co.uk",
    ".".join("0123456789abcdef" * 2) + ".ip6.example.net",
    "mail-out-01.smtp.eu-central-1.example.com",
)


class TrialName(NamedTuple):
    """A name to try. `repeats`: the text that it repeats; "" for a typical name."""

    text: str
    repeats: str


def trial_names(pattern: re.Pattern[str]) -> tuple[TrialName, ...]:
    """Return the names to try a pattern with: first the empty name, then those for which the pattern probably needs the most time.
    Each call returns the same names. Raises ValueError if groups are nested too deeply."""
    found: dict[TrialName, None] = {}
    for name in _names(parse(pattern)):
        found[name] = None
        if len(found) == MAX_NAMES:
            break
    return tuple(found)


def _names(nodes: tuple[Node, ...]) -> Iterator[TrialName]:
    yield TrialName("", "")
    sampler = Sampler(nodes)
    tails = ("", _rarest(sampler), ".a")
    own = list(dict.fromkeys(sampler.repeated(nodes)))[:_REPEATED]
    prefixes = list(dict.fromkeys(("", *(before for before, _ in own))))[:_PREFIXES]
    letters = _representatives(sampler, list(letter_sets(nodes)))
    words = list(dict.fromkeys((*letters, *(a + b for a, b in product(letters, repeat=2) if a != b))))
    for before, word in own:
        yield from _shapes(before, word, tails)
    for name in _TYPICAL:
        yield TrialName(name, "")
    for before, word in product(prefixes, words):
        yield from _shapes(before, word, tails)


def _shapes(before: str, word: str, tails: tuple[str, ...]) -> Iterator[TrialName]:
    """Yield names that repeat the text, of several lengths: the longest name, the longest label, and shorter ones."""
    for tail in tails:
        for length in (MAX_NAME, MAX_LABEL, *_SHORT):
            times = max(2, (length - len(before) - len(tail)) // len(word))
            yield TrialName(_fitted(before + word * times, length - len(tail)) + tail, word)


def _fitted(text: str, length: int) -> str:
    """Divide labels that are too long, and cut the text to the length."""
    labels = (label[at : at + MAX_LABEL] for label in text.split(".") for at in range(0, max(len(label), 1), MAX_LABEL))
    return ".".join(labels)[:length]


def _rarest(sampler: Sampler) -> str:
    """Return a character that few elements match: at the end of a long text it makes the match fail."""
    return "_" if "_" in sampler.ranked[-10:] else sampler.ranked[-1]


def _representatives(sampler: Sampler, sets: list[frozenset[str]]) -> list[str]:
    """Group the characters by the elements that match them. Return one character of each group, the most frequently matched
    first."""
    different = {tuple(letter in letters for letters in sets): letter for letter in reversed(sampler.ranked)}
    ranked = sorted(different.values(), key=sampler.ranked.index)
    return list(dict.fromkeys((*ranked[:_CLASSES], "0", "-")))
