"""The process that serves the metrics, as the parent sees it: its socket, its start, its replacement, its end.

It is a child of its own because the parent must not read from the network, and because a worker may hang or die just when
somebody wants to know. Without an address to listen at there is no such process, and prometheus-client is never loaded.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

from ..net.endpoints import Endpoint, SocketAddress
from ..net.listener import CannotListen
from .shared_memory import Ledger

_SOON = 5.0  # seconds: one that ends sooner than this after its start is started anew with delay
_MIN_DELAY, _MAX_DELAY = 0.5, 30.0
_BACKLOG = 64


class Exporter:
    """`place`: the milter's socket; `say` writes to the log."""

    def __init__(self, ledger: Ledger, place: SocketAddress, say: Callable[[str, str], None]) -> None:
        self._ledger = ledger
        self._place = place
        self._say = say
        self._began = time.monotonic()
        self._at: Endpoint | None = None
        self._socket: socket.socket | None = None
        self._pid = 0
        self._started = 0.0
        self._due = 0.0
        self._delay = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is such a process."""
        return self._pid != 0

    def open(self, at: Endpoint | None) -> None:
        """Listen there from now on, or nowhere. Raises CannotListen, and then all is as it was."""
        if at == self._at:
            return
        sock = None if at is None else _listen(at)
        self.stop()
        self._at, self._socket, self._due = at, sock, 0.0
        if at is not None:
            self._say(f"metrics at http://{at}/metrics, liveness at http://{at}/healthz", "notice")

    def move(self, at: Endpoint | None) -> None:
        """As `open`; if that cannot be, the log says so."""
        try:
            self.open(at)
        except CannotListen as error:
            self._say(f"{error}; all else of the new config is in force", "err")

    def start_due(self, parent: int, let_go: Callable[[], None]) -> None:
        """Start the process if it should be there and is not. `parent`: the pipe by whose end it knows that the parent is gone;
        `let_go` closes in the child what is the parent's alone."""
        now = time.monotonic()
        if self._socket is None or self._pid or now < self._due:
            return
        self._started = now
        try:
            self._pid = os.fork()
        except OSError as error:
            self._postpone(0.0)
            self._say(f"metrics cannot be served: {error.strerror}", "err")
            return
        if self._pid == 0:
            self._be(self._socket, parent, let_go)

    def ended(self, pid: int, how: str) -> bool:
        """A child of the parent's has ended: True if it was this one."""
        if pid != self._pid:
            return False
        self._pid = 0
        self._postpone(time.monotonic() - self._started)
        self._say(f"the process that serves the metrics ended ({how}); next in {self._delay:.1f} s", "warning")
        return True

    def _postpone(self, lasted: float) -> None:
        """Say when the next is to come, in the place of one that has lasted so many seconds."""
        self._delay = 0.0 if lasted > _SOON else min(_MAX_DELAY, max(_MIN_DELAY, self._delay * 2))
        self._due = time.monotonic() + self._delay

    def close(self) -> None:
        """Let go of the socket: in a worker."""
        if self._socket is not None:
            self._socket.close()

    def stop(self) -> None:
        """End the process, and listen no more. It holds nothing that could get lost."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        self.close()
        self._socket = None

    def _be(self, sock: socket.socket, parent: int, let_go: Callable[[], None]) -> None:
        """In the child: never returns."""
        status = 1
        try:
            let_go()
            for number in (signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            from .http import run

            run(sock, parent, self._ledger, self._place, self._began, self._bug)
            status = 0
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a second parent
            self._bug(error)
        finally:
            os._exit(status)

    def _bug(self, error: BaseException) -> None:
        self._say(f"metrics cannot be served: {ascii(error)[:300]}", "err")


def _listen(at: Endpoint) -> socket.socket:
    sock = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(*at, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise CannotListen(f"metrics.listen: cannot listen at {at}: {error.strerror or error}") from error
    return sock
