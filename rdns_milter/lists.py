"""Named lists in files: one entry a line, "#" begins a comment, blank lines do not count.

What an entry means depends on the condition that uses the list, so each list is read by the readers of those conditions.

DESIGN section 4, [lists].
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .conditions import Kind
from .mistakes import Error, Mistakes
from .textfile import UnreadableError, read_text
from .toml import quoted

MAX_LINES = 1_000_000
MAX_OCTETS = 64_000_000
_MAX_MISTAKES = 20  # reported for one list
# Not within a word: "#" may stand in the local part of an address.
_COMMENT = re.compile(r"(?:\A|\s)#.*")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class ListFile(NamedTuple):
    """What rules call the list, and the absolute path of its file."""

    name: str
    path: str


class Lists:
    """The lists that a config names, with what is in them. `files`: in the order of the config."""

    def __init__(self, table: object, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._texts: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._read: dict[tuple[str, str], tuple[Any, ...]] = {}
        if isinstance(table, dict):
            for name, path in table.items():
                self._add(name, path)
        else:
            mistakes.add(("lists",), 'wants a table: [lists], and below it lines such as partners = "partners.cidr"')

    @property
    def files(self) -> tuple[ListFile, ...]:
        """Name and path of each."""
        return tuple(ListFile(name, path) for name, path in self._paths.items())

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which rules may use them."""
        return tuple(self._texts)

    def values(self, name: str, kind: Kind) -> tuple[Any, ...] | None:
        """The entries of a list as values of that kind; None if no list has that name. What cannot be read is noted, once,
        with its file and line."""
        if name not in self._texts:
            return None
        key = (name, kind.wants)
        if key not in self._read:
            self._read[key] = tuple(self._values(name, kind))
        return self._read[key]

    def _add(self, name: str, path: object) -> None:
        where = ("lists", name)
        self._texts[name] = ""
        if not _NAME.match(name):
            self._mistakes.add(where, "the name of a list is made of letters, digits, dot, hyphen and underscore")
        if not isinstance(path, str) or not path:
            self._mistakes.add(where, f"wants the path of a file, not {quoted(path)}")
            return
        # Relative to where the config is, not to where the milter was started.
        path = self._paths[name] = os.path.abspath(os.path.join(os.path.dirname(self._mistakes.file), path))
        try:
            text = read_text(path, MAX_OCTETS)
        except UnreadableError as error:
            if error.line:
                self._mistakes.add_elsewhere(Error(path, error.line, f"lists.{name}", str(error)))
            else:
                self._mistakes.add(where, f"{path} {error}")
            return
        if text.count("\n") > MAX_LINES:
            self._mistakes.add(where, f"{path} has more than {MAX_LINES} lines")
            return
        self._texts[name] = text

    def _values(self, name: str, kind: Kind) -> Iterator[Any]:
        wrong = last = 0
        for line, entry in _entries(self._texts[name]):
            try:
                yield kind.read(entry)
            except ValueError as error:
                wrong, last = wrong + 1, line
                if wrong <= _MAX_MISTAKES:
                    self._mistakes.add_elsewhere(Error(self._paths[name], line, f"lists.{name}", str(error)))
        if wrong > _MAX_MISTAKES:
            message = f"the last of {wrong - _MAX_MISTAKES} more entries that are wrong"
            self._mistakes.add_elsewhere(Error(self._paths[name], last, f"lists.{name}", message))


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """The entries and their lines, from 1."""
    for number, line in enumerate(text.split("\n"), 1):
        entry = _COMMENT.sub("", line, count=1).strip()
        if entry:
            yield number, entry
