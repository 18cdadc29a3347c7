"""TOML text of values: what `config --show` and the sample write, and how messages quote what an admin wrote.

Pure. Writes no value that could end a line or say something else when it is read back.

TOML 1.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def text(value: Any) -> str:
    """The value on one line: string, bool, number, date, list, or table (inline)."""
    if isinstance(value, str):
        return f'"{"".join(map(_letter, value))}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key(name)} = {text(item)}' for name, item in value.items())} }}" if value else "{}"
    if isinstance(value, date):
        return value.isoformat()
    return repr(value)


def key(name: str) -> str:
    """The name as a key: bare where that is possible."""
    return name if _BARE.match(name) else text(name)


def quoted(value: Any, most: int = 60) -> str:
    """The value as a message shows it: as TOML, at most `most` characters of it."""
    if isinstance(value, str):
        value = value[: most + 1]
    elif isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "a table"
    elif isinstance(value, int) and value.bit_length() > 64:
        return "a number of that size"
    whole = text(value)
    return whole if len(whole) <= most else f"{whole[:most]}..."


def printable(line: str) -> str:
    """The text as it may stand in a line of messages: control and unprintable characters escaped."""
    return (
        line
        if line.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    )


def _letter(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
