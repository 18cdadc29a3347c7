"""An output file that a command writes as a whole: under a temporary name in the same directory, then renamed.

Must never overwrite a file that the command reads, follow a symbolic link to another user's file, or leave half a file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from typing import TextIO

STDIN = "-"
_OPEN_FILES = ("/dev/", "/proc/")  # names below these may stand for a file that is already open
_MODE = 0o666


class OutputError(Exception):
    """The file cannot be written. The text names it and gives the reason. `has_begun`: the file could be opened, but not be written
    completely."""

    def __init__(self, text: str, has_begun: bool = False) -> None:
        super().__init__(text)
        self.has_begun = has_begun


@contextlib.contextmanager
def open_output(path: str, inputs: Iterable[str]) -> Iterator[TextIO]:
    """Yield a file for ASCII text; other characters become HTML character references. It is put at the path when the context ends;
    after an error the path is as before. `inputs`: files that are read meanwhile ("-": standard input). Raises OutputError."""
    if "\0" in path:
        raise OutputError(f"{path!r} is not a valid file name")
    if any(_is_same(path, name) for name in inputs):
        raise OutputError(f"{path}: is read as well as written; name another file")
    has_begun = False
    try:
        with _direct(path) if _is_stream(path) else _replacing(path) as file:
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
    """Return whether the path exists and cannot be replaced by a file: a pipe, a device, /dev/stdout."""
    if os.path.abspath(path).startswith(_OPEN_FILES) and not os.path.abspath(path).startswith("/dev/shm/"):
        return True
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "is a directory")
    return not stat.S_ISREG(mode)


@contextlib.contextmanager
def _direct(path: str) -> Iterator[TextIO]:
    with open(path, "w", encoding="ascii", errors="xmlcharrefreplace") as file:
        yield file


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[TextIO]:
    """Yield a temporary file that replaces the path at the end."""
    directory, name = os.path.split(path)
    if not name:
        raise IsADirectoryError(0, "is a directory")
    mode = _mode(path)
    fd, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=directory or ".")
    try:
        with open(fd, "w", encoding="ascii", errors="xmlcharrefreplace") as file:
            yield file
            file.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode(path: str) -> int:
    """Return the permissions of the file, or those that a new file would get."""
    try:
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return stat.S_IMODE(status.st_mode) & _MODE
    except FileNotFoundError:
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return _MODE & ~mask
