"""The section [generic]: which reverse names look generic, in addition to those that the built-in indicators find.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ..option_types import list_of, option
from ..value_parsers import read_name, read_pattern


@dataclass(frozen=True, slots=True)
class GenericNames:
    """[generic]. `exceptions`: canonical names without a leading dot; each includes all names below it."""

    doc: ClassVar[str] = (
        "Which reverse names look generic: names of address pools, dial-up and broadband lines (the fact generic)."
    )

    patterns: tuple[re.Pattern[str], ...] = option(
        "patterns",
        list_of("regular expressions", read_pattern, lambda pattern: pattern.pattern),
        [],
        "Regular expressions in Python's syntax, in addition to the built-in patterns. They match anywhere in the name, in upper or"
        " lower case. A pattern that needs more than 10 ms for one of the names it is tried with is an error.",
    )
    exceptions: tuple[str, ...] = option(
        "exceptions",
        list_of("names", lambda value: read_name(value).removeprefix(".")),
        [],
        'Domains whose names are never generic: "example.com" stands for itself and for all names below it.',
    )
