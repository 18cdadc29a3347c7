"""Sockets to name servers: what is sent goes out, what comes back goes to whoever waits for its id.

Reads nothing of an answer but its id. A socket carries one question, so that each has a port of its own that nobody can guess;
only towards a server on this host, where nobody else can forge an answer, sockets are used again, for it saves a third of the
cost. Lives on the event loop's thread.

RFC 5452 4.5 and 9.2 (ids and ports that cannot be guessed), RFC 1035 4.1.1.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

from ..net.endpoints import Endpoint
from .wire import PAYLOAD, Ids

REUSES = 10_000  # questions that one socket to a server on this host carries
MAX_SHARED = 4_000  # questions that may be under way on one socket: enough ids must be free to choose from
_BATCH = 64  # datagrams that are read at a time
_OCTETS = max(4096, PAYLOAD)  # of a datagram that are read: more than we say we take
_HEADER = 12
_LIGHT = 512  # octets; what is longer may take a millisecond to parse
_MAX_HEAVY = 1000  # of those that wait for their turn

Heard = Callable[[bytes | None], None]


class Turns:
    """Work on the loop's thread, a piece at a time: between two of them the loop sees to all else. So a hundred large answers
    to one client's questions keep nobody waiting who has a small one to come."""

    __slots__ = ("_loop", "_work")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: deque[Callable[[], None]] = deque()

    def take(self, work: Callable[[], None]) -> None:
        """Do this when its turn comes; at once where too many wait."""
        if len(self._work) >= _MAX_HEAVY:
            work()
            return
        self._work.append(work)
        if len(self._work) == 1:
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        work = self._work.popleft()
        if self._work:
            self._loop.call_soon(self._next)
        work()


class Channel:
    """A connected socket. `ask` sends; `heard` gets each datagram with the question's id, or None when the server's port is
    closed; until `forget`."""

    __slots__ = ("_ids", "_left", "_loop", "_socket", "_turns", "_waiting")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: Endpoint, questions: int, turns: Turns, ids: Ids
    ) -> None:
        """Raises OSError."""
        sock = _socket(server, socket.SOCK_DGRAM)
        try:
            sock.connect(_sockaddr(server))
        except OSError:
            sock.close()
            raise
        self._loop = loop
        self._socket = sock
        self._left = questions
        self._turns = turns
        self._ids = ids
        self._waiting: dict[int, Heard] = {}
        loop.add_reader(sock, self._readable)

    @property
    def is_open(self) -> bool:
        """Whether it takes further questions."""
        return self._left > 0 and len(self._waiting) < MAX_SHARED

    def reserve(self, heard: Heard) -> int:
        """An id that cannot be guessed and that no other question has here."""
        ident = self._ids.next()
        while ident in self._waiting:
            ident = self._ids.next()
        self._waiting[ident] = heard
        self._left -= 1
        return ident

    def send(self, wire: bytes) -> None:
        """Send a question. Raises OSError."""
        try:
            self._socket.send(wire)
        except ConnectionRefusedError:  # what an earlier question met (ICMP), this one will meet, too
            self._loop.call_soon(self._refused)

    def forget(self, ident: int) -> None:
        """Nobody waits for this id any more."""
        self._waiting.pop(ident, None)
        if self._left <= 0 and not self._waiting:
            self.close()

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        self._left = 0
        self._waiting.clear()

    def _readable(self) -> None:
        for _ in range(_BATCH):
            try:
                wire = self._socket.recv(_OCTETS)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._refused()
                return
            ident = int.from_bytes(wire[:2], "big")
            if len(wire) > _LIGHT and ident in self._waiting:
                self._turns.take(partial(self._hear, ident, wire))
            elif len(wire) >= _HEADER:
                self._hear(ident, wire)
            if self._socket.fileno() < 0:
                return

    def _hear(self, ident: int, wire: bytes) -> None:
        heard = self._waiting.get(ident)
        if heard is not None:
            heard(wire)

    def _refused(self) -> None:
        """The port is closed (ICMP): what has been asked here will not be answered."""
        self._left = 0
        for heard in tuple(self._waiting.values()):
            heard(None)


def _socket(server: Endpoint, kind: int) -> socket.socket:
    """One towards that server that never blocks. Raises OSError."""
    return socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, kind | socket.SOCK_NONBLOCK)


def _sockaddr(server: Endpoint) -> tuple[str, int] | tuple[str, int, int, int]:
    """The address that the kernel wants: of a scoped one the zone's number (RFC 4007 11). Raises OSError if there is no such
    interface."""
    host, percent, zone = server.host.partition("%")
    if not percent:
        return (host, server.port)
    number = min(int(zone), 0xFFFFFFFF) if zone.isdigit() else socket.if_nametoindex(zone)
    return (host, server.port, 0, number)


async def exchange(loop: asyncio.AbstractEventLoop, server: Endpoint, wire: bytes) -> bytes:
    """What a server answers by TCP. Raises OSError, and EOFError if it ends the connection early. Plain sockets: asyncio's
    streams keep themselves in memory when they are done."""
    with _socket(server, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, _sockaddr(server))
        await loop.sock_sendall(sock, len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await _read(loop, sock, 2), "big")
        return await _read(loop, sock, length)


async def _read(loop: asyncio.AbstractEventLoop, sock: socket.socket, octets: int) -> bytes:
    """So many octets. Raises EOFError if they do not come."""
    pieces = bytearray()
    while len(pieces) < octets:
        piece = await loop.sock_recv(sock, octets - len(pieces))
        if not piece:
            raise EOFError
        pieces += piece
    return bytes(pieces)


class Channels:
    """The channels of a resolver. `ids`: for questions that go another way; `behind`: turns of answers that others' work goes
    before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._shared: dict[Endpoint, Channel] = {}
        self.ids = Ids()
        self._turns = Turns(loop)
        self.behind = Turns(loop)

    def to(self, server: Endpoint) -> Channel:
        """A channel to a server. Raises OSError."""
        if not ip_address(server.host).is_loopback:
            return Channel(self.loop, server, 1, self._turns, self.ids)
        channel = self._shared.get(server)
        if channel is None or not channel.is_open:
            channel = self._shared[server] = Channel(self.loop, server, REUSES, self._turns, self.ids)
        return channel

    def close(self) -> None:
        """Let go of the shared sockets; the others belong to their questions."""
        for channel in self._shared.values():
            channel.close()
        self._shared.clear()
