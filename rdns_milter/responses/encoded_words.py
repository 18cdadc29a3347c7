"""Encoded words (RFC 2047) as lenient readers decode them: anywhere, whatever is wrong with them.

Pure. Never raises, and costs time in proportion to the length of the text. Charsets come from a fixed table: looked up by name,
each unknown one would stay in Python's cache of codecs for good.

RFC 2047 2 and 4 (syntax and encodings), 5 (where no encoded word may stand), 6.2 (white space between two); RFC 2231 5 (language).
"""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases

MAX_ROUNDS = 3  # how often what was decoded is decoded again
_MAX_CHARSET = 60  # characters

_HEAD = re.compile(rf"=\?([^?\s]{{0,{_MAX_CHARSET}}})\?([BbQq])\?")
_ENDS = ("?=", re.compile(r"\?=(?![0-9A-Fa-f]{2})"))  # the first one; the first that is no "?" before an octet in hex
# Between two words in base64 that were cut anywhere.
_SEAM = re.compile(rf"={{0,2}}\?=\s*=\?[^?\s]{{0,{_MAX_CHARSET}}}\?[Bb]\?")
_BLANKS = re.compile(r"\s*")
# Of which decoding is no matter of characters, or takes more than linear time, or runs what it reads.
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
    """What readers make of a text with encoded words: each reading that differs from the text, decoded words decoded again."""
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
    """The text with its encoded words decoded; blanks between two of them are dropped, and bytes of two that follow upon each
    other in one charset are decoded together."""
    parts: list[str] = []
    octets, codec, at = b"", "", 0
    while match := _HEAD.search(text, at):
        ends = _find(text, end, match.end())
        if ends < 0:
            break
        between = text[at : match.start()]
        charset = _charset(match[1])
        if octets and (charset != codec or not _is_blank(between)):
            parts.append(_characters(octets, codec))
            octets = b""
        if not (parts or octets) or not _is_blank(between):
            parts.append(between)
        octets, codec, at = octets + _octets(match[2], text[match.end() : ends]), charset, ends + 2
    if octets:
        parts.append(_characters(octets, codec))
    return "".join(parts) + text[at:]


def _find(text: str, end: str | re.Pattern[str], start: int) -> int:
    if isinstance(end, str):
        return text.find(end, start)
    match = end.search(text, start)
    return match.start() if match else -1


def _is_blank(text: str) -> bool:
    return _BLANKS.fullmatch(text) is not None


def _charset(name: str) -> str:
    """The codec of a charset's name, without its language; UTF-8 for one that is unknown, or empty."""
    return _CHARSETS.get(name.partition("*")[0].lower().replace("-", "_").replace(" ", "_"), "utf_8")


def _octets(encoding: str, encoded: str) -> bytes:
    raw = encoded.encode("utf-8", "replace")
    if encoding in "Qq":
        return binascii.a2b_qp(raw, header=True)
    for tried in (raw + b"==", raw[: len(raw) // 4 * 4]):  # readers do not insist on the padding
        try:
            return binascii.a2b_base64(tried)
        except ValueError:
            continue
    return b""


def _characters(octets: bytes, codec: str) -> str:
    try:
        return octets.decode(codec, "replace")
    except (UnicodeError, ValueError, LookupError):
        return octets.decode("utf-8", "replace")
