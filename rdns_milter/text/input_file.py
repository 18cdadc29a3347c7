"""Read text files that the administrator writes: the configuration as a whole, lists piece by piece.

Limits the size, and opens only regular files: reading a pipe or a device could block or never end. Errors are in words for the
administrator.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

MAX_LIST_LINE = 10_000  # bytes of a line of a list
_PIECE = 1 << 18  # bytes
_BOM = b"\xef\xbb\xbf"


class UnreadableError(Exception):
    """The file cannot be read. The text gives the reason without the file's name. `line`: the number of the line that is not UTF-8
    or is too long, else 0; `missing`: True if the file does not exist."""

    def __init__(self, message: str, line: int = 0, missing: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.missing = missing


class Piece(NamedTuple):
    """Consecutive lines of a file. `number`: of the first line, from 1; `size`: in bytes."""

    number: int
    lines: list[str]
    size: int


def read_text(path: str, limit: int) -> str:
    """Return the text of a UTF-8 file of at most `limit` bytes, without a byte order mark. Raises UnreadableError."""
    with _opened(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise UnreadableError(f"has more than {limit} bytes")
    return _decoded(content.removeprefix(_BOM), 1)


def read_lines(path: str) -> Iterator[Piece]:
    """Yield the lines of a UTF-8 file in pieces; only one piece at a time is in memory. Raises UnreadableError."""
    number, rest = 1, b""
    with _opened(path) as file:
        while piece := file.read(_PIECE):
            if number == 1 and not rest:
                piece = piece.removeprefix(_BOM)
            whole, newline, rest = (rest + piece).rpartition(b"\n")
            if newline:
                lines = _decoded(whole, number).split("\n")
                yield Piece(number, lines, len(whole) + 1)
                number += len(lines)
            if len(rest) > MAX_LIST_LINE:
                raise UnreadableError(f"has a line of more than {MAX_LIST_LINE} bytes", number)
    if rest:
        yield Piece(number, [_decoded(rest, number)], len(rest))


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("is not a regular file")
            yield file
    except IsADirectoryError:
        raise UnreadableError("is a directory") from None
    except FileNotFoundError:
        raise UnreadableError("does not exist", missing=True) from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the path
        raise UnreadableError(f"cannot be read: {error}") from None


def _decoded(content: bytes, line: int) -> str:
    """Decode the bytes, which begin on that line. Raises UnreadableError."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise UnreadableError(
            f"is not UTF-8 (byte 0x{byte:02x})", content.count(b"\n", 0, error.start) + line
        ) from None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
