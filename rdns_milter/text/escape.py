"""Words on their way out: text of any origin made fit for a header field or a reply.

Pure. Must never let through a control byte, a byte outside ASCII, or more than the caller allows; must never raise.

RFC 5322 3.2 (quoted-string, comment, folding, dot-atom), RFC 2045 5.1 (token).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LINE = 78  # octets that a line of a header should not exceed (RFC 5322 2.1.1)
FOLD = "\n\t"  # libmilter's convention: no CR; the MTA ends the line as it likes

ELLIPSIS = "..."
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
# A choice out of what RFC 5322 (atext) and RFC 2045 (token) allow: nothing that a reader less strict could trip over.
_ATOM = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
# Comments carry words of the sender's own making. Without "=" and ";" none can look like a result to a reader that
# searches for one instead of parsing; without parentheses, quotes and backslashes none can end before its end.
_COMMENT_UNFIT = re.compile(r"[^A-Za-z0-9 .,:/_+~*@%'{}<>\[\]?!-]")
# What stands in dot-atoms and address literals, without "=": nothing that could end a quoted-string or look like a result.
_NAME_UNFIT = re.compile(r"[^A-Za-z0-9.:\[\]!#$%&'*+/^_`{|}~-]")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def printable(text: str, limit: int) -> str:
    """The text in printable ASCII, "?" for all else; at most `limit` octets (4 at least), "..." where it was cut."""
    if len(text) > limit:
        text = text[: limit - len(ELLIPSIS)] + ELLIPSIS
    return _UNPRINTABLE.sub("?", text)


def clipped(text: str, limit: int) -> str:
    """The text, at most `limit` characters: cut between words where there are some, and then ending in "..."."""
    if len(text) <= limit:
        return text
    head = text[: limit - len(ELLIPSIS) - 1]
    space = head.rfind(" ")
    if space > limit // 2:
        head = head[:space]
    return f"{head.rstrip()} {ELLIPSIS}"


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with `{name}` replaced by its value, in one pass: what a value holds is never looked at again. Braces
    around anything else stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def quoted_string(text: str, limit: int) -> str:
    """The text as a quoted-string (RFC 5322 3.2.4); `limit` counts before quoting."""
    escaped = printable(text, limit).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def value(text: str, limit: int) -> str:
    """The text bare where that is both a token (RFC 2045) and a dot-atom (RFC 5322), else as a quoted-string."""
    return text if len(text) <= limit and _ATOM.match(text) else quoted_string(text, limit)


def quoted_name(text: str, limit: int) -> str:
    """The text, which is no valid name, as a quoted-string: "?" for all that neither name nor address literal has; `limit`
    counts without the quotes."""
    return f'"{_NAME_UNFIT.sub("?", printable(text, limit))}"'


def comment(text: str, limit: int) -> str:
    """The text as a comment (RFC 5322 3.2.2), with "?" for whatever could be taken for more than that; `limit` counts
    without the parentheses."""
    return f"({_COMMENT_UNFIT.sub('?', printable(text, limit)).strip()})"


def folded(pieces: Iterable[str], used: int) -> str:
    """The pieces in one value, a blank or a fold between them, so that lines stay within LINE where pieces allow it.
    `used`: octets that precede the first piece in its line."""
    lines = [""]
    for piece in pieces:
        glue = 1 if lines[-1] else 0
        if lines[-1] and used + len(lines[-1]) + glue + len(piece) > LINE:
            lines.append("")
            used, glue = 1, 0
        lines[-1] += " " * glue + piece
    return FOLD.join(lines)
