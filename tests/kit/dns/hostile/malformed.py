"""Answers that are not quite DNS messages: garbage, wrong lengths and counts, bad names, flipped bits (RFC 1035 4.1).

Behaviours of tests.kit.dns.hostile.behaviours. The ID is right, and so is the question where there is one: a client that compares
only those goes on to parse the rest.
"""

from __future__ import annotations

import dataclasses
import random
import struct

from tests.kit.dns.message import HEADER, POINTER_TO_QUESTION, Ask, Send, Sends, edited, record_wire

FLIPS_MAX = 16
MISSING_RECORDS = 5


def garbage(ask: Ask, sends: Sends, octets: int) -> Sends:
    """So many random bytes after the ID."""
    return [Send((ask.wire[:2] + random.Random(octets).randbytes(octets))[:octets])]


def empty(ask: Ask, sends: Sends) -> Sends:
    """A datagram, or a TCP message, of 0 bytes."""
    return [Send(b"")]


def short(ask: Ask, sends: Sends) -> Sends:
    """Half a header."""
    return edited(sends, lambda wire: wire[: HEADER // 2])


def _here(ask: Ask) -> int:
    """Return the offset of the first record of a message with this question."""
    return HEADER + len(ask.question)


def _pointer(offset: int) -> bytes:
    return struct.pack("!H", 0xC000 | offset)


def comp_loop(ask: Ask, sends: Sends) -> Sends:
    """A record whose owner is a compression pointer to itself."""
    return ask.raw(record_wire(ask.rdtype, _data(ask), owner=_pointer(_here(ask))))


def comp_forward(ask: Ask, sends: Sends) -> Sends:
    """A record whose owner is a compression pointer past itself (RFC 1035 4.1.4: prior occurrence)."""
    return ask.raw(record_wire(ask.rdtype, _data(ask), owner=_pointer(_here(ask) + HEADER)) + b"\x01a\x00")


def comp_rdata(ask: Ask, sends: Sends) -> Sends:
    """A record whose data is a compression pointer to itself."""
    return ask.raw(record_wire(ask.rdtype, _pointer(_here(ask) + len(POINTER_TO_QUESTION) + 10)))


def bad_rdlength(ask: Ask, sends: Sends, length: int) -> Sends:
    """A record that claims so many bytes of data, right or not."""
    return ask.raw(record_wire(ask.rdtype, _data(ask), rdlength=length))


def bad_counts(ask: Ask, sends: Sends) -> Sends:
    """A header that claims five records more than there are."""

    def promise(wire: bytes) -> bytes:
        count = int.from_bytes(wire[6:8], "big") + MISSING_RECORDS
        return wire[:6] + count.to_bytes(2, "big") + wire[8:]

    return edited(sends, promise)


def trailing(ask: Ask, sends: Sends, octets: int) -> Sends:
    """The answer with so many bytes after its end."""
    return edited(sends, lambda wire: wire + bytes(octets))


def bad_label(ask: Ask, sends: Sends) -> Sends:
    """A record whose owner has a label of the reserved type 10 (RFC 1035 4.1.4)."""
    return ask.raw(record_wire(ask.rdtype, _data(ask), owner=b"\x81a\x00"))


def mutate(ask: Ask, sends: Sends, seed: int) -> Sends:
    """The answer with 1 to 16 bits flipped after the ID; different ones for each question, the same for the same seed."""
    chance = random.Random(f"{seed}/{ask.nth}/{ask.tcp}/{ask.name}/{ask.rdtype}")
    return [dataclasses.replace(send, data=_flipped(send.data, chance)) for send in sends]


def _flipped(wire: bytes, chance: random.Random) -> bytes:
    octets = bytearray(wire)
    for _ in range(chance.randint(1, FLIPS_MAX) if len(octets) > 2 else 0):
        octets[chance.randrange(2, len(octets))] ^= 1 << chance.randrange(8)
    return bytes(octets)


def _data(ask: Ask) -> bytes:
    for each in ask.rdatas():
        return each.to_wire() or b""
    return bytes(4)
