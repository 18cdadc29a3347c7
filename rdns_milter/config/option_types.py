"""Kinds of options: what an admin may write, what it becomes, and how it is written again.

Pure. A kind's reader raises ValueError with a sentence for the admin; what it returns, its writer turns back into TOML that
reads as the same value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..text.toml import quoted, text
from .errors import nearest


@dataclass(frozen=True, slots=True)
class Kind:
    """`wants`: what is asked for, for messages and the manual; `types`: of the TOML value, or of each item if `many`; `read`: the
    value or item that it becomes; `gather`: what the items become together; `alone`: whether a text alone is a list of one, the
    empty text a list of none; `write`: the TOML of the whole."""

    wants: str
    types: tuple[type, ...]
    read: Callable[[Any], Any]
    write: Callable[[Any], str] = text
    many: bool = False
    gather: Callable[[Iterable[Any]], Any] = tuple
    alone: bool = False


def whole(low: int, high: int, write: Callable[[int], str] = text, advice: str = "") -> Kind:
    """A whole number from low to high. `advice`: what is said of one outside."""

    def read(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"{quoted(value)} is outside {write(low)} to {write(high)}{advice}")
        return value

    return Kind(f"a whole number from {write(low)} to {write(high)}", (int,), read, write)


def seconds(most: float, advice: str = "") -> Kind:
    """A number above 0 and not above `most`."""

    def read(value: float) -> float:
        if value > most:
            raise ValueError(f"{quoted(value)} is above {most:g} seconds{advice}")
        if not value > 0:
            raise ValueError(f"{quoted(value)} is not above 0")
        return float(value)

    return Kind(f"a number of seconds above 0, up to {most:g}", (int, float), read)


def truth() -> Kind:
    """True or false."""
    return Kind("true or false", (bool,), bool)


def word(*valid: str) -> Kind:
    """One of some words."""

    def read(value: str) -> str:
        if value not in valid:
            raise ValueError(f"{quoted(value)} is not valid{nearest(value, valid)}")
        return value

    return Kind(f"one of {', '.join(map(quoted, valid))}", (str,), read)


def matching(wants: str, pattern: str) -> Kind:
    """A text that matches the whole pattern, or the empty text."""
    compiled = re.compile(pattern)

    def read(value: str) -> str:
        if value and not compiled.fullmatch(value):
            raise ValueError(f"{quoted(value)} is not {wants}")
        return value

    return Kind(f'{wants}, or ""', (str,), read)


def parsed(wants: str, read: Callable[[str], Any], write: Callable[[Any], str] = str) -> Kind:
    """A text that a function reads, and another writes."""
    return Kind(wants, (str,), read, lambda value: text(write(value)))


def optional(kind: Kind) -> Kind:
    """The same, or the empty text, which becomes None."""
    return Kind(
        f'{kind.wants}, or ""',
        kind.types,
        lambda value: kind.read(value) if value else None,
        lambda value: text("") if value is None else kind.write(value),
    )


def several(
    wants: str,
    read: Callable[[str], Any],
    write: Callable[[Any], str] = str,
    gather: Callable[[Iterable[Any]], Any] = tuple,
) -> Kind:
    """A list of texts, each read by a function."""
    return Kind(
        f"a list of {wants}", (str,), read, lambda values: text([write(value) for value in values]), True, gather
    )


def one_or_several(wants: str, read: Callable[[str], str]) -> Kind:
    """A text that a function reads, a list of such, or the empty text, which is none."""

    def write(values: tuple[str, ...]) -> str:
        return text(list(values)) if len(values) > 1 else text("".join(values))

    return Kind(f'{wants}, a list of them, or ""', (str,), read, write, many=True, alone=True)


def octal(number: int) -> str:
    """A file mode as TOML."""
    return f"0o{number:o}"
