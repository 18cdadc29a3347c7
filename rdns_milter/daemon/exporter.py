"""The process that serves the metrics, as its parent sees it: listening socket, start, restart, end.

It is a process of its own because the parent must not read from the network, and because a worker may hang or die just when its
metrics are wanted. If metrics.listen is not set there is no such process, and prometheus-client is never loaded. The parent side
must never read from the socket.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

from ..monitoring.shared_memory import SharedMemory
from ..net.endpoints import Endpoint, SocketAddress
from ..net.listener import CannotListen
from .restart_delay import RestartDelay

_MIN_LIFE = 5.0  # seconds: a process that ends sooner is restarted with a delay
_MIN_DELAY, _MAX_DELAY = 0.5, 30.0
_BACKLOG = 64


class Exporter:
    """The exporter process. `place`: the milter's socket, for the health check; `log`: writes a line at a level."""

    def __init__(self, memory: SharedMemory, place: SocketAddress, log: Callable[[str, str], None]) -> None:
        self._memory = memory
        self._place = place
        self._log = log
        self._service_started = time.monotonic()
        self._address: Endpoint | None = None
        self._socket: socket.socket | None = None
        self._pid = 0
        self._started = 0.0
        self._due = 0.0
        self._delay = RestartDelay(_MIN_DELAY, _MAX_DELAY, _MIN_LIFE)

    @property
    def is_running(self) -> bool:
        """True if the process exists."""
        return self._pid != 0

    def listen(self, address: Endpoint | None) -> None:
        """Listen at this address from now on; with None, do not listen. Raises CannotListen; in that case nothing has changed."""
        if address == self._address:
            return
        sock = None if address is None else _listening(address)
        self.stop()
        self._address, self._socket, self._due = address, sock, 0.0
        if address is not None:
            self._log(f"metrics at http://{address}/metrics, health check at http://{address}/healthz", "notice")

    def try_listen(self, address: Endpoint | None) -> None:
        """Like `listen`, but log a failure instead of raising it."""
        try:
            self.listen(address)
        except CannotListen as error:
            self._log(f"{error}; all other settings of the new config are in force", "err")

    def start_if_due(self, lifeline: int, close_parent_fds: Callable[[], None]) -> None:
        """Start the process if it should run and does not. `lifeline`: a pipe that is closed when the parent ends;
        `close_parent_fds`: called in the child."""
        now = time.monotonic()
        if self._socket is None or self._pid or now < self._due:
            return
        self._started = now
        try:
            self._pid = os.fork()
        except OSError as error:
            self._due = now + self._delay.ended(0.0)
            self._log(f"metrics cannot be served: {error.strerror}; next try in {self._delay.seconds:.1f} s", "err")
            return
        if self._pid == 0:
            self._run_child(self._socket, lifeline, close_parent_fds)

    def reap(self, pid: int, status: str) -> bool:
        """Take note that a child of the parent has ended. Return False if that child was not the exporter."""
        if pid != self._pid:
            return False
        self._pid = 0
        now = time.monotonic()
        self._due = now + self._delay.ended(now - self._started)
        self._log(f"the metrics process ended ({status}); restart in {self._delay.seconds:.1f} s", "warning")
        return True

    def close(self) -> None:
        """Close the socket in this process."""
        if self._socket is not None:
            self._socket.close()

    def stop(self) -> None:
        """Kill the process and stop listening. Nothing can get lost: the counters are in the shared memory."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        self.close()
        self._socket = None

    def _run_child(self, sock: socket.socket, lifeline: int, close_parent_fds: Callable[[], None]) -> None:
        """Run in the child. Never returns."""
        status = 1
        try:
            close_parent_fds()
            for number in (signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            from ..monitoring.http import run

            run(sock, lifeline, self._memory, self._place, self._service_started, self._log_error)
            status = 0
        except BaseException as error:  # noqa: BLE001 - the child must not continue as a second parent
            self._log_error(error)
        finally:
            os._exit(status)

    def _log_error(self, error: BaseException) -> None:
        self._log(f"metrics cannot be served: {ascii(error)[:300]}", "err")


def _listening(address: Endpoint) -> socket.socket:
    sock = None
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            *address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(target)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise CannotListen(f"metrics.listen: cannot listen at {address}: {error.strerror or error}") from error
    return sock
