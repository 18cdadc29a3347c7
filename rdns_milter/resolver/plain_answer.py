"""Read a DNS response of the plain shape, which nearly every response of a resolver has, in a few microseconds.

A plain response has three parts. First the question, byte for byte. Then records of the type in question, at the question's name or
behind a chain of CNAME records; or one SOA record, which denies them. Then nothing, or an OPT record without content. Owners of
answers are compression pointers. Names in values consist of letters, digits, `-`, `_` and `/`.

Returns the same as resolver/wire.py with dnspython does for these bytes, or None if the response is not plain and dnspython must
read it. Must never raise, never accept a response that dnspython refuses, and never guess: each byte is compared, or read within
its bounds.

RFC 1035 4.1 (messages), RFC 2181 8 (TTL), RFC 2308 2 and 5 (negative answers), RFC 6891 6.1.2 (OPT).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from .lookup import Status, Value
from .reading import MAX_VALUES, Reading

_HEADER = struct.Struct("!6H")
_LIFE = struct.Struct("!IH")  # of a record: TTL and length of the data, behind owner, type and class
_NUMBERS = struct.Struct("!5I")  # of a SOA record: serial, refresh, retry, expire, minimum
_GROUPS = struct.Struct("!8H")
_QR = 0x8000
_RELEVANT = 0xFA0F  # QR, opcode, TC and RCODE; AA, RD, RA, AD and CD change nothing
_OK, _NXDOMAIN = _QR, _QR | 3
_IN = b"\0\1"
_CNAME = b"\0\5" + _IN
_SOA = b"\0\6" + _IN
_POINTER = 0xC000
_TO_QUESTION = b"\xc0\x0c"
_MAX_TTL = 0x7FFFFFFF
_MAX_NAME = 255
_MAX_POINTERS = 8  # in one name
_MAX_ALIASES = 8  # within one response: so few that a pointer can hold the offset of each
# The root's name, any payload, no extended code, version 0, any flags, no options.
_OPT = re.compile(rb"\0\0\x29..\0\0..\0\0", re.DOTALL)
_OPT_LENGTH = 11
_HOST = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/"
_ZEROS = tuple(":" + "0:" * groups for groups in range(8, 1, -1))

Labels = list[bytes]


def read(wire: bytes, ident: int, question: bytes) -> Reading | None:
    """Return the contents of a response, or None if it is not plain. `question`: name, type and class as they were sent."""
    try:
        return _read(wire, ident, question)
    except (LookupError, struct.error):  # it ends too early
        return None


def _read(wire: bytes, ident: int, question: bytes) -> Reading | None:
    got, flags, questions, answers, authorities, additional = _HEADER.unpack_from(wire)
    at = _HEADER.size + len(question)
    flags &= _RELEVANT
    if got != ident or questions != 1 or wire[_HEADER.size : at] != question or flags not in (_OK, _NXDOMAIN):
        return None
    end = len(wire)
    if additional:
        end -= _OPT_LENGTH
        if additional != 1 or end < at or _OPT.fullmatch(wire, end) is None:
            return None
    if not answers:
        return _negative(wire, at, end, _question_labels(wire), _MAX_TTL, flags) if authorities == 1 else None
    if wire[at + 2 : at + 6] == _CNAME:
        return _behind_aliases(wire, at, end, question, flags, answers, authorities)
    if flags != _OK or authorities:
        return None
    return _positive(wire, at, end, _TO_QUESTION + question[-4:], answers, _MAX_TTL)


def _positive(wire: bytes, at: int, end: int, start: bytes, count: int, ttl: int) -> Reading | None:
    """Read `count` records, which must reach up to `end`. `start`: owner, type and class of each of them; `ttl`: the lowest TTL of
    the aliases before them."""
    value_of = _VALUES[start[2:4]]
    values = []
    for _ in range(count):
        if wire[at : at + 6] != start:
            return None
        life, length = _LIFE.unpack_from(wire, at + 6)
        data = at + 12
        at = data + length
        if life > _MAX_TTL or at > end:
            return None
        value = value_of(wire, data, at)
        if value is None:
            return None
        values.append(value)
        ttl = min(ttl, life)
    if at != end:
        return None
    found = tuple(sorted(set(values))) if count > 1 else (values[0],)
    return Reading("ok", found[:MAX_VALUES], float(ttl))


def _behind_aliases(
    wire: bytes, at: int, end: int, question: bytes, flags: int, answers: int, authorities: int
) -> Reading | None:
    """Read CNAME records that follow one another, and the records after them. No name may occur twice."""
    names = [_question_labels(wire)]
    owner, ttl = _TO_QUESTION, _MAX_TTL
    while answers and wire[at : at + 6] == owner + _CNAME:
        life, length = _LIFE.unpack_from(wire, at + 6)
        data = at + 12
        at = data + length
        name = _name(wire, data, at)
        if name is None or name in names or len(names) > _MAX_ALIASES or life > _MAX_TTL or at > end:
            return None
        # A name that consists of a pointer only is repeated as that pointer.
        owner = wire[data:at] if wire[data] >= 0xC0 else (_POINTER | data).to_bytes(2, "big")
        names.append(name)
        ttl = min(ttl, life)
        answers -= 1
    if not answers:
        return _negative(wire, at, end, names[-1], ttl, flags) if authorities == 1 else None
    if flags != _OK or authorities:
        return None
    return _positive(wire, at, end, owner + question[-4:], answers, ttl)


def _negative(wire: bytes, at: int, end: int, name: Labels, ttl: int, flags: int) -> Reading | None:
    """Read the SOA record, alone in the authority section, that denies the type or the name. It must be of a zone at or above the
    name."""
    found = _labels(wire, at, end)
    if found is None:
        return None
    zone, at = found
    if wire[at : at + 4] != _SOA or (zone and [label.lower() for label in zone] != name[-len(zone) :]):
        return None
    life, length = _LIFE.unpack_from(wire, at + 4)
    at += 10
    if life > _MAX_TTL or at + length != end:
        return None
    for _ in ("mname", "rname"):
        found = _labels(wire, at, end)
        if found is None:
            return None
        at = found[1]
    if end - at != _NUMBERS.size:
        return None
    numbers = _NUMBERS.unpack_from(wire, at)
    if max(numbers[1:]) > _MAX_TTL:
        return None
    status: Status = "nodata" if flags == _OK else "nxdomain"
    return Reading(status, ttl=float(min(ttl, life, numbers[4])))


def _labels(wire: bytes, at: int, limit: int) -> tuple[Labels, int] | None:
    """Return the labels of the name at that offset, without the root's, and the offset behind the name. None if the name does not
    end before the limit, or has more than 255 bytes or _MAX_POINTERS pointers. None also if a pointer does not lead back, to bytes
    before the part of the name that it ends (RFC 1035 4.1.4)."""
    labels: Labels = []
    room = _MAX_NAME - 1
    pointers = behind = 0
    start = at
    while at < limit:
        size = wire[at]
        if size == 0:
            return labels, behind or at + 1
        if size < 64:
            labels.append(wire[at + 1 : at + 1 + size])
            at += size + 1
            room -= size + 1
            if room < 0:
                return None
            continue
        target = (size << 8 | wire[at + 1]) - _POINTER  # negative for the label types 01 and 10
        pointers += 1
        if not _HEADER.size <= target < start or at + 2 > limit or pointers > _MAX_POINTERS:
            return None
        behind = behind or at + 2
        limit, at, start = start, target, target
    return None


def _name(wire: bytes, at: int, end: int) -> Labels | None:
    """Return the labels of the name between two offsets, in lower case."""
    found = _labels(wire, at, end)
    if found is None or found[1] != end:
        return None
    return [label.lower() for label in found[0]]


def _question_labels(wire: bytes) -> Labels:
    """Return the labels of the question's name, in lower case. The question has been compared with the one that was sent."""
    found = _labels(wire, _HEADER.size, len(wire))
    return [label.lower() for label in found[0]] if found else []


