"""Authentication-Results that came with the message: which of them would pass for ours?

Pure. Reads what nobody has vouched for: never raises, and costs time in proportion to its length. It is read as strictly
as RFC 8601 has it, and also as sloppily as some reader further on might: a field is a forgery if any reading finds our
authserv-id in front. Who is so mistaken for us loses a field that nobody could have trusted.

RFC 8601 5 (removal of claims to our identifier, and of versions that we do not know), 2.2 (syntax), RFC 2047 (encoded words).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..net.names import canonical
from .encoded_words import decodings

# Linear: each alternative starts with another character, and none can fail after the first.
_PIECES = re.compile(r'\\.?|[()"]|[^\\()"]+', re.DOTALL)
# What joins letters to a name. A hyphen or underscore makes another name; any other mark ends it.
_WORDS = re.compile(r"[A-Za-z0-9._-]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_QUOTING = re.compile(r'["\\]+')
_OTHER_DOTS = re.compile("[\u2024\u3002\ufe52\uff0e\uff61]")  # what readers of names take for "." (RFC 3490 3.1)
# What stands in the outside of names in letters of any script: ASCII but letters, digits and "._-", and blanks.
_BETWEEN = re.compile(r"[\x00-\x2c/:-@\[-^`{-\xa0\s]+")
# Default_Ignorable_Code_Point, and surrogates: not seen, or no characters at all.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]+"
)
_LONG = re.compile("[\ufdfa\ufdfb]")  # phrases; compatibility normalisation makes eighteen characters of one
_MARGIN = 64  # characters beyond four times the length of our name that are normalised
_ID_AND_VERSION = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*"|[^\s;"]+)\s+([0-9]+)\s*(?:;|\Z)', re.DOTALL)
_SUPPORTED = "1"  # RFC 8601 2.2: the version of this specification, and of a field that names none


def claims(value: str, *authserv_ids: str) -> bool:
    """Whether the value of an Authentication-Results field claims to be ours: whether some reading of it finds one of our names
    in front, whatever its case, quoting, comments, folding and version, and whatever invisible characters stand within."""
    ours, in_letters = _spellings(authserv_ids)
    longest = max(map(len, in_letters), default=0)
    return bool(longest) and any(
        not ours.isdisjoint(_identifiers(view)) or not in_letters.isdisjoint(_names_in_letters(view, longest))
        for view in views(value)
    )


def is_unsupported(value: str) -> bool:
    """Whether the field bears a version other than 1, so that it must not come in from outside (RFC 8601 5)."""
    match = _ID_AND_VERSION.match(without_comments(value, " "))
    return match is not None and match[1].lstrip("0") != _SUPPORTED


def views(value: str) -> Iterator[str]:
    """Yield the value as different readers see it: with and without comments and encoded words, in any normal form."""
    texts = [value]
    if "=?" in value:
        texts += decodings(value)
    texts += [text.translate(_ascii_look_alikes()) for text in texts if not text.isascii()]
    for text in texts:
        yield without_comments(text, "")
        yield _without_parentheses(text)


@functools.cache
def _ascii_look_alikes() -> Mapping[int, str]:
    """The characters that compatibility normalisation (NFKC) makes ASCII, with what it makes of them. A text that is translated by
    this table hardly grows; normalisation makes six characters of U+3316, and eighteen of U+FDFA."""
    last = 0x1FFFF  # of the planes that have such characters
    normal = ((code, unicodedata.normalize("NFKC", chr(code))) for code in range(0x80, last + 1))
    return MappingProxyType({code: text for code, text in normal if text.isascii()})


def _identifiers(view: str) -> Iterator[str]:
    """What may be read as the authserv-id of a value: its first word; all before the first semicolon; the same without
    the version. What cannot be seen divides words, or is nothing at all."""
    head = _OTHER_DOTS.sub(".", view.lstrip("; \t\r\n").partition(";")[0])
    for instead in ("", " "):
        words = _WORDS.findall(_QUOTING.sub("", _UNPRINTABLE.sub(instead, head)).lower())
        if words:
            yield words[0].strip(".")
            yield "".join(words).strip(".")
            yield "".join(words[:-1]).strip(".") if words[-1].isdigit() else ""


def _names_in_letters(view: str, length: int) -> Iterator[str]:
    """The same in letters of any script, for names of at most that length: in any normal form and case, A-labels read as
    U-labels (RFC 5890 2.3.2.1)."""
    head = _INVISIBLE.sub("", view.lstrip("; \t\r\n").partition(";")[0])
    if head.isascii() and "xn--" not in head.lower():
        return
    head = _QUOTING.sub("", _LONG.sub(" ", head[: 4 * length + _MARGIN]))
    for fold in (str.lower, str.casefold):  # IDNA 2008, and 2003, which folds more
        words = _BETWEEN.split(_OTHER_DOTS.sub(".", unicodedata.normalize("NFKC", fold(head))))
        words = [_in_letters(word) for word in words if word]
        if words:
            yield words[0].strip(".")
            yield "".join(words).strip(".")
            yield "".join(words[:-1]).strip(".")


def _in_letters(name: str) -> str:
    """A name with its A-labels as U-labels, whether or not those are valid, lower case in NFKC."""
    labels = (_letters_of(label[4:]) if label.startswith("xn--") else label for label in name.split("."))
    return unicodedata.normalize("NFKC", ".".join(labels))


@functools.lru_cache(maxsize=256)
def _letters_of(punycode: str) -> str:
    if len(punycode) > 59 or not punycode.isascii():  # RFC 1035 2.3.4, without "xn--"
        return punycode
    try:
        return punycode.encode().decode("punycode").lower()
    except (UnicodeError, ValueError):
        return punycode


@functools.lru_cache(maxsize=64)
def _spellings(authserv_ids: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Our names in ASCII, U-labels as A-labels, and in letters, A-labels as U-labels."""
    names = [unicodedata.normalize("NFKC", each.lower()).strip(".") for each in authserv_ids]
    ours = frozenset(_joined(name if name.isascii() else canonical(name)) for name in names)
    return ours - {""}, frozenset(map(_in_letters, names)) - {""}


def _joined(authserv_id: str) -> str:
    return "".join(_WORDS.findall(authserv_id.lower())).strip(".")


def without_comments(value: str, instead: str) -> str:
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
