"""One milter connection from the MTA's side: what Postfix and Sendmail send to a milter, step by step.

Blocking sockets, always with a timeout. By default it is well-behaved: it leaves out the steps that the milter asked it to leave
out, waits for no reply where none is due, and sends the macros that the milter asked for. `send_packet` and `send_raw` are for
the hostile tests.

The protocol has no RFC: see packets.py.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from tests.kit.milter import macros as macro
from tests.kit.milter.endpoint import TIMEOUT, Endpoint, connected
from tests.kit.milter.macros import Macros
from tests.kit.milter.packets import (
    ALL_ACTIONS,
    ALL_STEPS,
    BODY_CHUNK,
    NO_REPLY,
    STAGES,
    UNSENT,
    VERSION,
    Actions,
    Change,
    Negotiated,
    ProtocolError,
    Reply,
    Steps,
    octets,
    packet,
    parse_change,
    parse_negotiation,
    parse_reply,
    strings,
)

LARGEST_PACKET = 1 << 20


class MilterClosed(ConnectionError):
    """The milter closed the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class End:
    """The milter's reply at the end of a message, and the changes that it asks for, in order."""

    reply: Reply
    changes: tuple[Change, ...]


class Conversation:
    """One connection of an MTA to a milter, with option negotiation unless `negotiate=False`.

    `macros`: the macros that this MTA can send. At each stage those that the milter asked for (else the default list of `mta`)
    are sent; a stage's own `macros=` are sent in any case, and kept. Names with or without braces. Raises TimeoutError if the
    milter hangs, MilterClosed (or another OSError) if it closes the connection, ProtocolError if it breaks the protocol.
    """

    def __init__(
        self,
        spec: Endpoint,
        *,
        macros: Macros | None = None,
        mta: str = "postfix",
        negotiate: bool = True,
        version: int = VERSION,
        actions: int = ALL_ACTIONS,
        steps: int = ALL_STEPS,
        timeout: float = TIMEOUT,
    ) -> None:
        self.known = macro.known(macro.MTA_ITSELF) | macro.known(macros or {})
        self.default_lists = macro.DEFAULT_LISTS[mta]
        self.negotiated = Negotiated(version, Actions(0), Steps(0), {})
        self.socket = connected(spec, timeout)
        self._unread = b""
        self._in_header = False
        if negotiate:
            try:
                self.negotiate(version, actions, steps)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quit() if error is None else self.close()

    # Packets

    def send_raw(self, data: bytes) -> None:
        """Send any bytes as they are."""
        self.socket.sendall(data)

    def send_packet(self, command: bytes, payload: bytes = b"") -> None:
        """Send one well-formed packet with any command and any payload."""
        self.send_raw(packet(command, payload))

    def send_macros(self, command: bytes, values: Macros) -> None:
        """Send a macro packet for the stage with this command byte; no reply follows."""
        self.send_raw(_macro_packet(command, values))

    def read_packet(self) -> tuple[bytes, bytes]:
        """Read the milter's next packet; return command byte and payload."""
        (size,) = struct.unpack(">I", self._read(4))
        if not 1 <= size <= LARGEST_PACKET:
            raise ProtocolError(f"packet of {size} bytes")
        body = self._read(size)
        return body[:1], body[1:]

    def _read(self, size: int) -> bytes:
        while len(self._unread) < size:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise MilterClosed("the milter closed the connection")
            self._unread += chunk
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def read_end(self) -> End:
        """Read changes up to the reply that follows them; progress packets are skipped."""
        changes: list[Change] = []
        while True:
            command, data = self.read_packet()
            if reply := parse_reply(command, data):
                return End(reply, tuple(changes))
            if change := parse_change(command, data):
                changes.append(self._spaceless(change))
            elif command != b"p":
                raise ProtocolError(f"packet {command!r} where a reply belongs")

    def read_reply(self) -> Reply:
        """Read the reply to any step but the last, where changes are not allowed."""
        end = self.read_end()
        if end.changes:
            raise ProtocolError(f"changes before the end of the message: {end.changes}")
        return end.reply

    def _spaceless(self, change: Change) -> Change:
        """Remove the space after the colon, which the milter writes itself with LEADING_SPACE."""
        if not self.negotiated.steps & Steps.LEADING_SPACE:
            return change
        return replace(change, value=change.value.removeprefix(" "))

    # The steps of a session

    def negotiate(self, version: int = VERSION, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> Negotiated:
        """Offer version, actions and steps; what the milter chooses applies from now on."""
        self.send_packet(b"O", struct.pack(">III", version, actions, steps))
        command, data = self.read_packet()
        if command != b"O":
            raise ProtocolError(f"packet {command!r} where option negotiation belongs")
        self.negotiated = parse_negotiation(data)
        return self.negotiated

    def connect(
        self,
        hostname: str | bytes,
        address: str | bytes | None,
        port: int = 33333,
        family: str | None = None,
        macros: Macros | None = None,
    ) -> Reply:
        """Send CONNECT. `family`: 4, 6, L (path), U (unknown: no port and no address); None: taken from the form of the address."""
        family = family or _family(octets(address or b""))
        payload = strings(hostname) + octets(family)
        if family != "U":
            payload += struct.pack(">H", port) + strings(address or b"")
        return self._step("connect", payload, macros)

    def helo(self, name: str | bytes, macros: Macros | None = None) -> Reply:
        """Send HELO or EHLO; the protocol does not distinguish them."""
        return self._step("helo", strings(name), macros)

    def mail(self, sender: str | bytes, *arguments: str | bytes, macros: Macros | None = None) -> Reply:
        """Send MAIL FROM. A str is put in angle brackets if it has none; bytes are sent as they are."""
        path = _path(sender)
        self.known["mail_addr"] = path.removeprefix(b"<").removesuffix(b">")
        return self._step("mail", strings(path, *arguments), macros)

    def rcpt(self, recipient: str | bytes, *arguments: str | bytes, macros: Macros | None = None) -> Reply:
        """Send RCPT TO; the recipient as the sender in `mail`."""
        path = _path(recipient)
        self.known["rcpt_addr"] = path.removeprefix(b"<").removesuffix(b">")
        return self._step("rcpt", strings(path, *arguments), macros)

    def data(self, macros: Macros | None = None) -> Reply:
        return self._step("data", b"", macros)

    def header(self, name: str | bytes, value: str | bytes) -> Reply:
        """Send one header field; `value` without the space after the colon."""
        space = b" " if self.negotiated.steps & Steps.LEADING_SPACE else b""
        self._in_header = True
        return self._step("header", strings(name, space + octets(value)), None)

    def eoh(self, macros: Macros | None = None) -> Reply:
        self._in_header = False
        return self._step("eoh", b"", macros)

    def body(self, data: bytes) -> Reply:
        """Send the body in chunks of 65535 bytes, up to the first reply that is not `continue`."""
        reply = UNSENT
        for at in range(0, len(data), BODY_CHUNK):
            reply = self._step("body", data[at : at + BODY_CHUNK], None)
            if reply.action not in {"continue", "noreply"}:
                return reply
        return reply

    def end(self, macros: Macros | None = None) -> End:
        """End the message: return the changes and the reply. Sends the end of the header before, if it was not sent. Removes the
        queue id `i`."""
        if self._in_header:
            self.eoh()
        self._begin("end", b"", macros)
        self.known.pop("i", None)
        return self.read_end()

    def unknown(self, command: str | bytes) -> Reply:
        """Send an SMTP command that the MTA does not know."""
        return self._step("unknown", strings(command), None)

    def abort(self) -> None:
        """Abort the message (RSET, HELO, a refusal); the session goes on. No reply. Removes the queue id `i`."""
        self._in_header = False
        self.known.pop("i", None)
        self.send_packet(b"A")

    def quit_nc(self) -> None:
        """End this SMTP session; another one follows on the same connection without negotiation. No reply.

        Debian's libmilter 8.17.1 accepts the next CONNECT only after an `abort` within a transaction; in all other states it
        never answers again.
        """
        self.known.pop("i", None)
        self.send_packet(b"K")

    def quit(self) -> None:
        """Send QUIT and close the connection."""
        with contextlib.suppress(OSError):
            self.send_packet(b"Q")
        self.close()

    def close(self) -> None:
        """Close the connection without QUIT."""
        self.socket.close()

    # Macros before a step

    def macros_for(self, stage: str, own: Macros | None = None) -> dict[str, bytes]:
        """Return the values of the macros that are sent at a stage: those asked for (or the default ones) and the stage's own."""
        number = STAGES[stage].symlist
        asked = None if number is None else self.negotiated.symlists.get(number)
        names = self.default_lists.get(stage, ()) if asked is None else asked
        chosen = dict.fromkeys(macro.bare(name) for name in (*names, *(own or {})))
        return {name: self.known[name] for name in chosen if name in self.known}

    def _begin(self, name: str, payload: bytes, own: Macros | None) -> Reply | None:
        """Send a step; return its reply if that is known without waiting."""
        stage = STAGES[name]
        if self.negotiated.steps & stage.left_out:
            return UNSENT
        self.known |= macro.known(own or {})
        values = self.macros_for(name, own)
        ahead = _macro_packet(stage.command, values) if values else b""
        self.send_raw(ahead + packet(stage.command, payload))
        return NO_REPLY if self.negotiated.steps & stage.no_reply else None

    def _step(self, name: str, payload: bytes, own: Macros | None) -> Reply:
        return self._begin(name, payload, own) or self.read_reply()


def _macro_packet(command: bytes, values: Macros) -> bytes:
    pairs = [strings(macro.braced(name), value) for name, value in values.items()]
    return packet(b"D", command + b"".join(pairs))


def _family(address: bytes) -> str:
    if not address:
        return "U"
    if address.startswith(b"/"):
        return "L"
    return "6" if b":" in address else "4"


def _path(address: str | bytes) -> bytes:
    if isinstance(address, bytes):
        return address
    return octets(address if address.startswith("<") else f"<{address}>")
