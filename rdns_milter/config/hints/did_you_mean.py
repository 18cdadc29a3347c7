"""Name the valid word that is most similar to an unknown one: "did you mean ...?".

Pure. Used for sections, keys, conditions, actions and all other options with a fixed set of words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ...text.toml import quoted

_MAX_LISTED = 12  # valid words; more are not listed in a message


def suggestion(word: str, valid: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the most similar valid word, else all valid words if they are few."""
    words = list(valid)
    similar = difflib.get_close_matches(word[:64].lower().replace("-", "_"), [w.replace("-", "_") for w in words], 1)
    if similar:
        return f"; did you mean {quoted(next(w for w in words if w.replace('-', '_') == similar[0]))}?"
    return f"; valid: {', '.join(words)}" if len(words) <= _MAX_LISTED else ""
