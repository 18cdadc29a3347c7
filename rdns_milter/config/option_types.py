"""Declare options and their types: which TOML values are valid, the Python value that each becomes, and how it is written as TOML.

Pure. `read` raises ValueError with a message for the administrator. `write` returns TOML that `read` turns into the same value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..text.toml import quoted, text
from .hints.did_you_mean import suggestion


@dataclass(frozen=True, slots=True)
class OptionType:
    """One type of option.

    `expected`: the valid values, in words, for messages and the manual page.
    `toml_types`: the Python types of the TOML value, or of each item if `is_list`.
    `read`: converts the value, or one item.
    `combine`: makes one value of the items.
    `allows_string`: True if a string stands for a list of one item, and "" for an empty list.
    `write`: returns the whole value as TOML."""

    expected: str
    toml_types: tuple[type, ...]
    read: Callable[[Any], Any]
    write: Callable[[Any], str] = text
    is_list: bool = False
    combine: Callable[[Iterable[Any]], Any] = tuple
    allows_string: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `doc`: its description; `default`: as in TOML; `unit`: of a number, "" if it has none."""

    key: str
    type: OptionType
    default: Any
    doc: str
    unit: str = ""

    def toml(self, value: Any) -> str:
        """Return the value as TOML."""
        return self.type.write(value)

    def default_toml(self) -> str:
        """Return the default as TOML, as it is written in the sample and in the manual page."""
        return self.type.write(self.default) if isinstance(self.default, int) else text(self.default)


def option(key: str, option_type: OptionType, default: Any, doc: str, unit: str = "") -> Any:
    """Declare an option as a field of a dataclass. `default`: as in TOML."""
    read = option_type.read
    value = option_type.combine(map(read, default)) if option_type.is_list else read(default)
    return field(default=value, metadata={"option": Option(key, option_type, default, doc, unit)})


def whole_number(low: int, high: int, write: Callable[[int], str] = text, hint: str = "") -> OptionType:
    """A whole number from `low` to `high`. `hint`: added to the message about a number outside."""

    def read(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"{quoted(value)} is outside {write(low)} to {write(high)}{hint}")
        return value

    return OptionType(f"a whole number from {write(low)} to {write(high)}", (int,), read, write)


def seconds(maximum: float, hint: str = "") -> OptionType:
    """A number of seconds above 0, up to `maximum`. `hint`: added to the message about a greater number."""

    def read(value: float) -> float:
        if value > maximum:
            raise ValueError(f"{quoted(value)} is above {maximum:g} seconds{hint}")
        if not value > 0:
            raise ValueError(f"{quoted(value)} is not above 0")
        return float(value)

    return OptionType(f"a number of seconds above 0, up to {maximum:g}", (int, float), read)


def boolean() -> OptionType:
    """true or false."""
    return OptionType("true or false", (bool,), bool)


def one_of(*valid: str) -> OptionType:
    """One of these words."""

    def read(value: str) -> str:
        if value not in valid:
            raise ValueError(f"{quoted(value)} is not valid{suggestion(value, valid)}")
        return value

    return OptionType(f"one of {', '.join(map(quoted, valid))}", (str,), read)


def matching(expected: str, pattern: str) -> OptionType:
    """A string that matches the whole pattern, or the empty string."""
    compiled = re.compile(pattern)

    def read(value: str) -> str:
        if value and not compiled.fullmatch(value):
            raise ValueError(f"{quoted(value)} is not {expected}")
        return value

    return OptionType(f'{expected}, or ""', (str,), read)


def string(expected: str, read: Callable[[str], Any], write: Callable[[Any], str] = str) -> OptionType:
    """A string with its own functions to read and to write it."""
    return OptionType(expected, (str,), read, lambda value: text(write(value)))


def optional(option_type: OptionType) -> OptionType:
    """A string of that type, or the empty string, which becomes None."""
    return OptionType(
        f'{option_type.expected}, or ""',
        option_type.toml_types,
        lambda value: option_type.read(value) if value else None,
        lambda value: text("") if value is None else option_type.write(value),
    )


def list_of(
    expected: str,
    read: Callable[[str], Any],
    write: Callable[[Any], str] = str,
    combine: Callable[[Iterable[Any]], Any] = tuple,
) -> OptionType:
    """A list of strings, with functions to read and to write one of them."""
    return OptionType(
        f"a list of {expected}", (str,), read, lambda values: text([write(value) for value in values]), True, combine
    )


def one_or_list_of(expected: str, read: Callable[[str], str]) -> OptionType:
    """A string with its own function to read it, a list of such strings, or the empty string, which becomes no value."""

    def write(values: tuple[str, ...]) -> str:
        return text(list(values)) if len(values) > 1 else text("".join(values))

    return OptionType(f'{expected}, a list of them, or ""', (str,), read, write, is_list=True, allows_string=True)


def octal(number: int) -> str:
    """Return a file mode as TOML."""
    return f"0o{number:o}"
