"""Named lists in files: one entry a line, "#" begins a comment, blank lines do not count.

What an entry means depends on the condition that uses the list, so each list is read by the readers of those conditions, once for
each kind of them. Never held as text: it is read piece by piece into the set that rules share.

packaging/doc/rules.md (Lists).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..text.toml import quoted
from .collectors import Collector
from .condition_types import Kind, size
from .errors import Error, Mistakes
from .textfile import Piece, UnreadableError, read_lines

MAX_LISTS = 100
MAX_LINES = 2_000_000  # of all lists together
MAX_OCTETS = 100_000_000  # of all lists together
MAX_COMBINED = 2_000_000  # entries of all sets that are made of several lists, or of a list and more
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
        self._names: dict[str, bool] = {}  # whether the file can be read
        self._paths: dict[str, str] = {}
        self._sets: dict[tuple[str, str], Any] = {}
        self._lines = self._octets = self._combined = 0
        if not isinstance(table, dict):
            mistakes.add(("lists",), 'wants a table: [lists], and below it lines such as partners = "partners.cidr"')
        elif len(table) > MAX_LISTS:
            mistakes.add(("lists",), f"has {len(table)} lists; {MAX_LISTS} are the most")
        else:
            for name, path in table.items():
                self._add(name, path)

    @property
    def files(self) -> tuple[ListFile, ...]:
        """Name and path of each."""
        return tuple(ListFile(name, path) for name, path in self._paths.items())

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which rules may use them."""
        return tuple(self._names)

    def listed(self, name: str, kind: Kind) -> Any:
        """The set of the entries of a list, as that kind of condition reads them: the same each time. None if no list has that
        name. What cannot be read is noted, once, with its file and line."""
        if name not in self._names:
            return None
        key = (name, kind.wants)
        if key not in self._sets:
            self._sets[key] = self._read(name, kind)
        return self._sets[key]

    def combined(self, kind: Kind, parts: list[Any]) -> Any:
        """One set of several, which takes memory of its own. Raises ValueError if there are too many entries in such sets."""
        self._combined += sum(map(size, parts))
        if self._combined > MAX_COMBINED:
            raise ValueError(
                f"rules combine lists with one another and with single values to sets of more than {MAX_COMBINED} entries in all;"
                " what stands in a list of its own, and is asked for alone, is held only once"
            )
        return kind.union(parts)

    def _add(self, name: str, path: object) -> None:
        where = ("lists", name)
        self._names[name] = False
        if not _NAME.match(name):
            self._mistakes.add(where, "the name of a list is made of letters, digits, dot, hyphen and underscore")
        if not isinstance(path, str) or not path:
            self._mistakes.add(where, f"wants the path of a file, not {quoted(path)}")
            return
        # Relative to where the config is, not to where the milter was started.
        self._paths[name] = os.path.abspath(os.path.join(os.path.dirname(self._mistakes.file), path))
        self._names[name] = self._is_readable(name, self._paths[name])

    def _is_readable(self, name: str, path: str) -> bool:
        """Look through the file, whether a rule uses the list or not. False, and noted, if it cannot be used."""
        try:
            for piece in read_lines(path):
                self._lines += len(piece.lines)
                self._octets += piece.octets
                if self._lines > MAX_LINES:
                    raise UnreadableError(f"has too many lines: {MAX_LINES} are the most in all lists together")
                if self._octets > MAX_OCTETS:
                    raise UnreadableError(f"is too large: {MAX_OCTETS} octets are the most in all lists together")
        except UnreadableError as error:
            self._complain(name, error)
            return False
        return True

    def _complain(self, name: str, error: UnreadableError) -> None:
        path = self._paths[name]
        if error.line:
            self._mistakes.add_elsewhere(Error(path, error.line, f"lists.{name}", str(error)))
        else:
            self._mistakes.add(("lists", name), f"{path} {error}")

    def _read(self, name: str, kind: Kind) -> Any:
        assert kind.collect is not None
        collector = kind.collect()
        if self._names[name]:
            try:
                self._collect(name, collector)
            except UnreadableError as error:  # it has changed since we looked through it
                self._complain(name, error)
        return collector.collected()

    def _collect(self, name: str, collector: Collector) -> None:
        path, wrong, last, lines = self._paths[name], 0, 0, 0
        for piece in read_lines(path):
            lines += len(piece.lines)
            if lines > MAX_LINES:
                raise UnreadableError("has grown while it was read")
            for line, entry in _entries(piece):
                try:
                    collector.add(entry)
                except ValueError as error:
                    wrong, last = wrong + 1, line
                    if wrong <= _MAX_MISTAKES:
                        self._mistakes.add_elsewhere(Error(path, line, f"lists.{name}", str(error)))
        if wrong > _MAX_MISTAKES:
            message = f"the last of {wrong - _MAX_MISTAKES} more entries that are wrong"
            self._mistakes.add_elsewhere(Error(path, last, f"lists.{name}", message))


def _entries(piece: Piece) -> Iterator[tuple[int, str]]:
    """The entries and their lines."""
    for number, line in enumerate(piece.lines, piece.number):
        entry = (_COMMENT.sub("", line, count=1) if "#" in line else line).strip()
        if entry:
            yield number, entry
