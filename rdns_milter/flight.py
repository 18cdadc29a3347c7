"""One DNS question under way: sent to one name server after the other until one has answered it.

Knows neither cache nor check. Ends exactly once, with a Reading, whatever the network does, and then holds no socket and no
timer. Lives on the event loop's thread.

RFC 5452 (a fresh port and id for each try), RFC 7766 (TCP when the answer was cut), RFC 1035 4.2.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .endpoints import Endpoint
from .lookup import Answer, Question, Status
from .message import BadName, Query, Reading, decode, encode

GROWTH = 1.5  # how much longer each further round over the servers is than the one before
_LARGE = 4096  # octets; larger answers are parsed in a thread, so that nobody waits for them


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: at whom, for how many seconds, and whether with EDNS."""

    server: Endpoint
    seconds: float
    edns: bool


Tries = Iterator[Try]
Landed = Callable[["Flight", Reading], None]
Heard = Callable[[Endpoint, bool], None]


class Flight:
    """A question under way. `landed` is called once with what came of it; `heard` for each try, with whether the server
    answered at all. `waiters` are told the answer by the resolver; `until`: when the last of them gives up; `chased`: how many
    CNAMEs led here."""

    __slots__ = (
        "_closed", "_heard", "_landed", "_last", "_loop", "_sockets", "_task", "_timer", "_tries",
        "chased", "question", "started", "until", "waiters",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, question: Question, tries: Tries, landed: Landed, heard: Heard
    ) -> None:
        self.question = question
        self.waiters: list[Callable[[Answer], None]] = []
        self.started = loop.time()
        self.until = self.started
        self.chased = 0
        self._loop = loop
        self._tries = tries
        self._landed = landed
        self._heard = heard
        self._sockets: list[socket.socket] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._last: Status = "timeout"
        self._closed = False

    def start(self) -> None:
        """Send the first try."""
        self._next()

    def _next(self) -> None:
        """The next try, or the end if there is none left. Sockets of earlier tries stay open: a late answer is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for attempt in self._tries:
            try:
                query = encode(self.question, attempt.edns)
            except BadName:
                self._end(Reading("bad-name"))
                return
            if self._send(attempt, query):
                self._timer = self._loop.call_later(attempt.seconds, self._silent, attempt.server)
                return
        self._end(Reading(self._last))

    def _send(self, attempt: Try, query: Query) -> bool:
        """Whether the question went out. A fresh socket, so a fresh port that the kernel chooses at random."""
        try:
            sock = socket.socket(_family(attempt.server), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            self._last = "error"
            return False
        try:
            sock.connect(attempt.server)
            sock.send(query.wire)
        except OSError:
            sock.close()
            self._last = "timeout"
            self._heard(attempt.server, False)
            return False
        self._sockets.append(sock)
        self._loop.add_reader(sock, self._readable, sock, attempt, query)
        return True

    def _readable(self, sock: socket.socket, attempt: Try, query: Query) -> None:
        try:
            wire = sock.recv(65535)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # The port is closed (ICMP): this server will not answer, so there is no use in waiting.
            self._heard(attempt.server, False)
            self._loop.remove_reader(sock)
            self._last = "timeout"
            self._next()
            return
        if len(wire) > _LARGE:
            self._take_large(wire, attempt, query)
            return
        self._take(decode(wire, query, over_tcp=False), attempt)

    def _take(self, reading: Reading | None, attempt: Try) -> None:
        """Make use of what one server said; what is no answer is as if it had not come (a forger's guess, say)."""
        if self._closed or reading is None:
            return
        self._heard(attempt.server, True)
        if reading.truncated:
            self._fetch_by_tcp(attempt)
        elif reading.status in ("ok", "nxdomain", "nodata", "bogus"):
            self._end(reading)
        elif reading.without_edns and attempt.edns:
            plain = replace(attempt, edns=False)
            self._last = reading.status
            self._send(plain, encode(self.question, edns=False))
        else:
            self._last = reading.status
            self._next()

    def _silent(self, server: Endpoint) -> None:
        self._heard(server, False)
        self._last = "timeout"
        self._next()

    def _fetch_by_tcp(self, attempt: Try) -> None:
        if self._task is None:
            if self._timer is not None:
                self._timer.cancel()
            self._task = self._loop.create_task(self._by_tcp(attempt))

    def _take_large(self, wire: bytes, attempt: Try, query: Query) -> None:
        if self._task is None:
            self._task = self._loop.create_task(self._decode_apart(wire, attempt, query))

    async def _decode_apart(self, wire: bytes, attempt: Try, query: Query) -> None:
        reading = await self._loop.run_in_executor(None, decode, wire, query, False)
        self._task = None
        self._take(reading, attempt)

    async def _by_tcp(self, attempt: Try) -> None:
        """The whole answer over TCP; on any trouble on to the next try."""
        reading: Reading | None = None
        try:
            async with asyncio.timeout(attempt.seconds):
                reading = await self._converse(attempt)
        except (OSError, EOFError):  # TimeoutError is an OSError; IncompleteReadError an EOFError
            pass
        self._task = None
        if self._closed:
            return
        if reading is None:
            self._last = "error"
            self._next()
        else:
            self._take(reading, attempt)

    async def _converse(self, attempt: Try) -> Reading | None:
        query = encode(self.question, attempt.edns)
        reader, writer = await asyncio.open_connection(*attempt.server)
        try:
            writer.write(len(query.wire).to_bytes(2, "big") + query.wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = await reader.readexactly(length)
        finally:
            writer.transport.abort()
        if length > _LARGE:
            return await self._loop.run_in_executor(None, decode, wire, query, True)
        return decode(wire, query, over_tcp=True)

    def _end(self, reading: Reading) -> None:
        if self._closed:
            return
        self.cancel()
        self._landed(self, reading)

    def cancel(self) -> None:
        """Let go of all that it holds; `landed` will not be called."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()
        if self._task is not None and self._task is not asyncio.current_task(self._loop):
            self._task.cancel()


def _family(server: Endpoint) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server.host else socket.AF_INET
