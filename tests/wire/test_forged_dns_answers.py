"""Another local user forges answers of a resolver on this host, sent to the socket that questions to it share.

The forger knows the milter's port and the question's id, which nobody knows who cannot read the network, and is ignored all the
same. RFC 5452 (protection against forged answers). connect(2): a connected datagram socket receives from its peer only.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver.transport.sockets import SocketPool
from tests.kit.milter.daemon import ROOT

TRUE, FORGED = b"true........", b"forged......"
# Takes the user nobody, if it can. Sends the forged answer from another address and another port, then from the resolver's own
# port, if it can bind it. Prints for each way "sent", or the error.
FORGER = """
import os, socket, sys
if os.geteuid() == 0:
    os.setuid(65534)
host, port, to, forged = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
for source in ((host, 0), ("127.0.0.2", port), (host, port)):
    for option in (0, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                if option:
                    sock.setsockopt(socket.SOL_SOCKET, option, 1)
                sock.bind(source)
                sock.sendto(forged, ("127.0.0.1", to))
                print("sent")
            except OSError as error:
                print(error.strerror)
"""


@pytest.fixture
def resolver() -> Iterator[socket.socket]:
    """The socket of a resolver; its port is one that any user may bind."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def forge(resolver: socket.socket, victim: tuple[str, int], ident: bytes) -> list[str]:
    """Forge an answer as another user in each way; return the result of each."""
    host, port = resolver.getsockname()
    command = [sys.executable, "-c", FORGER, host, str(port), str(victim[1]), (ident + FORGED).hex()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    return done.stdout.split("\n")[:-1]


def test_only_the_resolver_is_received(resolver: socket.socket) -> None:
    heard: list[bytes | None] = []

    async def ask() -> list[str]:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def hear(wire: bytes | None) -> None:
            heard.append(wire)
            done.set()

        channels = SocketPool(loop)
        channel = channels.to(Endpoint(*resolver.getsockname()))
        ident = channel.reserve(hear).to_bytes(2, "big")
        channel.send(ident + b"question....")
        _, victim = resolver.recvfrom(512)
        outcomes = forge(resolver, victim, ident)
        resolver.sendto(ident + TRUE, victim)
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0)
        channels.close()
        return outcomes

    outcomes = asyncio.run(ask())
    assert outcomes[:6] == ["sent"] * 6
    assert outcomes[6:] == ["Address already in use"] * 3
    assert [wire and wire[2:] for wire in heard] == [TRUE]


def test_each_question_has_an_id_of_its_own(resolver: socket.socket) -> None:
    """Questions share the socket, and ids are not consecutive: of 1,000 drawn from 65,536 few are neighbours."""

    async def ids() -> list[int]:
        channels = SocketPool(asyncio.get_running_loop())
        server = Endpoint(*resolver.getsockname())
        assert channels.to(server) is channels.to(server)
        found = [channels.to(server).reserve(lambda wire: None) for _ in range(1000)]
        channels.close()
        return found

    found = asyncio.run(ids())
    assert len(set(found)) == len(found)
    assert max(found) > 50_000
    assert min(found) < 15_000
    assert sum(abs(one - other) == 1 for one, other in itertools.pairwise(found)) < 10
