"""Find the line of each key of a TOML document, for messages: the parser of the standard library does not report it.

Pure. Reads only documents that the parser has accepted, and validates nothing. Must never raise: where it cannot follow the
document, a key has the line of the key or table around it.

TOML 1.0.0.
"""

from __future__ import annotations

import bisect
import re
import tomllib

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_ATOM = re.compile(r"[^,\]}#\n]+")
_MAX_DEPTH = 16  # of nested lists and tables; deeper keys have the line of the value around them


class Positions:
    """The lines of the keys of a document. A path consists of keys and, within lists, of indices from 0."""

    def __init__(self, text: str = "") -> None:
        self._lines: dict[Path, int] = _Scanner(text).scan() if text else {}

    def line(self, path: Path) -> int:
        """Return the line, from 1, of the key or else of the nearest key or table around it; 0 if there is none."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 0


class _LostError(Exception):
    """The scanner cannot follow the document."""


class _Scanner:
    """Scan the document once, from start to end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}  # of the arrays of tables so far

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        try:
            self._skip(_BLANK)
            while self._at < len(self._text):
                if self._text.startswith("[", self._at):
                    table = self._header()
                else:
                    self._pair(table, 0)
                self._skip(_BLANK)
        except (_LostError, ValueError):
            pass
        return self._lines

    def _header(self) -> Path:
        """Read [table] or [[array of tables]], and return the path of the table that it opens."""
        line, double = self._line(), self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        path: Path = ()
        names = self._names()
        for name in names[:-1]:
            path = self._inside((*path, name))
            self._lines.setdefault(path, line)
        path = (*path, names[-1])
        if double:
            self._lines.setdefault(path, line)
            count = self._lengths[path] = self._lengths.get(path, 0) + 1
            path = (*path, count - 1)
        else:
            path = self._inside(path)
        self._lines.setdefault(path, line)
        self._at += 2 if double else 1
        return path

    def _inside(self, path: Path) -> Path:
        """Return the path of the table that a key in a header refers to. If the key names an array of tables, this is its last
        table."""
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _pair(self, table: Path, depth: int) -> None:
        line, path = self._line(), table
        for name in self._names():
            path = (*path, name)
            self._lines.setdefault(path, line)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path, depth)

    def _names(self) -> list[str]:
        """Read a dotted key and return its parts."""
        names = []
        while True:
            self._skip(_SPACE)
            token = self._take(_KEY)
            names.append(next(iter(tomllib.loads(f"{token} = 0"))) if token[0] in "\"'" else token)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return names
            self._at += 1

    def _value(self, path: Path, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise _LostError
        first = self._text[self._at : self._at + 1]
        if first == "[":
            self._items(path, "]", depth)
        elif first == "{":
            self._items(path, "}", depth)
        elif first and first in "\"'":
            self._take(_STRING)
        else:
            self._take(_ATOM)

    def _items(self, path: Path, end: str, depth: int) -> None:
        """Read the content of a list or of an inline table."""
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while not self._text.startswith(end, self._at):
            if end == "]":
                self._lines.setdefault((*path, index), self._line())
                self._value((*path, index), depth + 1)
                index += 1
            else:
                self._pair(path, depth + 1)
            self._skip(_BLANK)
            if self._text.startswith(",", self._at):
                self._at += 1
                self._skip(_BLANK)
            elif not self._text.startswith(end, self._at):
                raise _LostError
        self._at += 1

    def _line(self) -> int:
        return bisect.bisect_left(self._newlines, self._at) + 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None  # these patterns match the empty string
        self._at = match.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _LostError
        self._at = match.end()
        return match[0]

    def _expect(self, character: str) -> None:
        if not self._text.startswith(character, self._at):
            raise _LostError
        self._at += 1
