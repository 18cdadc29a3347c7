"""An SMTP client for tests (RFC 5321) that keeps every reply, sends any bytes, and may take any identity by Postfix's XCLIENT.

It never retries, never looks anything up and never interprets a refusal: the dialogue is the result.

    dialogue = send(pf.address, Client("203.0.113.7", name="mx.example.com"), helo="mx.example.com",
                    mailfrom="a@example.com", rcpts=["b@rcpt.example"])
    assert dialogue.rcpts[0].code == 550
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.kit.milter.packets import octets, text
from tests.kit.smtp.client_identity import Client

TIMEOUT = 60.0
UNAVAILABLE = "[UNAVAILABLE]"
TEMPORARILY_UNAVAILABLE = "[TEMPUNAVAIL]"
_PLAIN_XTEXT = re.compile(rb"[!-*,-<>-~]")
LONGEST_LINE = 1 << 16
MOST_LINES = 1000
Headers = Sequence[tuple[str | bytes, str | bytes]]
HEADERS: Headers = (("From", "a@sender.example"), ("To", "b@rcpt.example"), ("Subject", "kit"))


class SmtpClosed(ConnectionError):
    """The server closed the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A reply: its code and the text of each line, without code and line end."""

    code: int
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.code // 100 in (2, 3)

    @property
    def text(self) -> str:
        """The lines joined by newlines."""
        return "\n".join(self.lines)

    @property
    def enhanced(self) -> str:
        """The enhanced status code of the first line (RFC 3463), "" if there is none."""
        found = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)", self.lines[0])
        return found[0] if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The steps that were taken, with their replies; names of steps: banner ehlo xclient helo mail rcpt data end quit."""

    steps: tuple[tuple[str, SmtpReply], ...]

    def replies(self, step: str) -> tuple[SmtpReply, ...]:
        return tuple(reply for name, reply in self.steps if name == step)

    def reply(self, step: str) -> SmtpReply | None:
        """Return the last reply at that step, None if it was not reached."""
        return next(iter(reversed(self.replies(step))), None)

    @property
    def rcpts(self) -> tuple[SmtpReply, ...]:
        """The reply to each recipient."""
        return self.replies("rcpt")

    @property
    def verdict(self) -> SmtpReply:
        """The reply that decided: that after the final dot, else the last before QUIT."""
        return [reply for name, reply in self.steps if name != "quit"][-1]

    @property
    def accepted(self) -> bool:
        end = self.reply("end")
        return end is not None and end.ok

    @property
    def queue_id(self) -> str:
        """The queue id of the accepted message from Postfix's or Sendmail's reply, "" if there is none."""
        end = self.reply("end")
        found = re.search(r"queued as (\w+)|(\w+) Message accepted", end.text) if end and end.ok else None
        return (found[1] or found[2]) if found else ""


