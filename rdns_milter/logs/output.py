"""Write log lines to the local syslog daemon or to standard error.

Must never block the caller, raise, or lose a line without counting it: a line that cannot be written at once waits in a bounded
backlog, and is counted as dropped if that is full. Formats nothing.

RFC 3164 section 4.1 (priority and tag of a message for the local syslog daemon).
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

from .decision_line import MAX_LINE

SYSLOG_PATH = "/dev/log"
MAX_BACKLOG = 10_000  # lines
RETRY = 1.0  # seconds until an unreachable log is tried again
_SLICE = 100  # lines of the backlog that are written before other threads get the lock
_YIELD = 0.0005  # seconds that they have to take it
_PAUSE = 0.02  # seconds at most until a full log is tried again
_UNFIT = re.compile(r"[^ -~]")
_MAIL = 2 << 3
LEVELS = {"err": 3, "warning": 4, "notice": 5, "info": 6}


class LogUnreachableError(OSError):
    """The log cannot be reached: there is no socket, or no daemon reads from it."""


class Outlet(Protocol):
    """A destination for log lines."""

    def send(self, text: str, level: str) -> bool:
        """Write a line; return False if the log is full now. Raises LogUnreachableError."""

    def wait(self, seconds: float) -> None:
        """Wait until there may be room again, at most that long."""


class Syslog:
    """The local syslog daemon's datagram socket, facility mail."""

    def __init__(self, tag: str, path: str = SYSLOG_PATH) -> None:
        self._tag = tag
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, text: str, level: str) -> bool:
        """See Outlet. After a restart the daemon has a new socket: it is connected at once."""
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
                raise LogUnreachableError(str(error)) from error
            return self.send(text, level)
        return True

    def wait(self, seconds: float) -> None:
        """See Outlet."""
        if self._socket is not None:
            _until_writable(self._socket.fileno(), seconds)


class Stderr:
    """Standard error, or another file descriptor: decisions as they are, other lines with the program's name in front."""

    def __init__(self, tag: str, fd: int = 2) -> None:
        self._tag = tag
        self._fd = _reopened(fd)
        self._is_file = _is_file(self._fd)
        self._may_block = not self._is_file and self._fd == fd
        self._left = b""  # the rest of a line of which a part was written before the disk was full
        self._size = 0  # of the file after that part
        self._has_failed = False  # the last write, or a part of it
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def send(self, text: str, level: str) -> bool:
        """See Outlet.

        A pipe that is writable takes PIPE_BUF bytes at once, unless another process writes first. A file on a full disk may take a
        part of the line: then the result is False, and the next call with the same line writes the rest."""
        if self._may_block and not self._poll.poll(0):
            return False
        data = self._next(text if level == "info" else f"{self._tag}: {text}")
        is_rest = data is self._left
        try:
            count = os.write(self._fd, data)
        except BlockingIOError:
            return False
        except OSError as error:
            self._has_failed = True
            raise LogUnreachableError(str(error)) from error
        self._left, self._has_failed = data[count:], count < len(data)
        if is_rest and self._is_file and not self._is_after_first_part(data[:count]):
            self._left, self._has_failed = b"", True
            return False
        if self._left:
            self._size = os.fstat(self._fd).st_size
        return not self._left

    def _is_after_first_part(self, rest: bytes) -> bool:
        """Return whether the rest of a line follows its first part: another process may have written in between."""
        try:
            with open(f"/proc/self/fd/{self._fd}", "rb", buffering=0) as file:
                return os.pread(file.fileno(), len(rest), self._size) == rest
        except OSError:
            return True

    def _next(self, line: str) -> bytes:
        """Return the bytes to write: the rest of a line, or else the line, after a newline if the file does not end with one."""
        if self._left and (not self._is_file or os.fstat(self._fd).st_size == self._size):
            return self._left
        begin = b"\n" if self._is_file and self._has_failed and self._ends_within_a_line() else b""
        return begin + line.encode("utf-8", "replace")[:MAX_LINE] + b"\n"

    def _ends_within_a_line(self) -> bool:
        """Return whether the file ends with an incomplete line of another process; True if it cannot be read."""
        try:
            with open(f"/proc/self/fd/{self._fd}", "rb", buffering=0) as file:
                return file.seek(0, os.SEEK_END) > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
        except OSError:
            return True

    def wait(self, seconds: float) -> None:
        """See Outlet."""
        _until_writable(self._fd, seconds)


class Sink:
    """Writes lines from any thread. `dropped`: the number of lines lost since the start; `line_dropped`: called for each."""

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
        self._unreachable_until = 0.0

    def write(self, text: str, level: str = "info") -> None:
        """Write a line, now or when there is room. `level`: "info" for decisions, else one of LEVELS. Characters that could break
        the line are escaped; a line that is too long is cut."""
        text = _one_line(text)
        with self._lock:
            if self._backlog or not self._try(text, level):
                self._keep(text, level)

    def flush(self, seconds: float) -> None:
        """Wait until the backlog is written, at most that long; drop what is left then."""
        until = self._clock() + seconds
        while self._backlog and self._clock() < until:
            time.sleep(0.01)
        with self._lock:
            while self._backlog:
                self._backlog.popleft()
                self._drop()

    def _try(self, text: str, level: str) -> bool:
        """Write the line unless the log was unreachable a moment ago; return whether it is written."""
        now = self._clock()
        if now < self._unreachable_until:
            return False
        try:
            return self._outlet.send(text, level)
        except LogUnreachableError:
            self._unreachable_until = now + RETRY
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
        """Write the backlog as fast as the log takes it. Releases the lock often, so that `write` does not wait."""
        while True:
            with self._lock:
                left = _SLICE
                while left and self._backlog and self._try(*self._backlog[0]):
                    self._backlog.popleft()
                    left -= 1
                if not self._backlog:
                    self._drainer = None
                    return
            time.sleep(_YIELD)
            if left and self._clock() < self._unreachable_until:
                time.sleep(_PAUSE)
            elif left:
                self._outlet.wait(_PAUSE)


def choose(target: str, tag: str) -> Outlet:
    """Return the outlet for a log target: "syslog", "stderr", or "auto": stderr if it is a terminal or there is no syslog."""
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


def _reopened(fd: int) -> int:
    """Return a new non-blocking descriptor for a pipe; the descriptor itself if that fails or it is no pipe.

    A new one, because O_NONBLOCK applies to all processes that share the open file."""
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
