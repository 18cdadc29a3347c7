"""A text file, read whole: config and lists.

Bounded in size, and nothing that could block or never end (a pipe, a device) is opened. Says what is wrong in words for an
admin.
"""

from __future__ import annotations

import os
import stat


class UnreadableError(Exception):
    """The file cannot be read. `line`: where it is not UTF-8, else 0. `missing`: whether there is no such file. The text says
    why; it does not name the file."""

    def __init__(self, message: str, line: int = 0, missing: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.missing = missing


def read_text(path: str, most: int) -> str:
    """The text of a UTF-8 file of at most `most` octets, without a byte order mark. Raises UnreadableError."""
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("is not a regular file")
            octets = file.read(most + 1)
    except IsADirectoryError:
        raise UnreadableError("is a directory") from None
    except FileNotFoundError:
        raise UnreadableError("does not exist", missing=True) from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the path
        raise UnreadableError(f"cannot be read: {error}") from None
    if len(octets) > most:
        raise UnreadableError(f"has more than {most} octets")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        octet = octets[error.start]
        raise UnreadableError(f"is not UTF-8 (octet 0x{octet:02x})", octets.count(b"\n", 0, error.start) + 1) from None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