class Smtp:
    """One connection to an SMTP server, opened and greeted (`banner`); every reply is kept in `dialogue`.

    `connection`: one that is already open. Raises TimeoutError if the server hangs, SmtpClosed or another ConnectionError if it
    closes the connection.
    """

    def __init__(
        self, address: tuple[str, int], timeout: float = TIMEOUT, connection: socket.socket | None = None
    ) -> None:
        self.steps: list[tuple[str, SmtpReply]] = []
        self.socket = connection or socket.create_connection(address, timeout)
        self._file = self.socket.makefile("rb")
        try:
            self.banner = self._keep("banner")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection without QUIT."""
        self._file.close()
        self.socket.close()

    @property
    def dialogue(self) -> Dialogue:
        """All steps so far."""
        return Dialogue(tuple(self.steps))

    def send_raw(self, data: bytes) -> None:
        """Send any bytes; several commands at once for pipelining, `read_reply` for each."""
        self.socket.sendall(data)

    def read_reply(self) -> SmtpReply:
        """Read the next reply; SmtpClosed if there is none, ValueError if it is malformed."""
        lines: list[str] = []
        while len(lines) < MOST_LINES:
            line = text(self._file.readline(LONGEST_LINE)).rstrip("\r\n")
            if not line:
                raise SmtpClosed("the server closed the connection")
            found = re.fullmatch(r"(\d{3})(?:([ -])(.*))?", line, re.DOTALL)
            if not found:
                raise ValueError(f"not an SMTP reply: {line[:200]!r}")
            lines.append(found[3] or "")
            if found[2] != "-":
                return SmtpReply(int(found[1]), tuple(lines))
        raise ValueError("endless SMTP reply")

    def _keep(self, step: str) -> SmtpReply:
        reply = self.read_reply()
        self.steps.append((step, reply))
        return reply

    def command(self, line: str | bytes, step: str = "command") -> SmtpReply:
        """Send one command, without its line end; return the reply."""
        self.send_raw(octets(line) + b"\r\n")
        return self._keep(step)

    def helo(self, name: str | bytes, *, esmtp: bool = True) -> SmtpReply:
        """Send EHLO, or HELO."""
        return self.command((b"EHLO " if esmtp else b"HELO ") + octets(name), "helo")

    def xclient(self, client: Client) -> SmtpReply:
        """Take that client's identity (after an EHLO); the server greets again, and wants EHLO again."""
        self.command("EHLO kit.invalid", "ehlo")
        return self.command(f"XCLIENT {xclient_attributes(client)}", "xclient")

    def starttls(self) -> SmtpReply:
        """Send STARTTLS, with any certificate of the server; it wants EHLO again."""
        reply = self.command("STARTTLS", "starttls")
        if reply.ok:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._file.close()
            self.socket = context.wrap_socket(self.socket)
            self._file = self.socket.makefile("rb")
        return reply

    def mail(self, sender: str | bytes, *arguments: str | bytes) -> SmtpReply:
        """Send MAIL FROM; a str is put in angle brackets if it has none, bytes are sent as they are."""
        return self.command(b" ".join([b"MAIL FROM:" + _path(sender), *map(octets, arguments)]), "mail")

    def rcpt(self, recipient: str | bytes, *arguments: str | bytes) -> SmtpReply:
        """Send RCPT TO; the recipient as the sender in `mail`."""
        return self.command(b" ".join([b"RCPT TO:" + _path(recipient), *map(octets, arguments)]), "rcpt")

    def data(self, headers: Headers, body: bytes = b"") -> SmtpReply:
        """Send DATA and the message; return the reply after the final dot, or DATA's own if it is not 354."""
        answer = self.command("DATA", "data")
        if answer.code != 354:
            return answer
        fields = b"".join(octets(name) + b": " + octets(value) + b"\r\n" for name, value in headers)
        message = re.sub(rb"\r?\n", b"\r\n", fields + b"\r\n" + body)
        message = re.sub(rb"^\.", b"..", message, flags=re.MULTILINE)
        end = b"" if message.endswith(b"\r\n") else b"\r\n"
        return self.command(message + end + b".", "end")

    def message(
        self,
        mailfrom: str | bytes = "a@sender.example",
        rcpts: Sequence[str | bytes] = ("b@rcpt.example",),
        headers: Headers = HEADERS,
        body: bytes = b"text\r\n",
        mail_args: Sequence[str | bytes] = (),
    ) -> SmtpReply:
        """Run one transaction as far as the server allows; return its last reply."""
        reply = self.mail(mailfrom, *mail_args)
        if not reply.ok:
            return reply
        answers = [self.rcpt(rcpt) for rcpt in rcpts]
        return self.data(headers, body) if any(answer.ok for answer in answers) else answers[-1]


ConnectAs = Callable[[Client | None, float], Smtp]


def send(
    address: tuple[str, int],
    client: Client | None = None,
    *,
    helo: str | bytes | None = "mail.sender.example",
    mailfrom: str | bytes = "a@sender.example",
    mail_args: Sequence[str | bytes] = (),
    rcpts: Sequence[str | bytes] = ("b@rcpt.example",),
    headers: Headers = HEADERS,
    body: bytes = b"text\r\n",
    esmtp: bool = True,
    timeout: float = TIMEOUT,
    connect_as: ConnectAs | None = None,
) -> Dialogue:
    """Run one session with one message, as far as the server allows.

    `client=None`: no XCLIENT. `helo=None`: MAIL without a greeting. `esmtp=False`: HELO, not EHLO. `connect_as`: opens a
    connection with that client's identity, where XCLIENT is not used. A server that closes the connection after a refusal (421)
    ends the dialogue; one that closes it without a reply raises ConnectionError.
    """
    with connect_as(client, timeout) if connect_as else Smtp(address, timeout) as smtp:
        try:
            if client is not None and connect_as is None and smtp.banner.ok:
                smtp.xclient(client)
            ready = smtp.steps[-1][1].ok
            if ready and (helo is None or smtp.helo(helo, esmtp=esmtp).ok):
                smtp.message(mailfrom, rcpts, headers, body, mail_args)
            smtp.command("QUIT", "quit")
        except ConnectionError:
            if smtp.steps[-1][1].ok:
                raise
        return smtp.dialogue


def xclient_attributes(client: Client) -> str:
    """Return the attributes of Postfix's XCLIENT command, xtext-encoded (RFC 3461 4)."""
    missing = TEMPORARILY_UNAVAILABLE if client.trouble else UNAVAILABLE
    address = client.address.removeprefix("IPv6:") or UNAVAILABLE
    attributes = {
        "NAME": client.name or missing,
        "ADDR": f"IPV6:{address}" if client.is_ipv6 else address,
        "PORT": str(client.port),
        "REVERSE_NAME": client.reverse_name or client.name or missing,
    }
    if client.login:
        attributes["LOGIN"] = client.login
    return " ".join(f"{key}={xtext(value)}" for key, value in attributes.items())


def xtext(value: str) -> str:
    """Return `value` with all but plain characters written as +XX (RFC 3461 4)."""
    encoded = value.encode("utf-8", "surrogateescape")
    return "".join(chr(o) if _PLAIN_XTEXT.match(bytes([o])) else f"+{o:02X}" for o in encoded)


def _path(address: str | bytes) -> bytes:
    if isinstance(address, bytes):
        return address
    return octets(address if address.startswith("<") else f"<{address}>")
