"""Standard input, output and error as a command finds them: closed, full, or unable to hold all characters.

Whatever they are, the command says what is wrong in one sentence, or goes on. Must never lose output without saying so.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from types import MappingProxyType
from typing import TextIO

_HANDLER = "rdns_milter.plain"
# What text/terminal.py and rich draw with, for those who have nothing but ASCII.
_DRAWN = MappingProxyType(dict.fromkeys("█▉▊▋▌▐▇▆▅", "#") | dict.fromkeys("▍▎▏▄▃▂▁━─", "-") | {"…": ".", "·": "."})
# An error without a file's name that is about what was being written.
_OF_OUTPUT = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EINVAL))


def prepare() -> None:
    """Make them fit to be used. What is closed becomes /dev/null, so that no file that is opened later takes its place; to write to
    standard output is an error then."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _fill(number, flags)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    codecs.register_error(_HANDLER, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def flush() -> None:
    """Write what is still in the buffer of standard output. Raises OSError."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def discard() -> None:
    """Forget what standard output would not take: Python would try again at the end, and complain."""
    _forget(sys.stdout)


def discard_errors() -> None:
    """Forget what standard error would not take: Python would try again at the end, and change the exit status."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _forget(sys.stderr)


def sentence(error: OSError) -> str:
    """What the system has against us, and where."""
    why = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {why}"
    why = "is closed" if error.errno == errno.EBADF else why
    return f"standard output: {why}" if error.errno in _OF_OUTPUT else why


def _forget(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()


def _fill(number: int, flags: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, flags)
            if null != number:
                os.dup2(null, number)
                os.close(null)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Characters that a stream cannot hold: bars as ASCII, all else escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_DRAWN.get(letter) or ascii(letter)[1:-1] for letter in letters), error.end
