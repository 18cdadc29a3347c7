"""Connections that libmilter does not serve are shut down, others never."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from rdns_milter.daemon.lost_connections import _LOOKS, LostConnections
from rdns_milter.daemon.pool_waker import PoolWaker
from rdns_milter.net.endpoints import SocketAddress

COUNT = 3


@dataclass
class Waker:
    """The part of a pool waker that matters: how many sessions wait, and whether a thread is idle."""

    waiting: int = 0
    is_idle: bool = True

    def has_idle_thread(self) -> bool:
        return self.is_idle


@dataclass
class Connections:
    """COUNT connections to a socket of this process, with one unread byte each."""

    place: SocketAddress
    clients: list[socket.socket]
    accepted: list[socket.socket]

    def are_closed(self) -> bool:
        """Tell whether all clients see the end of their connection."""
        ends = []
        for client in self.clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                ends.append(client.recv(1))
        return ends == [b""] * COUNT


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[Connections]:
    path = str(tmp_path / "socket")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(COUNT)
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(COUNT)]
        accepted = []
        for client in clients:
            client.connect(path)
            accepted.append(stack.enter_context(listener.accept()[0]))
            client.sendall(b"O")
        yield Connections(SocketAddress("unix", path=path), clients, accepted)


def lost(connections: Connections, waker: Waker) -> LostConnections:
    return LostConnections(connections.place, cast(PoolWaker, waker))


def test_connections_that_are_never_read_are_shut_down(connections: Connections) -> None:
    found = lost(connections, Waker())
    assert [found.shut_down() for _ in range(_LOOKS)] == [0] * (_LOOKS - 1) + [COUNT]
    assert connections.are_closed()


@pytest.mark.parametrize(
    "waker", [Waker(is_idle=False), Waker(waiting=COUNT)], ids=["no thread is idle", "they wait for DNS"]
)
def test_connections_that_wait_are_kept(connections: Connections, waker: Waker) -> None:
    found = lost(connections, waker)
    assert [found.shut_down() for _ in range(3 * _LOOKS)] == [0] * 3 * _LOOKS
    assert not connections.are_closed()


def test_connections_that_are_read_are_kept(connections: Connections) -> None:
    found = lost(connections, Waker())
    for number in range(3 * _LOOKS):
        assert found.shut_down() == 0
        for client, server in zip(connections.clients, connections.accepted, strict=True):
            server.recv(100)
            client.sendall(b"x" * (1 + number % 2))
    assert not connections.are_closed()
