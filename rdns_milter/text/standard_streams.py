"""Make standard input, output and error usable in any state: closed, full, or in an encoding that lacks characters.

A command reports such a problem in one sentence, or goes on. Must never lose output without a message.
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

from .escape import escaped

_HANDLER = "rdns_milter.ascii"
# ASCII for the characters with which text/terminal.py and rich draw.
_DRAWN = MappingProxyType(dict.fromkeys("█▉▊▋▌▐▇▆▅", "#") | dict.fromkeys("▍▎▏▄▃▂▁━─", "-") | {"…": ".", "·": "."})
# With these an OSError that names no file comes from writing to standard output.
_OUTPUT_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EINVAL))


def prepare() -> None:
    """Make the three streams usable. A closed one is opened on /dev/null, so that no other file gets its descriptor. A closed
    standard output gets a read-only descriptor: writing to it stays an error."""
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _open_if_closed(fd, flags)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    codecs.register_error(_HANDLER, _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def flush() -> None:
    """Write the buffer of standard output. Raises OSError."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def discard() -> None:
    """Discard what standard output did not accept. Otherwise Python would try again at exit and print a traceback."""
    _discard(sys.stdout)


def discard_errors() -> None:
    """Discard what standard error did not accept. Otherwise Python would try again at exit and change the exit status."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)


def describe(error: OSError) -> str:
    """Return the error in one sentence, with the file or stream that it is about."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {reason}"
    reason = "is closed" if error.errno == errno.EBADF else reason
    return f"standard output: {reason}" if error.errno in _OUTPUT_ERRORS else reason


def _discard(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()


def _open_if_closed(fd: int, flags: int) -> None:
    try:
        os.fstat(fd)
    except OSError:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, flags)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Error handler of a codec: replace characters of bars by ASCII, and escape the others."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_DRAWN.get(each) or escaped(each) for each in characters), error.end
