"""Quick ACKs: for few connections of one process each is acknowledged, for many none; and without a thread nothing breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from rdns_milter.daemon import quick_acks
from rdns_milter.daemon.quick_acks import MAX_CONNECTIONS, QuickAcks
from rdns_milter.net.endpoints import SocketAddress


@contextlib.contextmanager
def connections(count: int) -> Iterator[SocketAddress]:
    """Accept so many connections in this process."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        for _ in range(count):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
        yield SocketAddress("inet", "127.0.0.1", listener.getsockname()[1])


@pytest.fixture
def acknowledged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the descriptors that are acknowledged."""
    seen: list[int] = []
    real = quick_acks._acknowledge

    def spy(fd: int, inode: int) -> bool:
        seen.append(fd)
        return real(fd, inode)

    monkeypatch.setattr(quick_acks, "_acknowledge", spy)
    return seen


@pytest.mark.parametrize(
    ("count", "wanted"), [(3, 3), (MAX_CONNECTIONS, MAX_CONNECTIONS), (MAX_CONNECTIONS + 1, 0), (300, 0)]
)
def test_the_work_is_bounded(count: int, wanted: int, acknowledged: list[int]) -> None:
    with connections(count) as address:
        QuickAcks(address).acknowledge()
    # The client's end of each connection has another port, and is left alone.
    assert len(set(acknowledged)) == wanted


def test_connections_are_searched_for_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []
    now = 0.0

    def search(address: SocketAddress, limit: int) -> dict[int, int]:
        searches.append(limit)
        return {}

    monkeypatch.setattr(quick_acks, "descriptors", search)
    acks = QuickAcks(SocketAddress("inet", "127.0.0.1", 1), clock=lambda: now)
    for step in range(1000):  # a second in which connections come all the time
        now = step / 1000
        acks.connected()
        acks.acknowledge()
    assert 9 <= len(searches) <= 11
    assert set(searches) == {MAX_CONNECTIONS + 1}


def test_a_connection_that_is_gone_is_forgotten() -> None:
    with connections(2) as address:
        acks = QuickAcks(address)
        acks.acknowledge()
        assert len(acks._known) == 2
    acks.acknowledge()
    assert acks._known == {}


def test_without_a_thread_the_next_connection_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def start(thread: threading.Thread) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    acks = QuickAcks(SocketAddress("inet", "127.0.0.1", 1))
    for _ in range(3):
        acks.want()
    assert len(tries) == 2
