"""Where lines go: the system's log, or standard error.

Never blocks the thread that judges a client, never raises, never loses count: what cannot be written at once waits in a
bounded backlog, and what finds no room there is counted as dropped. Writes lines, does not make them.

RFC 3164 4.1 (priority and tag of a message for the local syslog daemon).
"""

from __future__ import annotations

import os
import re
import select
import socket
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

SYSLOG_PATH = "/dev/log"
MAX_LINE = 4095  # octets; with its newline a line is what a pipe takes in one piece (PIPE_BUF)
MAX_BACKLOG = 10_000  # lines
RETRY = 1.0  # seconds until a log that is away is tried again
_SLICE = 100  # lines of the backlog that are written before others get at it
_MOMENT = 0.0005  # seconds that they get
_PAUSE = 0.02  # seconds at most until a log that is full is tried again
_UNFIT = re.compile(r"[^ -~]")
_MAIL = 2 << 3
LEVELS = {"err": 3, "warning": 4, "notice": 5, "info": 6}


class Away(OSError):
    """There is nobody who takes lines: no socket, or nothing behind it."""


class Outlet(Protocol):
    """One place for lines."""

    def send(self, text: str, level: str) -> bool:
        """True: written; False: full just now. Raises Away."""

    def wait(self, seconds: float) -> None:
        """Wait until there may be room again, at most so long."""


class Syslog:
    """The local syslog daemon's datagram socket, facility mail."""

    def __init__(self, tag: str, path: str = SYSLOG_PATH) -> None:
        self._tag = tag
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, text: str, level: str) -> bool:
        """See Outlet. A daemon that was restarted has a new socket: that is looked for at once."""
        datagram = f"<{_MAIL | LEVELS[level]}>{self._tag}[{os.getpid()}]: {text}".encode("utf-8", "replace")
        is_new = self._socket is None
        try:
            if self._socket is None:
                self._socket = _connected(self._path)
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except OSError as error:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            if is_new:
                raise Away(str(error)) from error
            return self.send(text, level)
        return True

    def wait(self, seconds: float) -> None:
        """See Outlet."""
        if self._socket is not None:
            _until_writable(self._socket.fileno(), seconds)


class Stderr:
    """Standard error, or another file descriptor: decisions as they are, other lines behind the program's name."""

    def __init__(self, tag: str, fd: int = 2) -> None:
        self._tag = tag
        self._fd = _opened_anew(fd)
        self._is_file = _is_file(self._fd)
        self._left = b""  # of a line of which a part is written: the disk was full
        self._size = 0  # of the file then
        self._was_away = False
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def send(self, text: str, level: str) -> bool:
        """See Outlet. A pipe that polls as writable takes PIPE_BUF octets at once, unless another process is quicker. Of a file on
        a full disk a part of the line may be there: then it is not written, but the next call, for the same line, goes on."""
        if not self._poll.poll(0):
            return False
        octets = self._next(text if level == "info" else f"{self._tag}: {text}")
        is_rest = octets is self._left
        try:
            count = os.write(self._fd, octets)
        except BlockingIOError:
            return False
        except OSError as error:
            self._was_away = True
            raise Away(str(error)) from error
        self._left, self._was_away = octets[count:], count < len(octets)
        if is_rest and self._is_file and not self._stands(octets[:count]):
            self._left, self._was_away = b"", True
            return False
        if self._left:
            self._size = os.fstat(self._fd).st_size
        return not self._left

    def _stands(self, rest: bytes) -> bool:
        """Whether the rest of a line follows the part written before: another process may have been quicker to write."""
        try:
            with open(f"/proc/self/fd/{self._fd}", "rb", buffering=0) as file:
                return os.pread(file.fileno(), len(rest), self._size) == rest
        except OSError:
            return True

    def _next(self, line: str) -> bytes:
        """The octets that are due: the rest of what was begun; or the line, on a line of its own."""
        if self._left and (not self._is_file or os.fstat(self._fd).st_size == self._size):
            return self._left
        begin = b"\n" if self._is_file and self._was_away and self._ends_within_a_line() else b""
        return begin + line.encode("utf-8", "replace")[:MAX_LINE] + b"\n"

    def _ends_within_a_line(self) -> bool:
        """Whether another process could not write its line to the end either. What cannot be read might end so."""
        try:
            with open(f"/proc/self/fd/{self._fd}", "rb", buffering=0) as file:
                return file.seek(0, os.SEEK_END) > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
        except OSError:
            return True

    def wait(self, seconds: float) -> None:
        """See Outlet."""
        _until_writable(self._fd, seconds)


