"""Errors in a configuration: each with its file, line and key, all of them reported at once.

Pure. Finds no errors itself: the modules that read values do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..text.escape import one_line
from ..text.toml import key
from ..text.toml_positions import Path, Positions


@dataclass(frozen=True, slots=True)
class Error:
    """One error. `line`: from 1, 0 if it is not known; `key`: the key path, such as "dns.timeout", or ""."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return one_line(": ".join(part for part in (place, self.key, self.message) if part))


class ConfigError(Exception):
    """The configuration is not valid. `errors`: all errors in it. The text has one line for each."""

    def __init__(self, errors: Iterable[Error]) -> None:
        self.errors: tuple[Error, ...] = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


class ErrorCollector:
    """The errors found so far in a file and in the lists that it names. `len` returns their number."""

    def __init__(self, file: str, positions: Positions) -> None:
        self.file = file
        self.positions = positions
        self._errors: list[Error] = []

    def add(self, path: Path, message: str, name: str = "") -> None:
        """Add an error at a key of the file. `name`: what messages call the key, if not its path."""
        self._errors.append(Error(self.file, self.positions.line(path), name or dotted(path), message))

    def add_error(self, error: Error) -> None:
        """Add an error in another file."""
        self._errors.append(error)

    def __len__(self) -> int:
        return len(self._errors)

    def raise_if_any(self) -> None:
        """Raise ConfigError if there are errors: those of the file itself first, then the others, each by line."""
        if self._errors:
            raise ConfigError(sorted(self._errors, key=lambda error: (error.file != self.file, error.file, error.line)))


def dotted(path: Path) -> str:
    """Return a key path as text, without the indices of lists."""
    return ".".join(key(part) for part in path if isinstance(part, str))
