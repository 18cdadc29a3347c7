"""UDP and TCP to name servers: send queries, and hand each response to the query with its id.

Reads nothing of a response but the id. A socket carries one query, so that each query has a port of its own that cannot be guessed.
Only towards a server on this host, where no other host can forge a response, sockets are reused, which saves a third of the cost.
Runs on the event loop's thread.

RFC 5452 4.5 and 9.2 (ids and ports that cannot be guessed), RFC 1035 4.1.1.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

from ...net.endpoints import Endpoint
from ..wire import PAYLOAD, Ids
from .socket_calls import Datagrams
from .timers import Timeouts

REUSES = 10_000  # queries that one socket to a server on this host carries
MAX_SHARED = 4_000  # queries that may be under way on one socket: enough ids must be free to choose from
_BATCH = 64  # datagrams that are read at a time
_MAX_DATAGRAM = max(4096, PAYLOAD)  # bytes that are read of a datagram: more than queries allow
_HEADER = 12  # bytes
_SMALL = 512  # bytes; a larger response may take a millisecond to parse
_MAX_QUEUED = 1000  # large responses that wait to be parsed

# Called with a response, or with None if the server's port is closed.
OnResponse = Callable[[bytes | None], None]


class WorkQueue:
    """Jobs for the event loop, one for each of its iterations, so that other work runs in between: a hundred large responses to one
    client's queries do not delay another client with a small one."""

    __slots__ = ("_jobs", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: deque[Callable[[], None]] = deque()

    def add(self, job: Callable[[], None]) -> None:
        """Run the job in its turn, or at once if too many wait."""
        if len(self._jobs) >= _MAX_QUEUED:
            job()
            return
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._loop.call_soon(self._run_next)

    def _run_next(self) -> None:
        job = self._jobs.popleft()
        if self._jobs:
            self._loop.call_soon(self._run_next)
        job()


class UdpSocket:
    """A connected UDP socket for so many queries. To send one: `reserve` an id, `send` it, and `release` the id at the end. Until
    then each datagram with the id is passed to `on_response`."""

    __slots__ = ("_datagrams", "_ids", "_large", "_left", "_loop", "_socket", "_waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: Endpoint,
        queries: int,
        large: WorkQueue,
        ids: Ids,
        datagrams: Datagrams,
    ) -> None:
        """`large`: the queue for large responses. Raises OSError."""
        sock = _socket(server, socket.SOCK_DGRAM)
        try:
            sock.connect(_sockaddr(server))
        except OSError:
            sock.close()
            raise
        self._loop = loop
        self._socket = sock
        self._left = queries
        self._large = large
        self._ids = ids
        self._datagrams = datagrams
        self._waiting: dict[int, OnResponse] = {}
        loop.add_reader(sock, self._on_readable)

    @property
    def is_open(self) -> bool:
        """Whether it takes further queries."""
        return self._left > 0 and len(self._waiting) < MAX_SHARED

    def reserve(self, on_response: OnResponse) -> int:
        """Return an id that cannot be guessed and that no other query has on this socket."""
        ident = self._ids.next()
        while ident in self._waiting:
            ident = self._ids.next()
        self._waiting[ident] = on_response
        self._left -= 1
        return ident

    def send(self, wire: bytes) -> None:
        """Send a query. Raises OSError."""
        try:
            self._datagrams.send(self._socket, wire)
        except ConnectionRefusedError:  # the ICMP error of an earlier query: this one will fare the same
            self._loop.call_soon(self._on_refused)

    def release(self, ident: int) -> None:
        """Free an id. The socket is closed with its last one."""
        self._waiting.pop(ident, None)
        if self._left <= 0 and not self._waiting:
            self.close()

    def close(self) -> None:
        """Close the socket. No callback is called any more."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        self._left = 0
        self._waiting.clear()

    def _on_readable(self) -> None:
        for _ in range(_BATCH):
            try:
                wire = self._datagrams.receive(self._socket)
            except OSError:
                self._on_refused()
                return
            if wire is None:
                return
            ident = int.from_bytes(wire[:2], "big")
            if len(wire) > _SMALL and ident in self._waiting:
                self._large.add(partial(self._dispatch, ident, wire))
            elif len(wire) >= _HEADER:
                self._dispatch(ident, wire)
            if self._socket.fileno() < 0:
                return

    def _dispatch(self, ident: int, wire: bytes) -> None:
        on_response = self._waiting.get(ident)
        if on_response is not None:
            on_response(wire)

    def _on_refused(self) -> None:
        """End all queries on this socket: the server's port is closed (ICMP)."""
        self._left = 0
        for on_response in tuple(self._waiting.values()):
            on_response(None)


def _socket(server: Endpoint, kind: int) -> socket.socket:
    """Return a non-blocking socket of the server's family. Raises OSError."""
    return socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, kind | socket.SOCK_NONBLOCK)


def _sockaddr(server: Endpoint) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return the address for the kernel; for a scoped one with the number of its zone (RFC 4007 11). Raises OSError if there is no
    such interface."""
    host, percent, zone = server.host.partition("%")
    if not percent:
        return (host, server.port)
    number = min(int(zone), 0xFFFFFFFF) if zone.isdigit() else socket.if_nametoindex(zone)
    return (host, server.port, 0, number)


async def exchange(loop: asyncio.AbstractEventLoop, server: Endpoint, wire: bytes) -> bytes:
    """Send a query by TCP and return the response. Raises OSError, and EOFError if the server closes the connection early. With
    plain sockets, because asyncio's streams are freed only by the garbage collector."""
    with _socket(server, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, _sockaddr(server))
        await loop.sock_sendall(sock, len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await _read(loop, sock, 2), "big")
        return await _read(loop, sock, length)


async def _read(loop: asyncio.AbstractEventLoop, sock: socket.socket, size: int) -> bytes:
    """Return so many bytes. Raises EOFError if there are fewer."""
    received = bytearray()
    while len(received) < size:
        piece = await loop.sock_recv(sock, size - len(received))
        if not piece:
            raise EOFError
        received += piece
    return bytes(received)


class SocketPool:
    """The sockets of a resolver. `ids`: for queries by TCP; `low_priority`: the queue for work that comes after all other;
    `timeouts`: the timers of queries."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._shared: dict[Endpoint, UdpSocket] = {}
        self._on_loopback: dict[Endpoint, bool] = {}
        self.ids = Ids()
        self._large = WorkQueue(loop)
        self._datagrams = Datagrams(_MAX_DATAGRAM)
        self.low_priority = WorkQueue(loop)
        self.timeouts = Timeouts(loop)

    def to(self, server: Endpoint) -> UdpSocket:
        """Return a socket to a server. Raises OSError."""
        on_loopback = self._on_loopback.get(server)
        if on_loopback is None:
            on_loopback = self._on_loopback[server] = ip_address(server.host).is_loopback
        if not on_loopback:
            return UdpSocket(self.loop, server, 1, self._large, self.ids, self._datagrams)
        shared = self._shared.get(server)
        if shared is None or not shared.is_open:
            shared = self._shared[server] = UdpSocket(self.loop, server, REUSES, self._large, self.ids, self._datagrams)
        return shared

    def close(self) -> None:
        """Close the shared sockets and cancel all timers. The other sockets are closed by their queries."""
        self.timeouts.close()
        for shared in self._shared.values():
            shared.close()
        self._shared.clear()
