"""Explain why a file is not valid TOML: name the line and, if the mistake is a common one, give a hint.

Pure. Line and hint depend on the wording of the messages of the standard library's parser. If that changes, there is still a
message, without them.

TOML 1.0.0.
"""

from __future__ import annotations

import re
from datetime import date

from ...text.toml import quoted
from ..errors import Error
from .date_hints import date_hint

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_UNTIL = re.compile(r"\s*until\s*=\s*([^\"'#]*?)\s*(?:#.*)?\Z")
# Common mistakes in TOML: the start of the parser's message, the text at the position that it names, and a hint.
_HINTS = (
    ("Invalid value", re.compile(r"[A-Za-z@/.]"), "write strings in quotes"),
    ("Expected newline", re.compile(r"(?<=[= ]0)[0-7]+"), "write octal numbers with 0o, as in 0o660"),
    ("Expected newline", re.compile(r"[0-9A-Za-z.:/]"), "write strings in quotes, addresses too"),
    ("Invalid initial character", re.compile(r"\s*(?:#.*)?\Z"), "write a table in braces on one line"),
    ("Unclosed inline table", re.compile(r"\s*(?:#.*)?\Z"), "write a table in braces on one line"),
)


def syntax_error(document: str, path: str, message: str, today: date) -> Error:
    """Return the error for a message of the parser: with its line, and a hint if there is one."""
    place = _PLACE.search(message)
    if place is None:
        return Error(path, 0, "", f"not valid TOML: {message}")
    problem, lines = message[: place.start()], document.split("\n")
    if place[1] is None:
        return Error(
            path, len(document.rstrip("\n").split("\n")), "", f"not valid TOML: {problem}, and the file ends here"
        )
    line, column = int(place[1]), int(place[2])
    written = lines[line - 1] if line <= len(lines) else ""
    hints = (hint for start, found, hint in _HINTS if problem.startswith(start) and found.match(written, column - 1))
    hint = f" ({hint})" if "=" in written[:column] and (hint := next(hints, "")) else ""
    if (until := _UNTIL.match(written)) and "date" not in problem.lower().partition("expected")[0]:
        hint = date_hint(until[1], today)
    return Error(path, line, "", f"not valid TOML: {problem} at column {column}{hint}: {quoted(written.strip())}")
