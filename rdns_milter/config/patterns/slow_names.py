"""Host names on which a regular expression may take long: made of what it repeats itself, and of what names are made of.

Pure. Each name has at most 253 octets, and each label of it at most 63, as all names that are matched have: a longer one would
refuse patterns that do no harm.

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
_SHORT = (31, 24)  # octets: some patterns take longest where the name is a little too short for them
_CLASSES = 6  # letters of which all pairs are tried
_PREFIXES = 6
_OWN = 120  # texts of the pattern's own repetitions that are tried

_TYPICAL = (
    "192-0-2-1.dyn.example.net",
    "ip-192-0-2-1.dynamic.pool.dsl.access.example.co.uk",
    ".".join("0123456789abcdef" * 2) + ".ip6.example.net",
    "mail-out-01.smtp.eu-central-1.example.com",
)


class TrialName(NamedTuple):
    """A name to try. `repeats`: the text that it repeats, or "" for a typical name."""

    text: str
    repeats: str


def trial_names(pattern: re.Pattern[str]) -> tuple[TrialName, ...]:
    """Names to try a pattern with, the empty one first, then those that promise the most. The same each time. Raises ValueError if
    groups are nested too deeply."""
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
    own = list(dict.fromkeys(sampler.repeated(nodes)))[:_OWN]
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
    """The text again and again: as long as a name may be, as a label may be, and shorter."""
    for tail in tails:
        for octets in (MAX_NAME, MAX_LABEL, *_SHORT):
            times = max(2, (octets - len(before) - len(tail)) // len(word))
            yield TrialName(_fitted(before + word * times, octets - len(tail)) + tail, word)


def _fitted(text: str, octets: int) -> str:
    """The text, divided into labels where it has longer ones, and cut."""
    labels = (label[at : at + MAX_LABEL] for label in text.split(".") for at in range(0, max(len(label), 1), MAX_LABEL))
    return ".".join(labels)[:octets]


def _rarest(sampler: Sampler) -> str:
    """A letter that few elements match: behind a long text it makes the match fail."""
    return "_" if "_" in sampler.ranked[-10:] else sampler.ranked[-1]


def _representatives(sampler: Sampler, sets: list[frozenset[str]]) -> list[str]:
    """Of letters that the same elements match one each, those first that the most match."""
    different = {tuple(letter in letters for letters in sets): letter for letter in reversed(sampler.ranked)}
    ranked = sorted(different.values(), key=sampler.ranked.index)
    return list(dict.fromkeys((*ranked[:_CLASSES], "0", "-")))
