"""Read log files as lines of text: plain, gzip, bzip2, xz, and standard input; recognize the formats that other modules read.

A stream: holds one line, of which at most MAX_INPUT_LINE bytes. Knows nothing of the contents but their first bytes. Bytes that
are not UTF-8 survive (PEP 383). Must never raise on damaged data: it ends the file, and is reported in `troubles`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import BinaryIO, cast

from . import docker_json, journal_export

MAX_INPUT_LINE = 65_536  # bytes; rsyslog's own limit is 8 KiB
STDIN = "-"

_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
# By the first bytes of a file.
_COMPRESSED: Mapping[bytes, Callable[[BinaryIO], BinaryIO]] = MappingProxyType(
    {
        b"\x1f\x8b": lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
        b"BZh": lambda file: cast(BinaryIO, bz2.BZ2File(file)),
        b"\xfd7zXZ\x00": lambda file: cast(BinaryIO, lzma.LZMAFile(file)),  # noqa: SIM115 - closed with the file
    }
)
# By the first bytes of a file that is not compressed, or of what was unpacked.
_FORMATS: Mapping[bytes, Callable[[BinaryIO], Iterator[str]]] = MappingProxyType(
    {journal_export.MAGIC: journal_export.lines, docker_json.MAGIC: docker_json.lines}
)


class UnreadableLogError(Exception):
    """A log file cannot be read. The text names the file and the reason."""


class Logs:
    """Log files, read one after the other. `size`: bytes of all files, 0 if not known; `troubles`: one sentence for each file that
    could not be read to its end. Raises UnreadableLogError at once if one of the files cannot be opened."""

    def __init__(self, paths: Sequence[str], stdin: BinaryIO | None = None) -> None:
        self._paths = tuple(paths)
        self._stdin = stdin
        self._read = 0
        self._raw: BinaryIO | None = None
        self.troubles: list[str] = []
        if STDIN in self._paths and stdin is None and sys.stdin is None:
            raise UnreadableLogError(f"{STDIN}: standard input is closed")
        sizes = [_size(path) for path in self._paths]
        self.size = sum(sizes) if all(sizes) else 0

    @property
    def position(self) -> int:
        """The number of bytes read so far, of `size`."""
        if self._raw is not None and not self._raw.closed:
            with suppress(OSError, ValueError):
                return self._read + self._raw.tell()
        return self._read

    def __iter__(self) -> Iterator[str]:
        """Yield the lines without their line ends."""
        for path in self._paths:
            try:
                with self._open(path) as file:
                    self._raw = file
                    yield from _lines(_unpacked(file))
                    self._read = self.position
            except _DAMAGE as error:
                self.troubles.append(f"{path}: cannot be read to its end: {error or type(error).__name__}")

    def _open(self, path: str) -> BinaryIO:
        if path != STDIN:
            return open(path, "rb")
        stream = self._stdin if self._stdin is not None else sys.stdin.buffer
        # Closing the copy leaves the caller's stream open.
        return stream if isinstance(stream, io.BytesIO) else open(os.dup(stream.fileno()), "rb")


def _lines(file: BinaryIO) -> Iterator[str]:
    """Return the lines of a file by its format: one of _FORMATS, else plain text."""
    for magic, lines in _FORMATS.items():
        if _begins(file, magic):
            return lines(file)
    return _plain_lines(file)


def _plain_lines(file: BinaryIO) -> Iterator[str]:
    readline = file.readline
    while line := readline(MAX_INPUT_LINE):
        if len(line) == MAX_INPUT_LINE and line[-1] != 10:
            while (rest := readline(MAX_INPUT_LINE)) and rest[-1] != 10:
                pass
        yield line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def _size(path: str) -> int:
    """Return the size of a file in bytes, 0 for a pipe or a device. Raises UnreadableLogError."""
    if path == STDIN:
        return 0
    try:
        found = os.stat(path)
        if os.path.isdir(path):
            raise IsADirectoryError(0, "is a directory")
        if not os.access(path, os.R_OK):
            raise PermissionError(0, "permission denied")
    except (OSError, ValueError) as error:
        raise UnreadableLogError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return found.st_size


def _unpacked(file: BinaryIO) -> BinaryIO:
    for magic, unpack in _COMPRESSED.items():
        if _begins(file, magic):
            return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, unpack(file)), 1 << 17))
    return file


def _begins(file: BinaryIO, magic: bytes) -> bool:
    if isinstance(file, io.BufferedReader):
        return file.peek(len(magic)).startswith(magic)
    begin = file.tell()
    head = file.read(len(magic))
    file.seek(begin)
    return head == magic
