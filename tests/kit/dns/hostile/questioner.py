"""A client that asks the tests' name server about one badly behaved name, and shows what comes back.

What a datagram does not bring is shown without waiting: a second question, answered at once, is asked after the first;
what came before its answer is all there was.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
from dns.message import Message

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone

SECONDS = 10.0
LAST_ID = 0xABCD
DATA = """
x.example A 192.0.2.1
x.example A 192.0.2.2
x.example PTR host.example
x.example MX 10 host.example
x.example TXT text
last.example A 192.0.2.99
"""
RIGHT = ["192.0.2.1", "192.0.2.2"]


class Hostile:
    """The server with one behaviour for x.example, and a client."""

    def __init__(self, server: NameServer, client: socket.socket, behaviour: str) -> None:
        self.server, self.client = server, client
        server.queries.reset()
        server.zone = Zone(DATA, f"x.example {behaviour}")

    def send(self, name: str = "x.example", rdtype: str = "A", edns: bool = False) -> Message:
        """Sends one question by UDP, and returns it."""
        self.query = dns.message.make_query(name, rdtype, use_edns=edns)
        self.client.sendto(self.query.to_wire(), self.server.address)
        return self.query

    def now(self, name: str = "x.example", rdtype: str = "A", edns: bool = False) -> list[tuple[bytes, int]]:
        """What comes at once by UDP for a question: (octets, port they came from)."""
        self.send(name, rdtype, edns)
        self.client.sendto(dns.message.make_query("last.example", "A", id=LAST_ID).to_wire(), self.server.address)
        came: list[tuple[bytes, int]] = []
        while True:
            wire, peer = self.client.recvfrom(65535)
            if wire[:2] == LAST_ID.to_bytes(2, "big") and b"\x04last" in wire:
                return came
            came.append((wire, peer[1]))

    def wire(self, name: str = "x.example", rdtype: str = "A", edns: bool = False) -> bytes:
        """The one datagram that comes at once, from the right port."""
        [(wire, port)] = self.now(name, rdtype, edns)
        assert port == self.server.port
        return wire

    def udp(self, name: str = "x.example", rdtype: str = "A", edns: bool = False) -> Message:
        """The same, parsed."""
        return dns.message.from_wire(self.wire(name, rdtype, edns))

    @contextlib.contextmanager
    def connection(self, rdtype: str = "A") -> Iterator[socket.socket]:
        """A TCP connection on which the question has been sent."""
        with socket.create_connection(self.server.address, SECONDS) as connection:
            wire = self.send_nothing(rdtype).to_wire()
            connection.sendall(len(wire).to_bytes(2, "big") + wire)
            yield connection

    def send_nothing(self, rdtype: str) -> Message:
        """The question for TCP."""
        self.query = dns.message.make_query("x.example", rdtype)
        return self.query

    def tcp(self, rdtype: str = "A") -> Message:
        """The answer by TCP."""
        with self.connection(rdtype) as connection:
            return dns.message.from_wire(read_frame(connection))

    def truncated(self) -> None:
        """Holds that UDP gives an empty answer with TC."""
        response = self.udp()
        assert response.flags & dns.flags.TC
        assert response.answer == []


Make = Callable[[str], Hostile]


@contextlib.contextmanager
def hostile_maker(server: NameServer) -> Iterator[Make]:
    """Makes clients for one behaviour after another; at the end holds that the server met no fault of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        yield lambda behaviour: Hostile(server, client, behaviour)
    assert list(server.queries.faults) == []


def read_frame(connection: socket.socket) -> bytes:
    """One TCP message."""
    return _read(connection, int.from_bytes(_read(connection, 2), "big"))


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := connection.recv(count - len(data))):
        data += more
    return data


def read_all(connection: socket.socket) -> bytes:
    """All there is until the end."""
    with connection.makefile("rb") as stream:
        return stream.read()


def texts(response: Message) -> list[str]:
    """The data of the answer section."""
    return [each.to_text() for one in response.answer for each in one]
