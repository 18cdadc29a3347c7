"""Make text from an untrusted source safe to write: into a header field, a reply, a terminal, or a line of messages.

Pure. Functions that escape or quote must never let through a control character, nor more characters than the caller allows; nothing
here may raise. All that is escaped or quoted is ASCII, except by `one_line`. Log lines have escapes of their own, which can be read
back (logs/escapes.py); so has TOML (text/toml.py).

RFC 5322 3.2 (quoted-string, comment, folding, dot-atom), RFC 2045 5.1 (token, value).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MAX_ESCAPED = 500  # characters
LINE = 78  # characters that a line of a header should not exceed (RFC 5322 2.1.1)
FOLD = "\n\t"  # without CR: libmilter's convention; the MTA writes its own line ending

ELLIPSIS = "..."
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
# A subset of what RFC 5322 (atext) and RFC 2045 (token) allow, so that less strict parsers read it correctly, too.
_ATOM = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
# The sender chooses words that go into comments. Without "=" and ";" such a word cannot look like a result to a program that
# searches instead of parsing; without parentheses, quotes and backslashes it cannot end the comment.
_COMMENT_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:/_+~*@%'{}<>\[\]?!-]")
# The characters of dot-atoms and address literals, without "=": none can end a quoted-string or look like a result.
_NAME_UNSAFE = re.compile(r"[^A-Za-z0-9.:\[\]!#$%&'*+/^_`{|}~-]")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def printable(text: str, limit: int) -> str:
    """Return the text in printable ASCII, with "?" for each other character. More than `limit` characters (4 at least) are cut, and
    the result ends in "..."."""
    if len(text) > limit:
        text = text[: limit - len(ELLIPSIS)] + ELLIPSIS
    return _UNPRINTABLE.sub("?", text)


def escaped(text: str, limit: int = MAX_ESCAPED) -> str:
    """Return the text in printable ASCII, with a Python escape for each other character, so that it is harmless on a terminal and
    on a page. More than `limit` characters, counted before escaping, are cut, and the result ends in "..."."""
    if len(text) > limit:
        text = text[: limit - len(ELLIPSIS)] + ELLIPSIS
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return the text with an escape for each unprintable character. Printable characters outside ASCII stay: for messages to the
    administrator about a file that may hold them."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def clipped(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text, cut between two words where possible; if it was cut it ends in "..."."""
    if len(text) <= limit:
        return text
    head = text[: limit - len(ELLIPSIS) - 1]
    space = head.rfind(" ")
    if space > limit // 2:
        head = head[:space]
    return f"{head.rstrip()} {ELLIPSIS}"


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return the template with each `{name}` replaced by its value, in one pass: placeholders inside a value are not replaced.
    Braces around an unknown name stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def quoted_string(text: str, limit: int) -> str:
    """Return the text as a quoted-string (RFC 5322 3.2.4). `limit`: characters before quoting."""
    content = printable(text, limit).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{content}"'


def value(text: str, limit: int) -> str:
    """Return the text as a value of RFC 2045 5.1: bare if it is both a token and a dot-atom (RFC 5322), else a quoted-string."""
    return text if len(text) <= limit and _ATOM.match(text) else quoted_string(text, limit)


def quoted_name(text: str, limit: int) -> str:
    """Return a text that is not a valid name as a quoted-string, with "?" for each character that occurs neither in names nor in
    address literals. `limit`: characters without the quotes."""
    return f'"{_NAME_UNSAFE.sub("?", printable(text, limit))}"'


def comment(text: str, limit: int) -> str:
    """Return the text as a comment (RFC 5322 3.2.2), with "?" for each character that could end it or look like a result. `limit`:
    characters without the parentheses."""
    return f"({_COMMENT_UNSAFE.sub('?', printable(text, limit)).strip()})"


def folded(pieces: Iterable[str], used: int) -> str:
    """Join the pieces with a space, or with a fold where the line would exceed LINE. A piece that is longer than a line is not
    divided. `used`: characters before the first piece in its line."""
    lines = [""]
    for piece in pieces:
        glue = 1 if lines[-1] else 0
        if lines[-1] and used + len(lines[-1]) + glue + len(piece) > LINE:
            lines.append("")
            used, glue = 1, 0
        lines[-1] += " " * glue + piece
    return FOLD.join(lines)
