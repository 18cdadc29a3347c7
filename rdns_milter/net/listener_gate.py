"""Refuse connections of MTAs at once while no worker runs: otherwise an MTA would wait for its timeout, about half a minute.

Never closes the listening socket, and never changes the mode of any file but that socket's own.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from .endpoints import SocketAddress
from .listener import pinned


class ListenerGate:
    """The listening socket, shut and opened again. A unix socket is shut by its file mode: connections that are already queued stay
    queued. An inet socket is shut by not listening; the port stays bound. A socket of the service manager (not `ours`) is never
    shut and never removed: connections wait in its queue until a worker runs again."""

    def __init__(self, fd: int, address: SocketAddress, mode: int, backlog: int, ours: bool) -> None:
        self._ours = ours
        self._fd = fd
        self._address = address
        self._mode = mode
        self._backlog = backlog
        self._is_shut = False

    def shut(self) -> bool:
        """Refuse new connections from now on. Return True if they were accepted until now."""
        if not self._ours or self._is_shut:
            return False
        self._is_shut = True
        with suppress(OSError), self._duplicate() as listener:
            if self._address.path:
                self._chmod(0)
            else:
                listener.shutdown(socket.SHUT_RDWR)
        return True

    def open(self) -> None:
        """Accept new connections again."""
        if not self._is_shut:
            return
        self._is_shut = False
        with suppress(OSError), self._duplicate() as listener:
            if self._address.path:
                self._chmod(self._mode)
            else:
                listener.listen(self._backlog)

    def remove(self) -> None:
        """Remove the file of a unix socket. Without effect if the process has given up root and may not write to the directory."""
        if self._ours:
            with suppress(OSError):
                os.unlink(self._address.path)

    def _chmod(self, mode: int) -> None:
        with pinned(self._address.path) as path:
            os.chmod(path, mode)

    def _duplicate(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self._fd))