def _host(wire: bytes, at: int, end: int) -> str | None:
    found = _labels(wire, at, end)
    if found is None or found[1] != end or b"".join(found[0]).translate(None, _HOST):
        return None
    return b".".join(found[0]).lower().decode("ascii")


def _ipv4(wire: bytes, at: int, end: int) -> str | None:
    return "{}.{}.{}.{}".format(*wire[at:end]) if end - at == 4 else None


def _ipv6(wire: bytes, at: int, end: int) -> str | None:
    """Return the address in the form of RFC 5952 4; None for one of which a part may be written as IPv4."""
    if end - at != 16 or wire[at : at + 8] == bytes(8):
        return None
    text = ":{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:".format(*_GROUPS.unpack_from(wire, at))
    for zeros in _ZEROS:
        before, found, after = text.partition(zeros)
        if found:
            return f"{before[1:]}::{after[:-1]}"
    return text[1:-1]


def _mx(wire: bytes, at: int, end: int) -> tuple[int, str] | None:
    host = _host(wire, at + 2, end)
    return None if host is None else (wire[at] << 8 | wire[at + 1], host)


def _txt(wire: bytes, at: int, end: int) -> bytes | None:
    strings = []
    while at < end:
        after = at + 1 + wire[at]
        if after > end:
            return None
        strings.append(wire[at + 1 : after])
        at = after
    return b"".join(strings) if strings else None


_VALUES: Mapping[bytes, Callable[[bytes, int, int], Value | None]] = MappingProxyType(
    {b"\0\x01": _ipv4, b"\0\x0c": _host, b"\0\x0f": _mx, b"\0\x10": _txt, b"\0\x1c": _ipv6}
)
