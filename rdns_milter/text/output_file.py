"""A file that a command writes whole: beside its place first, then put there in one step.

Must never overwrite what the command reads, nor follow a symbolic link to somebody else's file, nor leave half a file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from typing import TextIO

STDIN = "-"
_PRESENT = ("/dev/", "/proc/")  # where names stand for what is open already
_MODE = 0o666


class OutputError(Exception):
    """The file cannot be written; the text names it and says why. `has_begun`: what could be opened could not be written whole."""

    def __init__(self, text: str, has_begun: bool = False) -> None:
        super().__init__(text)
        self.has_begun = has_begun


@contextlib.contextmanager
def written(path: str, inputs: Iterable[str]) -> Iterator[TextIO]:
    """A file for text in ASCII, other characters as HTML has them. At the end of the context it stands at the path; where that ends
    in an error the path is left as it was. `inputs`: files that are read meanwhile ("-": standard input). Raises OutputError."""
    if "\0" in path:
        raise OutputError(f"{path!r}: no file can have this name")
    if any(_is_same(path, name) for name in inputs):
        raise OutputError(f"{path}: is read as well as written; name another file")
    has_begun = False
    try:
        with _direct(path) if _is_stream(path) else _beside(path) as file:
            has_begun = True
            yield file
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}", has_begun) from None


def _is_same(path: str, name: str) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(0) if name == STDIN else os.stat(name))
    except OSError:
        return False


def _is_stream(path: str) -> bool:
    """Whether it is there and no file that could be replaced: a pipe, a device, /dev/stdout."""
    if os.path.abspath(path).startswith(_PRESENT) and not os.path.abspath(path).startswith("/dev/shm/"):
        return True
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(0, "is a directory")
    return not stat.S_ISREG(kind)


@contextlib.contextmanager
def _direct(path: str) -> Iterator[TextIO]:
    with open(path, "w", encoding="ascii", errors="xmlcharrefreplace") as file:
        yield file


@contextlib.contextmanager
def _beside(path: str) -> Iterator[TextIO]:
    folder, name = os.path.split(path)
    if not name:
        raise IsADirectoryError(0, "is a directory")
    mode = _mode(path)
    number, beside = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=folder or ".")
    try:
        with open(number, "w", encoding="ascii", errors="xmlcharrefreplace") as file:
            yield file
            file.flush()
            os.fchmod(number, mode)
            os.fsync(number)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _mode(path: str) -> int:
    """The permissions that the file has, or a new one would have."""
    try:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            return stat.S_IMODE(found.st_mode) & _MODE
    except FileNotFoundError:
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return _MODE & ~mask
