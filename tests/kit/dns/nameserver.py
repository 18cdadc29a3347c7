"""A name server for tests: UDP and TCP on one loopback port, in a thread of its own. It is reachable when `start` returns.

    with NameServer(Zone("mail.example.com A 192.0.2.1")) as server:
        ... server.address, server.hostport, server.queries.count("mail.example.com", "A") ...

As a program, for the demo: `python -m tests.kit.dns.nameserver --zone FILE --listen 127.0.0.1:5353`. Never for the
open internet. Answers: tests.kit.dns.responder; bad ones: tests.kit.dns.hostile.behaviours.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import dns.name

from tests.kit.dns.message import MESSAGE_MAX, End, Send, Source
from tests.kit.dns.query_log import Queries
from tests.kit.dns.responder import QUERY_MAX, Responder
from tests.kit.dns.zone import Zone

BATCH = 64
BIND_TRIES = 50
PORTS = (10_000, 32_000)  # no connection has one of these: a stopped server can have its port back
BUFFER = 4 * 1024 * 1024
BACKLOG = 1024
STREAMS_MAX = 512
STREAM_QUERIES_MAX = 1000
STREAM_SECONDS = 60.0
REST_SECONDS = 0.1
STOP_SECONDS = 10.0
OTHER_ADDRESS = "127.0.0.2"

_Peer = Any


class NameServer:
    """A name server for `zone` on `host`. `port`: 0 for a free port, which later starts use again. `tcp`: False to refuse TCP
    connections.

    `zone` may be replaced while the server runs; `queries` counts the queries. After `pause` it receives and counts queries, but
    does not answer. After `hold` it keeps its answers until `release`. `stop` closes the port, `start` opens the same port again. A
    context manager that starts and stops the server.
    """

    def __init__(self, zone: Zone | None = None, host: str = "127.0.0.1", port: int = 0, *, tcp: bool = True) -> None:
        self.host, self.port = host, port
        self.queries = Queries()
        self._responder = Responder(zone or Zone(), self.queries)
        self._tcp = tcp
        self._paused = False
        self._held_name: bytes | None = None
        self._held: list[tuple[Send, _Peer]] = []
        self._thread: threading.Thread | None = None

    @property
    def zone(self) -> Zone:
        """The zone that it serves."""
        return self._responder.zone

    @zone.setter
    def zone(self, zone: Zone) -> None:
        self._responder = Responder(zone, self.queries)

    @property
    def address(self) -> tuple[str, int]:
        """(host, port); the port is known once the server has been started."""
        return self.host, self.port

    @property
    def hostport(self) -> str:
        """`127.0.0.1:5353` or `[::1]:5353`, as in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def pause(self) -> None:
        """Send nothing from now on, not even delayed answers."""
        self._paused = True

    def resume(self) -> None:
        """Answer queries that arrive from now on."""
        self._paused = False

    def hold(self, name: str = ".") -> None:
        """Keep the answers to UDP queries for names at or below `name` until `release`."""
        self._held_name = dns.name.from_text(name).to_wire()

    def release(self) -> None:
        """Send the answers that `hold` has kept, and all later ones at once."""
        self._held_name = None
        self._loop.call_soon_threadsafe(self._send_held)

    @property
    def held(self) -> int:
        """The number of answers that `hold` has kept so far."""
        return len(self._held)

    def _send_held(self) -> None:
        held, self._held = self._held, []
        for each in held:
            self._reply(*each)

    def start(self) -> NameServer:
        """Bind, then serve in a thread. Return the server. Raises OSError if the port is not available."""
        if self._thread is not None:
            raise RuntimeError("already started")
        self._udp, self._listener = self._bind()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="nameserver", daemon=True)
        self._thread.start()
        self._ready.wait(STOP_SECONDS)
        return self

    def stop(self) -> None:
        """Close the port and all connections, if the server runs."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join(STOP_SECONDS)

    def __enter__(self) -> NameServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> tuple[socket.socket, socket.socket | None]:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for left in reversed(range(BIND_TRIES)):
            with contextlib.ExitStack() as undo:
                udp = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                tcp = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
                try:
                    port = self.port or random.randrange(*PORTS)
                    # getaddrinfo knows zones (RFC 4007).
                    *_, where = socket.getaddrinfo(self.host, port, family, flags=socket.AI_NUMERICHOST)[0]
                    udp.bind(where)
                    tcp.bind(where)
                except OSError:
                    if self.port or not left:
                        raise
                    continue
                self.port = port
                for each in (udp, tcp):
                    each.setblocking(False)
                if not self._tcp:
                    tcp.close()
                    undo.pop_all()
                    return udp, None
                tcp.listen(BACKLOG)
                undo.pop_all()
                return udp, tcp
        raise AssertionError("not reached")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._streams: dict[asyncio.Task[None], socket.socket] = {}
        self._loop.add_reader(self._udp, self._readable)
        self._listen()
        self._ready.set()
        await self._stopping.wait()
        self._loop.remove_reader(self._udp)
        self._udp.close()
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
        streams = dict(self._streams)
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        # A task that is cancelled before its first step does not close its connection.
        for connection in streams.values():
            connection.close()

    # UDP

    def _readable(self) -> None:
        for _ in range(BATCH):
            try:
                wire, peer = self._udp.recvfrom(QUERY_MAX + 1)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._datagram(wire, peer)

    def _datagram(self, wire: bytes, peer: _Peer) -> None:
        sends = self._responder.respond(wire, tcp=False)
        if self._paused:
            return
        if self._held_name is not None and self._held_name in wire.lower():
            self._held += ((send, peer) for send in sends)
            return
        last = max((send.after for send in sends), default=0.0)
        if last:
            self.queries.began()
            self._loop.call_later(last, self.queries.ended)
        for send in sends:
            if send.after:
                self._loop.call_later(send.after, self._reply, send, peer)
            else:
                self._reply(send, peer)

    def _reply(self, send: Send, peer: _Peer) -> None:
        if self._paused or self._stopping.is_set():
            return
        # An answer is lost if the buffer is full or it does not fit into a datagram, as on a network.
        with contextlib.suppress(OSError):
            if send.source is Source.SAME:
                self._udp.sendto(send.data, peer)
            else:
                self._from_elsewhere(send, peer)

    def _from_elsewhere(self, send: Send, peer: _Peer) -> None:
        with socket.socket(self._udp.family, socket.SOCK_DGRAM) as other:
            if send.source is Source.ADDRESS and other.family == socket.AF_INET:
                try:
                    other.bind((OTHER_ADDRESS, self.port))
                except OSError:
                    other.bind((OTHER_ADDRESS, 0))
            else:
                other.bind((self.host, 0))
            other.sendto(send.data, peer)

    # TCP

    def _listen(self) -> None:
        if self._listener is not None and not self._stopping.is_set():
            self._loop.add_reader(self._listener, self._acceptable, self._listener)

    def _acceptable(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # No descriptors left: without a pause this would be a busy loop.
            self._loop.remove_reader(listener)
            self._loop.call_later(REST_SECONDS, self._listen)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._streams) >= STREAMS_MAX:
            connection.close()
            return
        task = self._loop.create_task(self._stream(connection))
        self._streams[task] = connection
        task.add_done_callback(lambda task: self._streams.pop(task, None))

    async def _stream(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError, TimeoutError):
            for _ in range(STREAM_QUERIES_MAX):
                if not await self._one(connection):
                    break

    async def _read(self, connection: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = await self._loop.sock_recv(connection, count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    async def _one(self, connection: socket.socket) -> bool:
        """Read one query and send its answers. Return False at the end of the connection."""
        async with asyncio.timeout(STREAM_SECONDS):
            size = int.from_bytes(await self._read(connection, 2), "big")
            if size > QUERY_MAX:
                self.queries.malformed += 1
                return False
            wire = await self._read(connection, size)
        came = self._loop.time()
        sends = self._responder.respond(wire, tcp=True)
        if self._paused:
            return True
        self.queries.began()
        try:
            for send in sends:
                await asyncio.sleep(max(0.0, came + send.after - self._loop.time()))
                await self._write(send, connection)
                if send.end is not End.KEEP:
                    await self._end(send.end, connection)
                    return False
        finally:
            self.queries.ended()
        return True

    async def _write(self, send: Send, connection: socket.socket) -> None:
        if self._paused:
            return
        data = send.data[:MESSAGE_MAX] if send.framed else send.data
        if send.framed:
            data = len(data).to_bytes(2, "big") + data
        step = 1 if send.pause else len(data) or 1
        for i in range(0, len(data), step):
            if send.pause and i:
                await asyncio.sleep(send.pause)
            async with asyncio.timeout(STREAM_SECONDS):
                await self._loop.sock_sendall(connection, data[i : i + step])

    async def _end(self, end: End, connection: socket.socket) -> None:
        if end is End.HANG:
            async with asyncio.timeout(STREAM_SECONDS):
                while await self._loop.sock_recv(connection, QUERY_MAX):
                    pass
        elif end is End.RESET:
            # With a linger time of zero, close sends RST (socket(7)).
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve zone files until TERM or INT; prints `listening on HOST:PORT` once bound. Exit status 0, or 2 for usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.dns.nameserver", description=__doc__.split("\n")[0])
    parser.add_argument("--zone", action="append", required=True, metavar="FILE", help="zone text; may be repeated")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default: a free port")
    chosen = parser.parse_args(arguments)
    host, _, port = chosen.listen.rpartition(":")
    try:
        zone = Zone(*(Zone.from_file(path).entries for path in chosen.zone))
        server = NameServer(zone, host.strip("[]") or "127.0.0.1", int(port)).start()
    except (OSError, ValueError) as why:
        parser.error(str(why))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    print(f"listening on {server.hostport}", flush=True)
    ended.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
