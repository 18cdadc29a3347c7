"""Escape text of any origin for a log line, and read it back unchanged.

Pure. Must never let through a control character, a quote that ends a value, or a character outside ASCII. Bytes that are not UTF-8
(PEP 383: U+DC80 to U+DCFF) survive too.

RFC 8259 section 8.2 and RFC 7493 section 2.1: text in JSON must not contain lone surrogates.
"""

from __future__ import annotations

import re

# In logfmt each character has exactly one escape: \x80 to \xff are bytes that are not UTF-8; \u and \U are Unicode.
BARE_CHARACTER = r"[!#-<>-\[\]-~]"
_BARE = re.compile(BARE_CHARACTER + "+")
_UNFIT = re.compile(r"[^ !#-\[\]-~]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_LONG = {escape[1]: letter for letter, escape in _SHORT.items()}
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")

# In JSON a lone surrogate is written as a private-use character from U+10F800 on: a byte 0xff that is not UTF-8 is U+10FCFF, in the
# line "\udbff\udcff". A text that has such a private-use character itself gets _MARK in front of it.
_TO_PRIVATE = 0x10F800 - 0xD800
_MARK = "\U0010f7ff"
_SURROGATE_OR_PRIVATE = re.compile("[\ud800-\udfff\U0010f7ff-\U0010ffff]")
_MARKED_OR_PRIVATE = re.compile("\U0010f7ff(.)|[\U0010f800-\U0010ffff]", re.DOTALL)


def quoted(text: str, reserved: str) -> str:
    """Return the text as a logfmt value, in quotes if it needs them or equals the reserved word."""
    if not text or (_BARE.fullmatch(text) and text != reserved):
        return text
    return f'"{_UNFIT.sub(_escaped, text)}"'


def unquoted(value: str) -> str:
    """Return the text of a value in quotes."""
    return _ESCAPE.sub(_unescaped, value[1:-1])


def as_unicode(value: str | int | float | None) -> str | int | float | None:
    """Return a value for JSON: text without lone surrogates, anything else as it is."""
    return _SURROGATE_OR_PRIVATE.sub(_private, value) if isinstance(value, str) and not value.isascii() else value


def from_unicode(text: str) -> str:
    """Reverse `as_unicode`. Lone surrogates, which older versions wrote, are kept."""
    return text if text.isascii() else _MARKED_OR_PRIVATE.sub(_surrogate, text)


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in _SHORT:
        return _SHORT[letter]
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _unescaped(match: re.Match[str]) -> str:
    octet, short, long, letter = match.groups()
    if letter is not None:
        return _LONG.get(letter, match[0])
    if octet is not None:
        code = int(octet, 16)
        return chr(code if code < 0x80 else 0xDC00 + code)
    code = int(short or long, 16)
    return chr(code) if code <= 0x10FFFF else match[0]


def _private(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(code + _TO_PRIVATE) if code <= 0xDFFF else _MARK + match[0]


def _surrogate(match: re.Match[str]) -> str:
    return match[1] or chr(ord(match[0]) - _TO_PRIVATE)
