"""Packets that a milter has not read yet, as the kernel counts them: those of a session that no thread of the milter serves.

proc_net_tcp(5), tcp(7) and unix(7) (SIOCOUTQ).
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Iterable
from pathlib import Path


def count_unserved(connections: Iterable[socket.socket]) -> int:
    """Return how many of the connections have packets that the milter has not read. IPv4 or unix sockets, on this host."""
    waiting = _unread_by_ports()
    return sum(
        waiting.get((each.getpeername()[1], each.getsockname()[1]), 0) > 0
        if each.family == socket.AF_INET
        else _unread(each) > 0
        for each in connections
    )


def _unread(connection: socket.socket) -> int:
    """Return the memory of the data that the other end of a unix socket has not read."""
    (size,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return int(size)


def _unread_by_ports() -> dict[tuple[int, int], int]:
    """Return the unread bytes of all IPv4 connections, by local and remote port."""
    unread = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        unread[int(local[-4:], 16), int(remote[-4:], 16)] = int(queues[-8:], 16)
    return unread
