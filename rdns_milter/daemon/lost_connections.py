"""Connections that libmilter will never serve, because it could not start a thread when they arrived.

Finds them and shuts them down, so that the MTA does not wait for its timeout. Must never take a busy connection for a lost one: it
looks several times, and shuts down only those from which nothing has been read in between.
"""

from __future__ import annotations

import time

from ..net.accepted_connections import shut_down, unread_bytes
from ..net.endpoints import SocketAddress
from .pool_waker import PoolWaker

_LOOKS = 3  # in a row with the same number of unread bytes, before a connection is suspected
_SAMPLES, _SAMPLE_SECONDS = 30, 0.02  # further looks at the suspected ones


class LostConnections:
    """The lost connections of this process. `place`: the socket that it serves."""

    def __init__(self, place: SocketAddress, waker: PoolWaker) -> None:
        self._place = place
        self._waker = waker
        self._unread: dict[int, tuple[int, int]] = {}  # by inode: unread bytes, and the number of looks with as many

    def shut_down(self) -> int:
        """Look for lost connections and shut them down. Return how many there were. To be called once a second."""
        looks = {}
        for inode, size in unread_bytes(self._place).items():
            before, count = self._unread.get(inode, (size, 0))
            looks[inode] = (size, count + 1 if size == before else 1)
        # While no thread is idle, connections only wait for one. An idle thread would have taken them if libmilter knew of them.
        self._unread = looks if self._waker.has_idle_thread() else {}
        suspected = [inode for inode, (_, count) in self._unread.items() if count >= _LOOKS]
        # A session that waits for DNS does not read either if its MTA has closed the connection.
        if len(suspected) <= self._waker.waiting:
            return 0
        lost = self._never_read(suspected)
        if len(lost) <= self._waker.waiting:
            return 0
        shut_down(self._place, lost)
        return len(lost)

    def _never_read(self, inodes: list[int]) -> list[int]:
        """Return the connections whose number of unread bytes is the same in all samples. With one sample it could be the same by
        chance."""
        for _ in range(_SAMPLES):
            if not inodes:
                break
            time.sleep(_SAMPLE_SECONDS)
            sizes = unread_bytes(self._place)
            inodes = [inode for inode in inodes if sizes.get(inode) == self._unread[inode][0]]
        return inodes
