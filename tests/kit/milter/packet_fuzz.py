"""Random hostile milter traffic, the same for the same seed: sessions that are nearly right, and packets that are malformed.

`session` makes one connection's packets; `send` sends them and reads the milter's answers; `texts_of` extracts from these what is
for client and message. It does not check the milter: tests do.

One thing is never sent: a list of macros of which the last has no value. Debian's libmilter (8.17.1) reads beyond the end of such
a list (smfi_getsymval), whatever a milter does, and may crash. No MTA sends it, and no client can cause it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.kit.milter.endpoint import Endpoint, connected
from tests.kit.milter.packets import VERSION, packet, strings

PATIENCE = 20.0
LINGER = struct.pack("ii", 1, 0)  # close sends RST (socket(7))
COMMANDS = b"OCDHMRTLNBEAQKU"
CLIENTS = ("192.0.2.1", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.66", "192.0.2.55", "127.0.0.1", "2001:db8::25")
NAMES = (
    "mail.good.example",
    "mail.late.example",
    "trouble.example",
    "nobody.example",
    "x",
    "[192.0.2.1]",
    "",
    "mx.test.example",
)
PATHS = (
    "<a@good.example>",
    "<>",
    "a@nobody.example",
    "<a@strict.example>",
    "<@x:a@broken.example>",
    '<"a@b"@late.example>',
)
MACROS = ("j", "i", "{daemon_addr}", "{client_addr}", "{auth_authen}", "{tls_version}", "v", "{", "")
FIELDS = ("Authentication-Results", "Subject", "AUTHENTICATION-RESULTS ", "X-Rdns-Milter", "")
PIECES = (
    *(b"\0", b"\r\n", b"\n\t", b"\xff\xfe", b"=", b'"', b"\\", b"%", b"%{", b"(", b")", b";", b"<", b">", b"@"),
    b"\xed\xb2\x80",
)


def session(rng: Random) -> list[bytes]:
    """Return the packets of one connection; about one in three is well-formed and has odd values only."""
    while True:
        packets = [_negotiation(rng), *_dialogue(rng)]
        for _ in range(rng.choice((0, 0, 1, 1, 2, 8))):
            rng.choice(_MISTAKES)(rng, packets)
        if not any(command == b"D" and data[1:].count(0) % 2 for command, data in frames(b"".join(packets))):
            return packets


def send(spec: Endpoint, packets: Sequence[bytes], abrupt: bool = False) -> bytes:
    """Send the packets without waiting, close the connection (`abrupt`: at once, with RST), and return the milter's answers.
    Raises TimeoutError if the milter does not close it."""
    answers = b""
    with connected(spec, PATIENCE) as connection:
        try:
            connection.sendall(b"".join(packets))
            if abrupt:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                return answers
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answers += chunk
        except TimeoutError:
            raise
        except OSError:
            pass  # the milter closed before all was sent
    return answers


def texts_of(answers: bytes) -> Iterator[bytes]:
    """Yield the texts for client and message in the milter's packets: replies, fields, reasons; without NULs and folds."""
    for command, data in frames(answers):
        if command in b"yhq":
            yield data.replace(b"\0", b"").replace(b"\n\t", b"")
        elif command in b"im":
            yield data[4:].replace(b"\0", b"").replace(b"\n\t", b"")


