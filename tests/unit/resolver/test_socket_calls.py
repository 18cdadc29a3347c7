"""Datagrams are sent and received as a socket does, with the same errors."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from rdns_milter.resolver.transport.socket_calls import Datagrams

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with first, second:
        first.setblocking(False)
        second.setblocking(False)
        yield first, second


@pytest.mark.parametrize("data", [b"x", b"", b"\0" * 10, bytes(range(256))], ids=["one", "none", "zeros", "all"])
def test_a_datagram_arrives_as_it_was_sent(pair: Pair, data: bytes) -> None:
    Datagrams(512).send(pair[0], data)
    assert Datagrams(512).receive(pair[1]) == data


def test_datagrams_are_read_one_by_one_and_truncated(pair: Pair) -> None:
    datagrams = Datagrams(4)
    for data in (b"first", b"2"):
        datagrams.send(pair[0], data)
    first = datagrams.receive(pair[1])
    assert datagrams.receive(pair[1]) == b"2"
    assert first == b"firs"


def test_no_datagram_has_arrived(pair: Pair) -> None:
    assert Datagrams(512).receive(pair[1]) is None


def test_a_full_buffer_is_an_error(pair: Pair) -> None:
    datagrams = Datagrams(512)

    def fill() -> None:
        while True:
            datagrams.send(pair[0], b"x" * 500)

    with pytest.raises(BlockingIOError):
        fill()


def test_a_closed_port_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            sock.connect(closed.getsockname())
        datagrams = Datagrams(512)
        datagrams.send(sock, b"x")
        with pytest.raises(ConnectionRefusedError):
            datagrams.receive(sock)


def test_a_closed_socket_is_an_error(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        Datagrams(4).send(pair[0], b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        Datagrams(4).receive(pair[0])
