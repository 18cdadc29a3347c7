"""The name server of the benchmark: computes the answers for all clients (tests.bench.clients), and can delay them.

A separate process, `python -m tests.bench.stub_nameserver [PORT]`, that prints `listening on HOST:PORT`. A datagram too short for
DNS is a command: `?` returns the number of questions so far, `d20` sets the delay to 20 milliseconds. Listens on loopback only;
checks nothing.

RFC 1035 4.1.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.bench import clients
from tests.bench.clients import HOLES

TTL = 3600
NEGATIVE_TTL = 300
BATCH = 256
HEADER = 12
BUFFER = 4 << 20
PATIENCE = 10.0
A, SOA, PTR, MX, TXT, OPT = 1, 6, 12, 15, 16, 41

Records = list[tuple[int, bytes]]  # type and data of each
Answer = Callable[[int, int], Records]  # arguments: the type of the question and the number of the client
Peer = Any


def name(text: str) -> bytes:
    """Return a name in wire format."""
    return b"".join(bytes((len(label),)) + label.encode() for label in text.split(".")) + b"\0"


def _text(text: str) -> Records:
    return [(TXT, bytes((len(text),)) + text.encode())]


def _exchangers(number: int) -> Records:
    return [(MX, b"\0\x0a" + name(host)) for host in clients.exchangers(number)]


_PART, _LAST = _text(clients.PART_RECORD), _text(clients.LAST_RECORD)
_ELSEWHERE = [(A, bytes((192, 0, 2, 1)))]
ANSWERS: dict[bytes, Answer] = {
    name(clients.HOST): lambda kind, number: [(A, bytes((10, *number.to_bytes(3, "big"))))] if kind == A else [],
    name(clients.SENDER): lambda kind, number: _text(clients.record(number)) if kind == TXT else [],
    name(clients.PART): lambda kind, number: _PART if kind == TXT else [],
    name(clients.LAST): lambda kind, number: _LAST if kind == TXT else [],
    name(clients.COSTLY): lambda kind, number: _text(clients.costly_record(number)) if kind == TXT else [],
    name(clients.EXCHANGE): lambda kind, number: _exchangers(number) if kind == MX else [],
    name(clients.EXCHANGER): lambda kind, number: _ELSEWHERE if kind == A else [],
}
_REVERSE = name("10.in-addr.arpa")
_OPT = struct.pack("!BHHIH", 0, OPT, 1232, 0, 0)
_SOA_DATA = name("ns.test") + name("hostmaster.test") + struct.pack("!5I", 1, 3600, 600, 86400, NEGATIVE_TTL)
_NOTHING = name("test") + struct.pack("!HHIH", SOA, 1, NEGATIVE_TTL, len(_SOA_DATA)) + _SOA_DATA


def respond(wire: bytes) -> bytes | None:
    """Return the response to a query; None if the client is one of the HOLES. Raises ValueError or IndexError for a datagram that
    is not a query about a client."""
    end = wire.index(b"\0", HEADER)
    kind = wire[end + 2]
    start = HEADER + 1 + wire[HEADER]
    answer = ANSWERS.get(wire[start : end + 1])
    if answer is not None:
        number = int(wire[HEADER + 2 : start], 16)
        found = answer(kind, number)
    elif wire.endswith(_REVERSE, HEADER, end + 1):
        number = _reversed(wire)
        found = [(PTR, name(clients.host(number)))] if kind == PTR else []
    else:
        raise ValueError("nobody's name")
    if number >= HOLES:
        return None
    extra = wire[11:12] == b"\1"
    counts = (len(found), 0) if found else (0, 1)
    head = wire[:2] + struct.pack("!5H", 0x8180, 1, *counts, extra)
    told = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data for kind, data in found)
    told = told or _NOTHING
    return head + wire[HEADER : end + 5] + told + (_OPT if extra else b"")


def _reversed(wire: bytes) -> int:
    """Return the number of the client for a name in in-addr.arpa."""
    number, place = 0, HEADER
    for shift in (0, 8, 16):
        length = wire[place]
        number |= int(wire[place + 1 : place + 1 + length]) << shift
        place += 1 + length
    return number


class Stub:
    """The server in this process. Delayed answers are kept in a heap, so that a delay does not limit the rate."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._late: list[tuple[float, int, bytes, Peer]] = []
        self._order = itertools.count()
        self._delay = 0.0
        self._queries = 0

    def serve(self) -> None:
        """Serve until the process gets a signal."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            wait = max(0.0, self._late[0][0] - time.monotonic()) * 1000 if self._late else None
            if poll.poll(wait):
                self._read()
            now = time.monotonic()
            while self._late and self._late[0][0] <= now:
                _, _, wire, peer = heapq.heappop(self._late)
                self._send(wire, peer)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(BATCH):
                wire, peer = self._socket.recvfrom(512)
                if len(wire) < HEADER:
                    self._send(self._obey(wire), peer)
                    continue
                self._queries += 1
                with contextlib.suppress(ValueError, IndexError):
                    self._answer(respond(wire), peer)

    def _answer(self, wire: bytes | None, peer: Peer) -> None:
        if wire is not None and self._delay:
            heapq.heappush(self._late, (time.monotonic() + self._delay, next(self._order), wire, peer))
        elif wire is not None:
            self._send(wire, peer)

    def _send(self, wire: bytes, peer: Peer) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(wire, peer)

    def _obey(self, command: bytes) -> bytes:
        if command[:1] == b"d":
            self._delay = int(command[1:]) / 1000
        return str(self._queries).encode()


class StubProcess:
    """The server as a child process; a context manager. `port`: 0 for a free port; `hostport`: its address; `pid`: its process
    id."""

    def __init__(self, port: int = 0) -> None:
        self._port = port

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.bench.stub_nameserver", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        if not line:
            raise RuntimeError("the DNS stub did not start")
        self.hostport = line.split()[-1]
        self.pid = self._process.pid
        host, _, port = self.hostport.partition(":")
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._control.settimeout(PATIENCE)
        self._control.connect((host, int(port)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        self._process.kill()
        self._process.communicate()

    @property
    def queries(self) -> int:
        """Return the number of questions so far."""
        return self._command(b"?")

    def delay(self, milliseconds: int) -> None:
        """Delay answers by this many milliseconds from now on."""
        self._command(f"d{milliseconds}".encode())

    def _command(self, command: bytes) -> int:
        self._control.send(command)
        return int(self._control.recv(64))


if __name__ == "__main__":
    stub = Stub(int(sys.argv[1]) if sys.argv[1:] else 0)
    print(f"listening on 127.0.0.1:{stub.port}", flush=True)
    stub.serve()
