"""Switch off delayed ACKs on connections of Sendmail over TCP.

Sendmail sends the macros of a stage and the command itself in two packets. Nagle's algorithm holds the second packet back until the
first is acknowledged. The milter does not reply to macros, so the kernel delays that ACK by 40 ms, five times for each message.
TCP_QUICKACK switches the delay off, but only until the next reply, which libmilter sends after the callback has returned. Therefore
a thread sets the option shortly after each callback, and several times more. The thread starts when an MTA other than Postfix
connects: Postfix sends both in one packet.

Must never keep a connection open or close it: the descriptors are libmilter's. The work is bounded: with more than MAX_CONNECTIONS
nothing is done, and each message is slowed down by delayed ACKs.

RFC 896, RFC 1122 4.2.3.2, tcp(7); packaging/doc/platform.md 2.3.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..net.accepted_connections import descriptors
from ..net.endpoints import SocketAddress

_FIRST = 0.001  # seconds after a callback has returned; mostly its reply has been sent by then
_NEXT = 0.005  # seconds until the option is set again, for later replies and for DATA, which has no callback
_TIMES = 10
# Of one process. With more, the system calls would cost other clients more time than the ACKs save.
MAX_CONNECTIONS = 64
_RESCAN = 0.1  # seconds, at least, between two searches for new connections
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux


class QuickAcks:
    """The connections of one process. `place`: the socket to which its MTAs connect."""

    def __init__(self, place: SocketAddress, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._wanted = False
        self._looked = False
        self._next_scan = float("-inf")
        self._replied = threading.Event()
        self._known: dict[int, int] = {}

    def want(self) -> None:
        """Start the thread, because an MTA that needs it has connected. Does nothing for a unix socket."""
        if self._wanted or self._place.path or _QUICKACK is None:
            return
        self._wanted = True
        try:
            threading.Thread(target=self._watch, name="quick-acks", daemon=True).start()
        except RuntimeError:  # out of threads: the next connection tries again
            self._wanted = False

    def connected(self) -> None:
        """Search for new connections next time."""
        self._looked = False

    def replied(self) -> None:
        """Wake the thread: a reply is about to be sent."""
        if self._wanted:
            self._replied.set()

    def _watch(self) -> None:
        left = 0
        while True:
            if self._replied.wait(_NEXT if left else None):
                self._replied.clear()
                left = _TIMES
                time.sleep(_FIRST)
            left -= 1
            self.acknowledge()

    def acknowledge(self) -> None:
        """Acknowledge received data on all connections, if there are at most MAX_CONNECTIONS."""
        now = self._clock()
        if not self._looked and now >= self._next_scan:
            self._looked, self._next_scan = True, now + _RESCAN
            found = descriptors(self._place, MAX_CONNECTIONS + 1)
            self._known = found if len(found) <= MAX_CONNECTIONS else {}
        for fd, inode in tuple(self._known.items()):
            if not _acknowledge(fd, inode):
                del self._known[fd]


def _acknowledge(fd: int, inode: int) -> bool:
    """Switch off delayed ACKs until the next reply. Return False if the connection is closed. If the descriptor belongs to another
    file by now, the option cannot be set or does no harm."""
    try:
        if os.fstat(fd).st_ino != inode:
            return False
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)
    except OSError:
        return False
    try:
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK or 0, 1)
    finally:
        sock.detach()
    return True
