"""Where lines go: the system's log, or standard error.

Never blocks the thread that judges a client, never raises, never loses count: what cannot be written at once waits in a
bounded backlog, and what finds no room there is counted as dropped. Writes lines, does not make them.

RFC 3164 4.1 (priority and tag of a message for the local syslog daemon).
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

SYSLOG_PATH = "/dev/log"
MAX_BACKLOG = 10_000  # lines
RETRY = 1.0  # seconds until a log that is away is tried again
_MAIL = 2 << 3
LEVELS = {"err": 3, "warning": 4, "notice": 5, "info": 6}


class Away(OSError):
    """There is nobody who takes lines: no socket, or nothing behind it."""


class Outlet(Protocol):
    """One place for lines."""

    def send(self, text: str, level: str) -> bool:
        """True: written; False: full just now. Raises Away."""


class Syslog:
    """The local syslog daemon's datagram socket, facility mail."""

    def __init__(self, tag: str, path: str = SYSLOG_PATH) -> None:
        self._tag = tag
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, text: str, level: str) -> bool:
        """See Outlet."""
        datagram = f"<{_MAIL | LEVELS[level]}>{self._tag}[{os.getpid()}]: {text}".encode("utf-8", "replace")
        try:
            if self._socket is None:
                self._socket = _connected(self._path)
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except OSError as error:
            self._socket = None
            raise Away(str(error)) from error
        return True


class Stderr:
    """Standard error, or another file descriptor: decisions as they are, other lines behind the program's name."""

    def __init__(self, tag: str, fd: int = 2) -> None:
        self._tag = tag
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def send(self, text: str, level: str) -> bool:
        """See Outlet. A pipe that polls as writable takes PIPE_BUF octets at once, more than a line has."""
        if not self._poll.poll(0):
            return False
        line = text if level == "info" else f"{self._tag}: {text}"
        try:
            os.write(self._fd, line.encode("utf-8", "replace") + b"\n")
        except BlockingIOError:
            return False
        except OSError as error:
            raise Away(str(error)) from error
        return True


class Sink:
    """Takes lines from any thread. `dropped`: how many have been lost since the start."""

    def __init__(self, outlet: Outlet, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0
        self._outlet = outlet
        self._clock = clock
        self._lock = threading.Lock()
        self._backlog: deque[tuple[str, str]] = deque()
        self._drainer: threading.Thread | None = None
        self._away_until = 0.0

    def write(self, text: str, level: str = "info") -> None:
        """Write a line, now or as soon as there is room; "info" for decisions, else one of LEVELS."""
        with self._lock:
            if self._backlog or not self._try(text, level):
                self._keep(text, level)

    def flush(self, seconds: float) -> None:
        """Wait until the backlog is written, at most so long."""
        until = self._clock() + seconds
        while self._backlog and self._clock() < until:
            time.sleep(0.01)

    def _try(self, text: str, level: str) -> bool:
        """Whether the line is dealt with: written, or dropped since nobody is there to take it."""
        now = self._clock()
        if now < self._away_until:
            self.dropped += 1
            return True
        try:
            return self._outlet.send(text, level)
        except Away:
            self._away_until = now + RETRY
            self.dropped += 1
            return True

    def _keep(self, text: str, level: str) -> None:
        if len(self._backlog) >= MAX_BACKLOG:
            self.dropped += 1
            return
        self._backlog.append((text, level))
        if self._drainer is None:
            self._drainer = threading.Thread(target=self._drain, name="log", daemon=True)
            self._drainer.start()

    def _drain(self) -> None:
        """Write the backlog, as fast as it is taken."""
        while True:
            with self._lock:
                while self._backlog and self._try(*self._backlog[0]):
                    self._backlog.popleft()
                if not self._backlog:
                    self._drainer = None
                    return
            time.sleep(0.02)


def choose(target: str, tag: str) -> Outlet:
    """The outlet of a log target: "syslog", "stderr", or "auto": syslog if it is there and nobody watches at a terminal."""
    if target == "auto":
        target = "stderr" if sys.stderr.isatty() or not os.path.exists(SYSLOG_PATH) else "syslog"
    return Syslog(tag) if target == "syslog" else Stderr(tag)


def _connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock
