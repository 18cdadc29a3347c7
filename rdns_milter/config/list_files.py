"""Read named lists from their files: one entry a line, "#" begins a comment, blank lines are ignored.

The meaning of an entry depends on the condition that uses the list. So a list is read once for each type of condition that uses it.
A file is never in memory as a whole: it is read piece by piece into a set, which all rules share. Number and size of the lists are
limited.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..text.input_file import Piece, UnreadableError, read_lines
from ..text.toml import quoted
from .condition_types import ConditionType, size
from .errors import Error, ErrorCollector
from .set_collectors import Collector

MAX_LISTS = 100
MAX_LINES = 2_000_000  # of all lists together
MAX_BYTES = 100_000_000  # of all lists together
MAX_COMBINED = 2_000_000  # entries of all sets made of several lists, or of a list and single values
_MAX_ERRORS = 20  # reported for one list
# Only at the start of a word: the local part of a mailbox may contain "#".
_COMMENT = re.compile(r"(?:\A|\s)#.*")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class ListFile(NamedTuple):
    """The name by which rules use a list, and the absolute path of its file."""

    name: str
    path: str


class Lists:
    """The lists of a configuration and their content."""

    def __init__(self, table: object, errors: ErrorCollector) -> None:
        self._errors = errors
        self._readable: dict[str, bool] = {}  # whether the file can be read, by the list's name
        self._paths: dict[str, str] = {}
        self._sets: dict[tuple[str, ConditionType], Any] = {}
        self._lines = self._bytes = self._combined = 0
        if not isinstance(table, dict):
            errors.add(("lists",), 'must be a table: [lists], and below it lines such as partners = "partners.cidr"')
        elif len(table) > MAX_LISTS:
            errors.add(("lists",), f"has {len(table)} lists; the maximum is {MAX_LISTS}")
        else:
            for name, path in table.items():
                self._add(name, path)

    @property
    def files(self) -> tuple[ListFile, ...]:
        """Name and path of each list, in the order of the configuration."""
        return tuple(ListFile(name, path) for name, path in self._paths.items())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the lists."""
        return tuple(self._readable)

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of the lists that no condition has asked for."""
        used = {name for name, _ in self._sets}
        return tuple(name for name in self._paths if name not in used)

    def listed(self, name: str, condition_type: ConditionType) -> Any:
        """Return the entries of a list as a set, read as this type of condition reads them. Return None if there is no such list.
        Each call returns the same set. Invalid entries are added to the errors, each once."""
        if name not in self._readable:
            return None
        key = (name, condition_type)
        if key not in self._sets:
            self._sets[key] = self._read(name, condition_type)
        return self._sets[key]

    def combined(self, condition_type: ConditionType, parts: list[Any]) -> Any:
        """Return the union of several sets, which needs memory of its own. Raises ValueError if all such unions together have too
        many entries."""
        self._combined += sum(map(size, parts))
        if self._combined > MAX_COMBINED:
            raise ValueError(
                f"rules combine lists with each other and with single values: such sets have more than {MAX_COMBINED} entries in"
                " all; use one list without other values in the condition, because it needs no further memory"
            )
        return condition_type.union(parts)

    def _add(self, name: str, path: object) -> None:
        where = ("lists", name)
        self._readable[name] = False
        if not _NAME.match(name):
            self._errors.add(where, "the name of a list has only letters, digits, dots, hyphens and underscores")
        if not isinstance(path, str) or not path:
            self._errors.add(where, f"must be the path of a file, not {quoted(path)}")
            return
        # Relative to the configuration file, not to the working directory.
        self._paths[name] = os.path.abspath(os.path.join(os.path.dirname(self._errors.file), path))
        self._readable[name] = self._is_readable(name, self._paths[name])

    def _is_readable(self, name: str, path: str) -> bool:
        """Read the whole file, even if no rule uses the list. If it cannot be used, add an error and return False."""
        try:
            for piece in read_lines(path):
                self._lines += len(piece.lines)
                self._bytes += piece.size
                if self._lines > MAX_LINES:
                    raise UnreadableError(f"has too many lines: the maximum of all lists together is {MAX_LINES}")
                if self._bytes > MAX_BYTES:
                    raise UnreadableError(f"is too large: the maximum of all lists together is {MAX_BYTES} bytes")
        except UnreadableError as error:
            self._add_error(name, error)
            return False
        return True

    def _add_error(self, name: str, error: UnreadableError) -> None:
        path = self._paths[name]
        if error.line:
            self._errors.add_error(Error(path, error.line, f"lists.{name}", str(error)))
        else:
            self._errors.add(("lists", name), f"{path} {error}")

    def _read(self, name: str, condition_type: ConditionType) -> Any:
        assert condition_type.collector is not None
        collector = condition_type.collector()
        if self._readable[name]:
            try:
                self._collect(name, collector)
            except UnreadableError as error:  # the file has changed since _is_readable
                self._add_error(name, error)
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
                    if wrong <= _MAX_ERRORS:
                        self._errors.add_error(Error(path, line, f"lists.{name}", str(error)))
        if wrong > _MAX_ERRORS:
            message = f"the last of {wrong - _MAX_ERRORS} more invalid entries"
            self._errors.add_error(Error(path, last, f"lists.{name}", message))


def _entries(piece: Piece) -> Iterator[tuple[int, str]]:
    """Yield each entry with its line."""
    for number, line in enumerate(piece.lines, piece.number):
        entry = (_COMMENT.sub("", line, count=1) if "#" in line else line).strip()
        if entry:
            yield number, entry
