"""Authentication-Results that came with the message: which of them would pass for ours?

Pure. Reads what nobody has vouched for: never raises, and costs time in proportion to its length. It is read as strictly
as RFC 8601 has it, and also as sloppily as some reader further on might: a field is a forgery if any reading finds our
authserv-id in front. Who is so mistaken for us loses a field that nobody could have trusted.

RFC 8601 5 (removal of claims to our identifier, and of versions that we do not know), 2.2 (syntax), RFC 2047 (encoded words).
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterator, Sequence

# Linear: each alternative starts with another character, and none can fail after the first.
_PIECES = re.compile(r'\\.?|[()"]|[^\\()"]+', re.DOTALL)
# What joins letters to a name. A hyphen or underscore makes another name; any other mark ends it.
_WORDS = re.compile(r"[A-Za-z0-9._-]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_QUOTING = re.compile(r'["\\]+')
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?([BbQq])\?([^?]*)\?=(?:\s+(?==\?))?")
_ID_AND_VERSION = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*"|[^\s;"]+)\s+([0-9]+)\s*(?:;|\Z)', re.DOTALL)
_SUPPORTED = "1"  # RFC 8601 2.2: the version of this specification, and of a field that names none


def claims(value: str, authserv_id: str) -> bool:
    """Whether the value of an Authentication-Results field claims to be ours: whether some reading of it finds `authserv_id`
    in front, whatever its case, quoting, comments, folding and version, and whatever invisible characters stand within."""
    ours = _joined(authserv_id)
    return bool(ours) and any(ours in _identifiers(view) for view in _views(value))


def is_unsupported(value: str) -> bool:
    """Whether the field bears a version other than 1, so that it must not come in from outside (RFC 8601 5)."""
    match = _ID_AND_VERSION.match(_without_comments(value, " "))
    return match is not None and match[1].lstrip("0") != _SUPPORTED


def removals(values: Sequence[str], authserv_id: str) -> tuple[int, ...]:
    """Which of a message's Authentication-Results fields to remove, given their values in order: numbers from 1, in
    descending order, for Postfix renumbers after each removal and Sendmail does not."""
    numbers = (number for number, value in enumerate(values, 1) if claims(value, authserv_id) or is_unsupported(value))
    return tuple(sorted(numbers, reverse=True))


def _views(value: str) -> Iterator[str]:
    """The value as different readers see it."""
    texts = [value]
    if "=?" in value:
        texts.append(_decoded(value))
    texts += [unicodedata.normalize("NFKC", text) for text in texts if not text.isascii()]
    for text in texts:
        yield _without_comments(text, "")
        yield _without_parentheses(text)


def _identifiers(view: str) -> Iterator[str]:
    """What may be read as the authserv-id of a value: its first word; all before the first semicolon; the same without
    the version. What cannot be seen divides words, or is nothing at all."""
    head = view.lstrip("; \t\r\n").partition(";")[0]
    for instead in ("", " "):
        words = _WORDS.findall(_QUOTING.sub("", _UNPRINTABLE.sub(instead, head)).lower())
        if words:
            yield words[0].strip(".")
            yield "".join(words).strip(".")
            yield "".join(words[:-1]).strip(".") if words[-1].isdigit() else ""


def _joined(authserv_id: str) -> str:
    return "".join(_WORDS.findall(authserv_id.lower())).strip(".")


def _without_comments(value: str, instead: str) -> str:
    """The value as RFC 5322 3.2.2 reads it: comments nest, quoted-strings hold none; an open comment goes to the end."""
    kept: list[str] = []
    depth, quoted = 0, False
    for match in _PIECES.finditer(value):
        piece = match[0]
        if piece == '"' and not depth:
            quoted = not quoted
        elif piece == "(" and not quoted:
            depth += 1
            continue
        elif piece == ")" and depth:
            depth -= 1
            kept.append("" if depth else instead)
            continue
        if not depth:
            kept.append(piece)
    return "".join(kept)


def _without_parentheses(value: str) -> str:
    """The value as one reads it who knows of comments, but not that they nest, nor of quotes."""
    kept: list[str] = []
    start = 0
    while (opening := value.find("(", start)) >= 0 and (closing := value.find(")", opening)) >= 0:
        kept.append(value[start:opening])
        start = closing + 1
    return "".join(kept) + value[start:]


def _decoded(value: str) -> str:
    """The value with its encoded words decoded, as one reads it who decodes them everywhere (RFC 2047 5 forbids it here)."""
    return _ENCODED_WORD.sub(_decoded_word, value)


def _decoded_word(match: re.Match[str]) -> str:
    encoded = match[2].encode("ascii", "replace") + b"=="  # readers do not insist on the padding
    try:
        octets = binascii.a2b_base64(encoded) if match[1] in "Bb" else binascii.a2b_qp(encoded[:-2], header=True)
    except ValueError:
        return match[0]
    return octets.decode("utf-8", "replace")
