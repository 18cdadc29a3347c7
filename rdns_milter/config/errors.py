"""What is wrong with a configuration: each mistake with its file, line and key, and all of them at once.

Pure. Judges nothing itself: whoever reads a value says what is wrong with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ..text.escape import one_line
from ..text.toml import key, quoted
from ..text.toml_positions import Path, Positions

_SHOWN = 12  # valid words are listed up to this many


@dataclass(frozen=True, slots=True)
class Error:
    """One mistake. `line` counts from 1, 0 where it is not known; `key`: the key path, as "dns.timeout", or ""."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return one_line(": ".join(part for part in (place, self.key, self.message) if part))


class ConfigError(Exception):
    """A configuration that cannot be used. `errors`: all that is wrong with it; its text has a line for each."""

    def __init__(self, errors: Iterable[Error]) -> None:
        self.errors: tuple[Error, ...] = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


class Mistakes:
    """The mistakes found so far in one file, and in the files that it names."""

    def __init__(self, file: str, positions: Positions) -> None:
        self.file = file
        self.positions = positions
        self._errors: list[Error] = []

    def add(self, where: Path, message: str, name: str = "") -> None:
        """Note a mistake at a key of the file; `name` is how the key is called, if not by its path."""
        self._errors.append(Error(self.file, self.positions.line(where), name or dotted(where), message))

    def add_elsewhere(self, error: Error) -> None:
        """Note a mistake in another file."""
        self._errors.append(error)

    def __len__(self) -> int:
        return len(self._errors)

    def check(self) -> None:
        """Raises ConfigError with all mistakes, those of the file itself first, by line, if there are any."""
        if self._errors:
            raise ConfigError(sorted(self._errors, key=lambda error: (error.file != self.file, error.file, error.line)))


def dotted(path: Path) -> str:
    """A key path as text; places in lists are left out."""
    return ".".join(key(part) for part in path if isinstance(part, str))


def nearest(word: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown word: the valid one that is most like it, else all of them if they are few."""
    words = list(valid)
    close = difflib.get_close_matches(word[:64].lower().replace("-", "_"), [w.replace("-", "_") for w in words], 1)
    if close:
        return f"; did you mean {quoted(next(w for w in words if w.replace('-', '_') == close[0]))}?"
    return f"; valid: {', '.join(words)}" if len(words) <= _SHOWN else ""
