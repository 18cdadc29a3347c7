"""Write values as TOML: for `config --show`, the sample, and messages that quote the configuration.

Pure. Each value takes one line and reads back as the same value.

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
    """Return the value as TOML on one line: a string, boolean, number, date, list, or table (inline)."""
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
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
    """Return the name as a TOML key, bare where possible."""
    return name if _BARE.match(name) else text(name)


def quoted(value: Any, limit: int = 60) -> str:
    """Return the value as a message quotes it: as TOML, at most `limit` characters of it; lists, tables and huge numbers are only
    named as such."""
    if isinstance(value, str):
        value = value[: limit + 1]
    elif isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "a table"
    elif isinstance(value, int) and value.bit_length() > 64:
        return "a number of that size"
    whole = text(value)
    return whole if len(whole) <= limit else f"{whole[:limit]}..."


def _character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