class Sink:
    """Takes lines from any thread. `dropped`: how many have been lost since the start; `line_dropped` is called for each."""

    def __init__(
        self,
        outlet: Outlet,
        clock: Callable[[], float] = time.monotonic,
        line_dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._line_dropped = line_dropped
        self._outlet = outlet
        self._clock = clock
        self._lock = threading.Lock()
        self._backlog: deque[tuple[str, str]] = deque()
        self._drainer: threading.Thread | None = None
        self._away_until = 0.0

    def write(self, text: str, level: str = "info") -> None:
        """Write a line, now or as soon as there is room; "info" for decisions, else one of LEVELS. What could break the
        line is escaped, what is too long for one is cut."""
        text = _one_line(text)
        with self._lock:
            if self._backlog or not self._try(text, level):
                self._keep(text, level)

    def flush(self, seconds: float) -> None:
        """Wait until the backlog is written, at most so long; what is left of it then is lost."""
        until = self._clock() + seconds
        while self._backlog and self._clock() < until:
            time.sleep(0.01)
        with self._lock:
            while self._backlog:
                self._backlog.popleft()
                self._drop()

    def _try(self, text: str, level: str) -> bool:
        """Whether the line is written. A log that is away is left alone for a while."""
        now = self._clock()
        if now < self._away_until:
            return False
        try:
            return self._outlet.send(text, level)
        except Away:
            self._away_until = now + RETRY
            return False

    def _keep(self, text: str, level: str) -> None:
        if len(self._backlog) >= MAX_BACKLOG:
            self._drop()
            return
        self._backlog.append((text, level))
        if self._drainer is None:
            self._drainer = threading.Thread(target=self._drain, name="log", daemon=True)
            self._drainer.start()

    def _drop(self) -> None:
        self.dropped += 1
        self._line_dropped()

    def _drain(self) -> None:
        """Write the backlog, as fast as it is taken, and without keeping those waiting who have more to write."""
        while True:
            with self._lock:
                left = _SLICE
                while left and self._backlog and self._try(*self._backlog[0]):
                    self._backlog.popleft()
                    left -= 1
                if not self._backlog:
                    self._drainer = None
                    return
            time.sleep(_MOMENT)
            if left and self._clock() < self._away_until:
                time.sleep(_PAUSE)
            elif left:
                self._outlet.wait(_PAUSE)


def choose(target: str, tag: str) -> Outlet:
    """The outlet of a log target: "syslog", "stderr", or "auto": syslog if it is there and nobody watches at a terminal."""
    if target == "auto":
        target = "stderr" if sys.stderr.isatty() or not os.path.exists(SYSLOG_PATH) else "syslog"
    return Syslog(tag) if target == "syslog" else Stderr(tag)


def _one_line(text: str) -> str:
    text = text[:MAX_LINE]
    return text if text.isascii() and text.isprintable() else _UNFIT.sub(lambda it: ascii(it[0])[1:-1], text)[:MAX_LINE]


def _until_writable(fd: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(seconds * 1000)


def _is_file(fd: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:  # closed
        return False


def _opened_anew(fd: int) -> int:
    """The same pipe, in a way that never waits: what is set for a descriptor itself holds for all processes that share it.
    The descriptor itself where that cannot be had, and for what is no pipe."""
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        pass
    return fd


def _connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock
