"""Detect Authentication-Results fields that claim to be written by this host.

Pure. The input is untrusted: never raises, and takes time linear in its length. A value is parsed strictly as in RFC 8601, and also
as leniently as a later reader of the message might parse it. A field is forged if our authserv-id comes first in any of these
readings. A field of another host that is mistaken for ours is removed too; its results could not be trusted.

RFC 8601 5 (removing fields with our authserv-id or an unknown version), 2.2 (syntax), RFC 2047 (encoded words).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..net.names import canonical
from .encoded_words import decodings

# Takes linear time: the alternatives start with different characters, and none can fail after the first one.
_PIECES = re.compile(r'\\.?|[()"]|[^\\()"]+', re.DOTALL)
# The characters of a name. Any other character ends it.
_WORDS = re.compile(r"[A-Za-z0-9._-]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_QUOTING = re.compile(r'["\\]+')
_OTHER_DOTS = re.compile("[\u2024\u3002\ufe52\uff0e\uff61]")  # equivalents of "." (RFC 3490 3.1)
# Separates names in any script: white space and ASCII except letters, digits and "._-".
_BETWEEN = re.compile(r"[\x00-\x2c/:-@\[-^`{-\xa0\s]+")
# Default_Ignorable_Code_Point, which are invisible, and surrogates, which are not characters.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]+"
)
_LONG = re.compile("[\ufdfa\ufdfb]")  # ligatures of phrases, each up to eighteen characters in NFKC
_MARGIN = 64  # characters that are normalized beyond four times the length of our longest name
_ID_AND_VERSION = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*"|[^\s;"]+)\s+([0-9]+)\s*(?:;|\Z)', re.DOTALL)
_SUPPORTED = "1"  # RFC 8601 2.2; also the default


def claims(value: str, *authserv_ids: str) -> bool:
    """Return whether an Authentication-Results value claims one of our authserv-ids.

    Case, quoting, comments, folding, version and invisible characters are ignored.
    """
    ours, in_letters = _spellings(authserv_ids)
    longest = max(map(len, in_letters), default=0)
    return bool(longest) and any(
        not ours.isdisjoint(_identifiers(view)) or not in_letters.isdisjoint(_names_in_letters(view, longest))
        for view in views(value)
    )


def is_unsupported(value: str) -> bool:
    """Return whether the field has a version other than 1, so that it must be removed (RFC 8601 5)."""
    match = _ID_AND_VERSION.match(without_comments(value, " "))
    return match is not None and match[1].lstrip("0") != _SUPPORTED


def views(value: str) -> Iterator[str]:
    """Yield the value as different readers see it: with and without comments, encoded words and look-alike characters."""
    texts = [value]
    if "=?" in value:
        texts += decodings(value)
    texts += [text.translate(_ascii_look_alikes()) for text in texts if not text.isascii()]
    for text in texts:
        yield without_comments(text, "")
        yield _without_parentheses(text)


@functools.cache
def _ascii_look_alikes() -> Mapping[int, str]:
    """Return the characters that become ASCII in compatibility normalization (NFKC), with their replacements.

    Unlike normalization, this table hardly lengthens a text: NFKC turns U+3316 into six characters and U+FDFA into eighteen."""
    last = 0x1FFFF  # no plane after this has such characters
    normal = ((code, unicodedata.normalize("NFKC", chr(code))) for code in range(0x80, last + 1))
    return MappingProxyType({code: text for code, text in normal if text.isascii()})


def _identifiers(view: str) -> Iterator[str]:
    """Yield each text that a reader could take for the authserv-id: the first word; all words before the first semicolon, joined;
    these without the last one if it is a number (the version). This is done twice: with unprintable characters removed, and with a
    blank in place of them."""
    head = _OTHER_DOTS.sub(".", view.lstrip("; \t\r\n").partition(";")[0])
    for instead in ("", " "):
        words = _WORDS.findall(_QUOTING.sub("", _UNPRINTABLE.sub(instead, head)).lower())
        if words:
            yield words[0].strip(".")
            yield "".join(words).strip(".")
            yield "".join(words[:-1]).strip(".") if words[-1].isdigit() else ""


def _names_in_letters(view: str, length: int) -> Iterator[str]:
    """Yield the same texts as `_identifiers`, for names in any script: in lower case, in the normal form NFKC, with A-labels as
    U-labels (RFC 5890 2.3.2.1). `length`: that of the longest name to find; the rest of a longer text is not examined."""
    head = _INVISIBLE.sub("", view.lstrip("; \t\r\n").partition(";")[0])
    if head.isascii() and "xn--" not in head.lower():
        return
    head = _QUOTING.sub("", _LONG.sub(" ", head[: 4 * length + _MARGIN]))
    for fold in (str.lower, str.casefold):  # IDNA 2008; IDNA 2003, which folds more
        words = _BETWEEN.split(_OTHER_DOTS.sub(".", unicodedata.normalize("NFKC", fold(head))))
        words = [_in_letters(word) for word in words if word]
        if words:
            yield words[0].strip(".")
            yield "".join(words).strip(".")
            yield "".join(words[:-1]).strip(".")


def _in_letters(name: str) -> str:
    """Return the name in lower case and NFKC with its A-labels as U-labels, which need not be valid."""
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
    """Return our names twice: with U-labels as A-labels, and with A-labels as U-labels."""
    names = [unicodedata.normalize("NFKC", each.lower()).strip(".") for each in authserv_ids]
    ours = frozenset(_joined(name if name.isascii() else canonical(name)) for name in names)
    return ours - {""}, frozenset(map(_in_letters, names)) - {""}


def _joined(authserv_id: str) -> str:
    return "".join(_WORDS.findall(authserv_id.lower())).strip(".")


def without_comments(value: str, instead: str) -> str:
    """Return the value with each comment replaced by `instead`, as in RFC 5322 3.2.2: comments nest, quoted-strings contain none,
    and an unterminated comment extends to the end."""
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
    """Return the value without comments as read by a parser that knows neither nested comments nor quoted-strings."""
    kept: list[str] = []
    start = 0
    while (opening := value.find("(", start)) >= 0 and (closing := value.find(")", opening)) >= 0:
        kept.append(value[start:opening])
        start = closing + 1
    return "".join(kept) + value[start:]
