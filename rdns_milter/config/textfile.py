"""A text file: the config, read whole, and lists, read piece by piece.

Bounded in size, and nothing that could block or never end (a pipe, a device) is opened. Says what is wrong in words for an
administrator.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

MAX_LINE = 10_000  # octets of a line of a list
_PIECE = 1 << 18  # octets
_BOM = b"\xef\xbb\xbf"


class UnreadableError(Exception):
    """The file cannot be read. `line`: where it is not UTF-8 or too long, else 0. `missing`: whether there is no such file. The
    text says why; it does not name the file."""

    def __init__(self, message: str, line: int = 0, missing: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.missing = missing


class Piece(NamedTuple):
    """Some lines of a file. `number`: of the first, from 1; `octets`: of which they were made."""

    number: int
    lines: list[str]
    octets: int


def read_text(path: str, most: int) -> str:
    """The text of a UTF-8 file of at most `most` octets, without a byte order mark. Raises UnreadableError."""
    with _opened(path) as file:
        octets = file.read(most + 1)
    if len(octets) > most:
        raise UnreadableError(f"has more than {most} octets")
    return _decoded(octets.removeprefix(_BOM), 1)


def read_lines(path: str) -> Iterator[Piece]:
    """The lines of a UTF-8 file, many at a time; never more than a piece of it is held. Raises UnreadableError."""
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
            if len(rest) > MAX_LINE:
                raise UnreadableError(f"has a line of more than {MAX_LINE} octets", number)
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


def _decoded(octets: bytes, line: int) -> str:
    """The text of the octets, of which the first stands in that line."""
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        octet = octets[error.start]
        raise UnreadableError(
            f"is not UTF-8 (octet 0x{octet:02x})", octets.count(b"\n", 0, error.start) + line
        ) from None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
