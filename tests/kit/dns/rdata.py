"""Record data from master-file text, plain strings or bytes (RFC 1035 5.1).

TXT is more lenient than the RFC: text that does not begin with a quotation mark is one string, including its blanks, and a string
of any length is split into pieces of 255 bytes (RFC 7208 3.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dns.rdata
import dns.tokenizer
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import SPF, TXT, RdataType

from tests.kit.dns.message import rdata

STRING_MAX = 255
TEXTS = frozenset({TXT, SPF})

Value = str | bytes | int | float | Sequence[str | bytes]


def read_rdata(rdtype: RdataType, value: Value) -> Rdata:
    """Return one rdata from text, or for TXT also from bytes or a sequence of strings. Raises dns.exception.DNSException."""
    if rdtype in TEXTS and not isinstance(value, int | float):
        return text_record(rdtype, value)
    return rdata(rdtype, str(value))


def text_record(rdtype: RdataType, value: str | bytes | Sequence[str | bytes]) -> Rdata:
    """Return a TXT (or SPF) rdata. A sequence gives its strings; an empty one gives one empty string (RFC 1035 3.3.14)."""
    if isinstance(value, str):
        strings: Iterable[bytes] = _quoted(value) if value.startswith('"') else [value.encode("utf-8")]
    elif isinstance(value, bytes):
        strings = [value]
    else:
        strings = [each if isinstance(each, bytes) else each.encode("utf-8") for each in value]
    pieces = [piece for string in strings for piece in _pieces(string)] or [b""]
    wire = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return dns.rdata.from_wire(IN, rdtype, wire, 0, len(wire))


def _pieces(string: bytes) -> list[bytes]:
    return [string[i : i + STRING_MAX] for i in range(0, len(string), STRING_MAX)] or [b""]


def _quoted(text: str) -> Iterable[bytes]:
    tokens = dns.tokenizer.Tokenizer(text)
    while not (token := tokens.get()).is_eol_or_eof():
        yield token.unescape_to_bytes().value
