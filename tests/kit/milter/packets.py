"""Packets of the milter protocol, version 6 (SMFI): names, encoding, and parsing of the answers.

No I/O. A packet is a length (four bytes, big endian, of what follows), a command byte, and data; strings end with NUL. The
protocol has no RFC: Sendmail's `libmilter/mfdef.h` and `mfapi.h` are its reference.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

BODY_CHUNK = 65535
VERSION = 6


class ProtocolError(Exception):
    """The milter sent something that the protocol does not allow here."""


class Actions(enum.IntFlag):
    """What a milter may do to a message (SMFIF_*)."""

    ADD_HEADERS = 0x01
    CHANGE_BODY = 0x02
    ADD_RCPT = 0x04
    DELETE_RCPT = 0x08
    CHANGE_HEADERS = 0x10
    QUARANTINE = 0x20
    CHANGE_FROM = 0x40
    ADD_RCPT_ARGS = 0x80
    SET_SYMLIST = 0x100


class Steps(enum.IntFlag):
    """What the MTA may omit or do differently if the milter asks for it (SMFIP_*)."""

    NO_CONNECT = 0x01
    NO_HELO = 0x02
    NO_MAIL = 0x04
    NO_RCPT = 0x08
    NO_BODY = 0x10
    NO_HEADERS = 0x20
    NO_EOH = 0x40
    NOREPLY_HEADERS = 0x80
    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SKIP = 0x400
    REJECTED_RCPTS = 0x800
    NOREPLY_CONNECT = 0x1000
    NOREPLY_HELO = 0x2000
    NOREPLY_MAIL = 0x4000
    NOREPLY_RCPT = 0x8000
    NOREPLY_DATA = 0x10000
    NOREPLY_UNKNOWN = 0x20000
    NOREPLY_EOH = 0x40000
    NOREPLY_BODY = 0x80000
    LEADING_SPACE = 0x100000


ALL_ACTIONS = Actions(0x1FF)
ALL_STEPS = Steps(0x1FFFFF)
NO_STEPS = Steps(0)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a message: its command byte, the bits that omit the step or its reply, its number in macro lists (SMFIM_*)."""

    command: bytes
    left_out: Steps = NO_STEPS
    no_reply: Steps = NO_STEPS
    symlist: int | None = None


STAGES = {
    "connect": Stage(b"C", Steps.NO_CONNECT, Steps.NOREPLY_CONNECT, 0),
    "helo": Stage(b"H", Steps.NO_HELO, Steps.NOREPLY_HELO, 1),
    "mail": Stage(b"M", Steps.NO_MAIL, Steps.NOREPLY_MAIL, 2),
    "rcpt": Stage(b"R", Steps.NO_RCPT, Steps.NOREPLY_RCPT, 3),
    "data": Stage(b"T", Steps.NO_DATA, Steps.NOREPLY_DATA, 4),
    "header": Stage(b"L", Steps.NO_HEADERS, Steps.NOREPLY_HEADERS),
    "eoh": Stage(b"N", Steps.NO_EOH, Steps.NOREPLY_EOH, 6),
    "body": Stage(b"B", Steps.NO_BODY, Steps.NOREPLY_BODY),
    "end": Stage(b"E", symlist=5),
    "unknown": Stage(b"U", Steps.NO_UNKNOWN, Steps.NOREPLY_UNKNOWN),
}


def octets(value: str | bytes) -> bytes:
    """Return `value` as it is sent: bytes as they are, str as UTF-8 with surrogate escapes undone."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def text(value: bytes) -> str:
    """Return the reverse of `octets`, without loss."""
    return value.decode("utf-8", "surrogateescape")


def strings(*values: str | bytes) -> bytes:
    """Return the values, each with its NUL."""
    return b"".join(octets(value) + b"\0" for value in values)


def split_strings(data: bytes) -> list[str]:
    """Return the NUL-terminated strings in `data`; ProtocolError if the last one does not end."""
    if not data:
        return []
    if not data.endswith(b"\0"):
        raise ProtocolError(f"string without NUL: {data[:80]!r}")
    return [text(part) for part in data[:-1].split(b"\0")]


def packet(command: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(command) + len(payload)) + command + payload


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on; `symlists`: stage number -> macro names that the milter asked for there."""

    version: int
    actions: Actions
    steps: Steps
    symlists: dict[int, tuple[str, ...]]


