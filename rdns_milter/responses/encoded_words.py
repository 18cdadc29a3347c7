"""Decode encoded words (RFC 2047) as leniently as any reader does: in any position and with errors.

Pure. Never raises, and takes time linear in the length of the text. Charsets are taken from a fixed table, because Python caches
the name of each unknown codec forever.

RFC 2047 2 and 4 (syntax and encodings), 5 (where encoded words are not allowed), 6.2 (white space between them); RFC 2231 5
(language).
"""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases

MAX_ROUNDS = 3  # how often a text is decoded; decoded text can contain encoded words again
_MAX_CHARSET = 60  # characters

_HEAD = re.compile(rf"=\?([^?\s]{{0,{_MAX_CHARSET}}})\?([BbQq])\?")
_ENDS = ("?=", re.compile(r"\?=(?![0-9A-Fa-f]{2})"))  # the first "?="; the first one not followed by two hex digits
# Between two base64 words that were not split at a group of four characters.
_SEAM = re.compile(rf"={{0,2}}\?=\s*=\?[^?\s]{{0,{_MAX_CHARSET}}}\?[Bb]\?")
_BLANKS = re.compile(r"\s*")
# Codecs that do not decode characters, or take more than linear time.
_NO_CHARSETS = frozenset(
    ("base64_codec", "bz2_codec", "hex_codec", "idna", "mbcs", "oem", "punycode", "quopri_codec", "raw_unicode_escape", "rot_13",
     "undefined", "unicode_escape", "uu_codec", "zlib_codec")
)  # fmt: skip
_CHARSETS = {
    **{name: codec for name, codec in aliases.items() if codec not in _NO_CHARSETS},
    **{codec: codec for codec in aliases.values() if codec not in _NO_CHARSETS},
    **{
        name: name for name in ("cp037", "cp500", "cp875", "cp1140", "cp1026", "utf_7", "utf_8_sig", "utf_16", "utf_32")
    },
}


def decodings(text: str) -> tuple[str, ...]:
    """Return the different readings of a text with encoded words; the text itself is not among them. What has been decoded is
    decoded again, in case it contains encoded words."""
    found: dict[str, None] = {}
    for end, reading in ((_ENDS[0], text), (_ENDS[1], text), (_ENDS[0], _SEAM.sub("", text))):
        for _ in range(MAX_ROUNDS):
            if "=?" not in reading:
                break
            decoded = _decoded(reading, end)
            if decoded == reading:
                break
            reading = decoded
            found[reading] = None
    return tuple(found)


def _decoded(text: str, end: str | re.Pattern[str]) -> str:
    """Return the text with its encoded words decoded. White space between two words is dropped. The bytes of adjacent words are
    decoded together if they have the same charset."""
    parts: list[str] = []
    data, codec, at = b"", "", 0
    while match := _HEAD.search(text, at):
        ends = _find(text, end, match.end())
        if ends < 0:
            break
        between = text[at : match.start()]
        charset = _charset(match[1])
        if data and (charset != codec or not _is_blank(between)):
            parts.append(_characters(data, codec))
            data = b""
        if not (parts or data) or not _is_blank(between):
            parts.append(between)
        data, codec, at = data + _encoded_bytes(match[2], text[match.end() : ends]), charset, ends + 2
    if data:
        parts.append(_characters(data, codec))
    return "".join(parts) + text[at:]


def _find(text: str, end: str | re.Pattern[str], start: int) -> int:
    if isinstance(end, str):
        return text.find(end, start)
    match = end.search(text, start)
    return match.start() if match else -1


def _is_blank(text: str) -> bool:
    return _BLANKS.fullmatch(text) is not None


def _charset(name: str) -> str:
    """Return the codec for a charset, ignoring its language; UTF-8 for an unknown or empty one."""
    return _CHARSETS.get(name.partition("*")[0].lower().replace("-", "_").replace(" ", "_"), "utf_8")


def _encoded_bytes(encoding: str, encoded: str) -> bytes:
    raw = encoded.encode("utf-8", "replace")
    if encoding in "Qq":
        return binascii.a2b_qp(raw, header=True)
    for tried in (raw + b"==", raw[: len(raw) // 4 * 4]):  # readers accept missing padding
        try:
            return binascii.a2b_base64(tried)
        except ValueError:
            continue
    return b""


def _characters(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (UnicodeError, ValueError, LookupError):
        return data.decode("utf-8", "replace")
