"""Connections of MTAs that this process has accepted, found by looking at its own file descriptors.

libmilter holds these connections and has no interface for them. Must never close a descriptor of libmilter's: works on duplicates.

proc(5) (/proc/self/fd).
"""

from __future__ import annotations

import fcntl
import itertools
import os
import select
import socket
import stat
import termios
from array import array
from collections.abc import Collection, Iterator
from contextlib import suppress

from .endpoints import SocketAddress


def count_accepted(address: SocketAddress) -> int:
    """Return how many connections this process has accepted at that address, with or without a session."""
    return sum(1 for _ in _accepted(address))


def descriptors(address: SocketAddress, limit: int) -> dict[int, int]:
    """Return the descriptors of accepted connections, at most `limit` of them, each with its inode. libmilter may close them at any
    time."""
    return {fd: os.fstat(sock.fileno()).st_ino for fd, sock in itertools.islice(_accepted(address), limit)}


def unread_bytes(address: SocketAddress) -> dict[int, int]:
    """Return the number of unread bytes of each accepted connection that is readable, by inode; 0 at end of file."""
    poll, unread = select.poll(), dict[int, int]()
    for _, sock in _accepted(address):
        poll.register(sock, select.POLLIN)
        if poll.poll(0):
            unread[os.fstat(sock.fileno()).st_ino] = _readable_bytes(sock)
        poll.unregister(sock)
    return unread


def shut_down(address: SocketAddress, inodes: Collection[int]) -> None:
    """Shut down both directions of the accepted connections with these inodes. Their descriptors, libmilter's, stay open."""
    for _, sock in _accepted(address):
        if os.fstat(sock.fileno()).st_ino in inodes:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def open_sockets() -> Iterator[tuple[int, socket.socket]]:
    """Yield each socket of this process: its descriptor, and a duplicate that is closed when the next one is asked for."""
    with suppress(OSError):
        for entry in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(int(entry)).st_mode):
                    with socket.socket(fileno=os.dup(int(entry))) as sock:
                        yield int(entry), sock


def is_listening(sock: socket.socket) -> bool:
    """Return whether the socket listens."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _accepted(address: SocketAddress) -> Iterator[tuple[int, socket.socket]]:
    for fd, sock in open_sockets():
        if sock.type == socket.SOCK_STREAM and _is_local_end(sock.getsockname(), address) and not is_listening(sock):
            yield fd, sock


def _is_local_end(name: object, address: SocketAddress) -> bool:
    return name[1] == address.port if isinstance(name, tuple) else bool(name) and name == address.path


def _readable_bytes(sock: socket.socket) -> int:
    size = array("i", (0,))
    with suppress(OSError):
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, size)
    return size[0]