def frames(wire: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each packet's command and data."""
    at = 0
    while at + 4 < len(wire):
        (size,) = struct.unpack_from(">I", wire, at)
        yield wire[at + 4 : at + 5], wire[at + 5 : at + 4 + size]
        at += 4 + size


def octets(rng: Random, most: int = 80) -> bytes:
    """Return any bytes, with NUL."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(most))
    if kind == 1:
        return b"".join(rng.choice(PIECES) + rng.randbytes(1) for _ in range(rng.randrange(1, 12)))
    if kind == 2:
        return rng.choice(PIECES) * rng.randrange(1, 2000)
    return rng.choice(NAMES).encode() + rng.choice(PIECES) + rng.choice(NAMES).encode()


def _value(rng: Random, usual: Sequence[str]) -> bytes:
    return rng.choice(usual).encode() if rng.random() < 0.6 else octets(rng)


def _negotiation(rng: Random) -> bytes:
    version, actions, steps = VERSION, 0x1FF, 0x1FFFFF
    if rng.random() < 0.2:
        version = rng.choice((0, 1, 2, 5, 6, 7, 2**32 - 1))
        actions, steps = rng.getrandbits(32), rng.getrandbits(32)
    return packet(b"O", struct.pack(">III", version, actions, steps))


def _macros(rng: Random, stage: bytes) -> bytes:
    names = [rng.choice(MACROS) for _ in range(rng.randrange(5))]
    return packet(
        b"D", stage + strings(*(part for name in names for part in (name, _value(rng, CLIENTS).replace(b"\0", b""))))
    )


def _connect(rng: Random) -> bytes:
    address = rng.choice(CLIENTS)
    family = "6" if ":" in address else "4"
    if rng.random() < 0.2:
        family, address = (
            rng.choice("46LUX?\0"),
            rng.choice((address, "0300.1", "::ffff:192.0.2.1", "fe80::1%lo", "/x", "")),
        )
    peer = b"" if family == "U" else struct.pack(">H", rng.getrandbits(16)) + strings(address)
    return packet(b"C", strings(_value(rng, NAMES)) + family.encode() + peer)


def _dialogue(rng: Random) -> Iterator[bytes]:
    yield _macros(rng, b"C")
    yield _connect(rng)
    yield packet(b"H", strings(_value(rng, NAMES)))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        yield _macros(rng, b"M")
        yield packet(b"M", strings(_value(rng, PATHS), *(octets(rng, 20) for _ in range(rng.randrange(3)))))
        for _ in range(rng.choice((1, 1, 2, 5))):
            yield packet(b"R", strings(_value(rng, ("<b@rcpt.example>", "<postmaster@rcpt.example>"))))
        for _ in range(rng.choice((0, 1, 3, 20))):
            yield packet(b"L", strings(_value(rng, FIELDS), _value(rng, ("mx.test.example; spf=pass", "x"))))
        yield rng.choice((packet(b"E"), packet(b"E"), packet(b"E"), packet(b"A"), packet(b"K")))
    if rng.random() < 0.5:
        yield packet(b"Q")


def _flip(rng: Random, packets: list[bytes]) -> None:
    """Flip bits after the length."""
    at = rng.randrange(len(packets))
    wire = bytearray(packets[at])
    for _ in range(rng.randint(1, 8) if len(wire) > 4 else 0):
        wire[rng.randrange(4, len(wire))] ^= 1 << rng.randrange(8)
    packets[at] = bytes(wire)


def _resize(rng: Random, packets: list[bytes]) -> None:
    """Set a wrong length."""
    at = rng.randrange(len(packets))
    true = len(packets[at]) - 4
    length = rng.choice((0, 1, true - 1, true + 1, 65_535, 65_536, 2**20, 2**31, 2**32 - 1))
    packets[at] = struct.pack(">I", max(0, length)) + packets[at][4:]


def _cut(rng: Random, packets: list[bytes]) -> None:
    """Remove data (the NUL of a string, say); the length is right."""
    at = rng.randrange(len(packets))
    body = packets[at][4:]
    body = body[: rng.randrange(1, len(body) + 1)] if body else b"H"
    packets[at] = packet(body[:1], body[1:])


def _half(rng: Random, packets: list[bytes]) -> None:
    """Send only part of the last packet."""
    del packets[rng.randrange(1, len(packets) + 1) :]
    packets[-1] = packets[-1][: rng.randrange(len(packets[-1]) + 1)]


def _insert(rng: Random, packets: list[bytes]) -> None:
    """Insert a packet where none is expected."""
    command = bytes([rng.choice(COMMANDS) if rng.random() < 0.8 else rng.randrange(256)])
    packets.insert(rng.randrange(len(packets) + 1), packet(command, octets(rng)))


def _noise(rng: Random, packets: list[bytes]) -> None:
    """Insert bytes that are not a packet."""
    packets.insert(rng.randrange(len(packets) + 1), rng.randbytes(rng.randrange(1, 64)))


def _drop(rng: Random, packets: list[bytes]) -> None:
    if len(packets) > 1:
        del packets[rng.randrange(len(packets))]


def _repeat(rng: Random, packets: list[bytes]) -> None:
    at = rng.randrange(len(packets))
    packets[at:at] = [packets[at]] * rng.choice((1, 2, 50))


def _disorder(rng: Random, packets: list[bytes]) -> None:
    one, other = rng.randrange(len(packets)), rng.randrange(len(packets))
    packets[one], packets[other] = packets[other], packets[one]


_MISTAKES: Sequence[Callable[[Random, list[bytes]], None]] = (
    _flip, _flip, _resize, _cut, _half, _insert, _insert, _noise, _drop, _repeat, _disorder, _disorder,
)  # fmt: skip