def parse_negotiation(data: bytes) -> Negotiated:
    """Parse the milter's answer to option negotiation; ProtocolError if it is malformed."""
    if len(data) < 12:
        raise ProtocolError(f"option negotiation of {len(data)} bytes")
    version, actions, steps = struct.unpack(">III", data[:12])
    symlists: dict[int, tuple[str, ...]] = {}
    rest = data[12:]
    while rest:
        if len(rest) < 4:
            raise ProtocolError("macro list without a stage")
        number, rest = struct.unpack(">I", rest[:4])[0], rest[4:]
        names, end, rest = rest.partition(b"\0")
        if not end:
            raise ProtocolError("macro list without NUL")
        symlists[number] = tuple(text(names).replace(",", " ").split())
    return Negotiated(version, Actions(actions), Steps(steps), symlists)


@dataclass(frozen=True, slots=True)
class Reply:
    """The milter's answer to a step.

    `action`: continue accept reject tempfail discard skip shutdown conn_fail; `reply`: with `code`, `enhanced`, `text` (lines
    joined by newlines); `noreply`: the milter asked that no reply be waited for; `unsent`: the milter asked that the step be
    omitted.
    """

    action: str
    code: int = 0
    enhanced: str = ""
    text: str = ""

    @property
    def goes_on(self) -> bool:
        """The MTA goes on to the next step and asks the milter again."""
        return self.action in {"continue", "skip", "noreply", "unsent"}

    @property
    def rejects(self) -> bool:
        return self.action == "reject" or self.code // 100 == 5

    @property
    def defers(self) -> bool:
        return self.action in {"tempfail", "shutdown", "conn_fail"} or self.code // 100 == 4

    @property
    def line(self) -> str:
        """One line, as "550 5.7.25 text"; the action's name if the milter set no reply of its own."""
        if self.action != "reply":
            return self.action
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


UNSENT = Reply("unsent")
NO_REPLY = Reply("noreply")

_REPLIES = {
    b"c": "continue",
    b"a": "accept",
    b"r": "reject",
    b"t": "tempfail",
    b"d": "discard",
    b"s": "skip",
    b"4": "shutdown",
    b"f": "conn_fail",
}
_REPLY_LINE = re.compile(r"(\d{3})(?:[ -](?:(\d\.\d{1,3}\.\d{1,3})(?: |$))?(.*))?", re.DOTALL)


def parse_reply(command: bytes, data: bytes) -> Reply | None:
    """Return the reply in the packet, None if it is not a reply; ProtocolError if it is malformed."""
    if command in _REPLIES:
        return Reply(_REPLIES[command])
    if command != b"y":
        return None
    parts = split_strings(data)
    lines = [_REPLY_LINE.fullmatch(line) for line in parts[0].split("\r\n")] if parts else []
    found = [match for match in lines if match]
    if not found or len(found) != len(lines) or len({match[1] for match in found}) != 1:
        raise ProtocolError(f"malformed reply: {data[:200]!r}")
    return Reply("reply", int(found[0][1]), found[0][2] or "", "\n".join(match[3] or "" for match in found))


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a message that the milter asks for at its end.

    `kind`: add (name, value), insert and change (index, name, value), quarantine (value: the reason), replace_body (chunk),
    add_rcpt and delete_rcpt (value: the address, name: ESMTP arguments), change_from (likewise).
    """

    kind: str
    index: int = 0
    name: str = ""
    value: str = ""
    chunk: bytes = b""


_HEADER_CHANGES = {b"h": "add", b"i": "insert", b"m": "change"}
_VALUE_CHANGES = {b"q": "quarantine", b"+": "add_rcpt", b"2": "add_rcpt", b"-": "delete_rcpt", b"e": "change_from"}


def parse_change(command: bytes, data: bytes) -> Change | None:
    """Return the change in the packet, None if it is not a change; ProtocolError if it is malformed."""
    if command == b"b":
        return Change("replace_body", chunk=data)
    if command in _VALUE_CHANGES:
        value, *arguments = _counted(data, 1, 2)
        return Change(_VALUE_CHANGES[command], value=value, name=" ".join(arguments))
    if command not in _HEADER_CHANGES:
        return None
    index = 0
    if command != b"h":
        if len(data) < 4:
            raise ProtocolError("header change without an index")
        index, data = struct.unpack(">I", data[:4])[0], data[4:]
    name, value = _counted(data, 2, 2)
    return Change(_HEADER_CHANGES[command], index, name, value)


def _counted(data: bytes, least: int, most: int) -> Sequence[str]:
    parts = split_strings(data)
    if not least <= len(parts) <= most:
        raise ProtocolError(f"{len(parts)} strings where {least} to {most} belong: {data[:80]!r}")
    return parts
