"""A log that is missing, full, slow, closed or opened again, with real sockets and pipes.

No message waits for the log, the order of lines is kept, and lost lines are counted. The log output alone:
tests/unit/logs/test_output.py.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rdns_milter.logs.decision_line import MAX_LINE, parse
from rdns_milter.logs.output import MAX_BACKLOG, Sink, Stderr, Syslog
from tests.kit.milter.daemon import ROOT, Daemon, environment, until
from tests.kit.milter.endpoint import connected
from tests.kit.milter.transaction import deliver

PATIENCE = 20.0
LINES = [f"action=accept number={number} {'x' * 600}" for number in range(20_000)]


class LogDaemon:
    """A log daemon: a datagram socket at a path; `read` returns what has arrived, `close` acts as a restart does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.open()

    def open(self) -> None:
        """Bind again."""
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(PATIENCE)

    def read(self, count: int = 1) -> list[str]:
        """Return this many datagrams, as texts without priority and tag."""
        texts = [self.socket.recv(65536).decode() for _ in range(count)]
        assert all(text.startswith(f"<22>rdns-milter[{os.getpid()}]: ") for text in texts)
        return [text.partition(": ")[2] for text in texts]

    @staticmethod
    def left(old: socket.socket) -> list[str]:
        """Return what is still in the socket, and close it."""
        found = []
        with old, contextlib.suppress(BlockingIOError):
            old.setblocking(False)
            while True:
                found.append(old.recv(65536).decode().partition(": ")[2])
        return found

    def rest(self) -> list[str]:
        """Return all datagrams until none arrives."""
        found = []
        while select.select([self.socket], [], [], 0.3)[0]:
            found += self.read()
        return found


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[LogDaemon]:
    running = LogDaemon(tmp_path / "log")
    yield running
    running.socket.close()


def write_all(sink: Sink, lines: list[str]) -> None:
    for line in lines:
        sink.write(line)


def test_missing(tmp_path: Path) -> None:
    sink = Sink(Syslog("rdns-milter", str(tmp_path / "nothing")))
    write_all(sink, LINES)
    assert sink.dropped == len(LINES) - MAX_BACKLOG
    came_late = LogDaemon(tmp_path / "nothing")
    assert came_late.read(MAX_BACKLOG) == LINES[:MAX_BACKLOG]
    came_late.socket.close()


def test_full(daemon: LogDaemon) -> None:
    sink = Sink(Syslog("rdns-milter", str(daemon.path)))
    write_all(sink, LINES)
    kept = len(LINES) - sink.dropped
    assert kept >= MAX_BACKLOG
    assert daemon.read(kept) == LINES[:kept]
    assert daemon.rest() == []


def test_slow(daemon: LogDaemon) -> None:
    """Fewer lines than the buffer holds: none is lost."""
    sink = Sink(Syslog("rdns-milter", str(daemon.path)))
    read: list[str] = []

    def reader() -> None:
        while len(read) < 8000:
            read.extend(daemon.read())
            if len(read) % 100 == 0:
                time.sleep(0.005)

    thread = threading.Thread(target=reader)
    thread.start()
    write_all(sink, LINES[:8000])
    thread.join(PATIENCE)
    assert read == LINES[:8000]
    assert sink.dropped == 0


def test_closed_and_opened_again(daemon: LogDaemon) -> None:
    """A log daemon restarts: only lines are lost that it had received and not read."""
    sink = Sink(Syslog("rdns-milter", str(daemon.path)))
    write_all(sink, LINES[:5])
    assert daemon.read(5) == LINES[:5]
    daemon.socket.close()
    write_all(sink, LINES[5:20])
    daemon.open()
    write_all(sink, LINES[20:25])
    assert daemon.read(20) == LINES[5:25]
    daemon.socket.close()
    daemon.open()  # between two lines: the next one goes to the new socket
    write_all(sink, LINES[25:30])
    assert daemon.read(5) == LINES[25:30]
    assert sink.dropped == 0


def test_replaced_under_load(daemon: LogDaemon) -> None:
    """Another log daemon takes the path, again and again, while several threads write; the old one reads what it has and ends.
    Each line arrives once, at one of them, or is counted as lost."""
    sink = Sink(Syslog("rdns-milter", str(daemon.path)))
    own = [[f"writer {writer} line {number}" for number in range(2000)] for writer in range(4)]

    def write(lines: list[str]) -> None:
        for line in lines:
            sink.write(line)
            time.sleep(0.0002)

    threads = [threading.Thread(target=write, args=(lines,)) for lines in own]
    for thread in threads:
        thread.start()
    found: list[str] = []
    for _ in range(20):
        found += daemon.read(50)
        old = daemon.socket
        daemon.open()
        old.shutdown(socket.SHUT_RD)  # it receives no more
        found += LogDaemon.left(old)
    for thread in threads:
        while thread.is_alive():
            found += daemon.rest()
    sink.flush(PATIENCE)
    found += daemon.rest()
    assert sink.dropped == 0
    for lines in own:
        assert [line for line in found if line in set(lines)] == lines


def test_notices_have_another_priority(daemon: LogDaemon) -> None:
    sink = Sink(Syslog("rdns-milter", str(daemon.path)))
    for level in ("err", "warning", "notice", "info"):
        sink.write("text", level)
    assert [daemon.socket.recv(100)[:4] for _ in range(4)] == [b"<19>", b"<20>", b"<21>", b"<22>"]


def test_longer_than_a_datagram(daemon: LogDaemon) -> None:
    sink = Sink(Syslog("rdns-milter", str(daemon.path)))
    sink.write("x" * 1_000_000)
    sink.write("next")
    assert daemon.read(2)[1] == "next"


# Standard error


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def read_lines(reading: int, count: int) -> list[str]:
    """Return this many lines of a pipe."""
    data = b""
    while data.count(b"\n") < count:
        assert select.select([reading], [], [], PATIENCE)[0]
        data += os.read(reading, 65536)
    return data.decode().split("\n")[:-1]


def test_full_pipe(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = Sink(Stderr("rdns-milter", writing))
    write_all(sink, LINES)
    kept = len(LINES) - sink.dropped
    assert kept >= MAX_BACKLOG
    assert read_lines(reading, kept) == LINES[:kept]


def test_full_pipe_of_several_processes(pipe: tuple[int, int]) -> None:
    """Free space that one process sees may be filled by another before it writes: still no process waits."""
    reading, writing = pipe
    sinks = [Sink(Stderr("rdns-milter", writing)) for _ in range(8)]
    threads = [threading.Thread(target=write_all, args=(sink, LINES[:2000]), daemon=True) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    lines = read_lines(reading, 8 * 2000)
    assert sorted(lines) == sorted(LINES[:2000] * 8)
    assert os.get_blocking(writing)  # others may share it


def test_pipe_without_a_reader(pipe: tuple[int, int]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = Sink(Stderr("rdns-milter", writing))
    write_all(sink, LINES)
    assert sink.dropped == len(LINES) - MAX_BACKLOG
    os.close(writing)


def test_lines_longer_than_an_atomic_write(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = Sink(Stderr("rdns-milter", writing))
    for level in ("err", "info"):
        sink.write("x" * 100_000, level)
    sink.write("next")
    lines = read_lines(reading, 3)
    assert lines[2] == "next"
    assert all(len(line) <= MAX_LINE for line in lines)


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Limit the size of files, as if the disk were full: the last write is a short one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(octets: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A file, and a descriptor that appends to it."""
    path = tmp_path / "log"
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    yield path, number
    os.close(number)


def test_a_short_write_joins_no_lines(log_file: tuple[Path, int], full_disk: Callable[[int], None]) -> None:
    path, number = log_file
    sink = Sink(Stderr("rdns-milter", number))
    lines = [f"line {each} {'x' * 90}" for each in range(60)]
    for at, octets in ((0, 1050), (20, 3010), (40, 4999)):
        full_disk(octets)
        for line in lines[at : at + 20]:
            sink.write(line)
        assert path.stat().st_size == octets
        full_disk(100_000)
        until(lambda: not sink._backlog)
    sink.flush(1.0)
    assert path.read_text().splitlines() == lines
    assert sink.dropped == 0


def test_a_short_write_of_one_of_several_processes(
    log_file: tuple[Path, int], full_disk: Callable[[int], None]
) -> None:
    path, number = log_file
    sinks = [Sink(Stderr("rdns-milter", number)) for _ in range(3)]
    full_disk(1050)
    lines = [f"line {each} {'x' * 90}" for each in range(30)]
    for each, line in enumerate(lines):
        sinks[each % 3].write(line)
    full_disk(100_000)
    until(lambda: not any(sink._backlog for sink in sinks))
    found = path.read_text().splitlines()
    assert sorted(line for line in found if line in lines) == sorted(lines)
    assert all(any(piece in line for line in lines) for piece in found)


def test_the_rest_of_a_cut_line_that_comes_too_late(
    log_file: tuple[Path, int], full_disk: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes before the rest of a cut line can follow: the line is written again, whole."""
    path, number = log_file
    outlet = Stderr("rdns-milter", number)
    first, other = f"first {'x' * 90}", f"other {'y' * 90}"
    full_disk(50)
    assert not outlet.send(first, "info")
    full_disk(100_000)
    write = os.write

    def another_process_writes_first(fd: int, octets: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        write(fd, f"\n{other}\n".encode())
        return write(fd, octets)

    monkeypatch.setattr(os, "write", another_process_writes_first)
    assert not outlet.send(first, "info")
    assert outlet.send(first, "info")
    assert path.read_text().splitlines() == [first[:50], other, first[50:], first]


def test_what_a_full_disk_costs_is_counted(log_file: tuple[Path, int], full_disk: Callable[[int], None]) -> None:
    path, number = log_file
    lost: list[int] = []
    sink = Sink(Stderr("rdns-milter", number), line_dropped=lambda: lost.append(1))
    full_disk(1050)
    for each in range(MAX_BACKLOG + 100):
        sink.write(f"line {each} {'x' * 90}")
    written = path.read_text().count("\n")
    assert sink.dropped == len(lost) == 100 - written
    sink.flush(0.1)
    assert sink.dropped == len(lost) == MAX_BACKLOG + 100 - written


def test_service_with_a_log_that_nobody_reads() -> None:
    """Mail is answered while standard error is full, the service ends on TERM, and each line that arrives is whole."""
    daemon = Daemon({"milter": {"deadline": 2.0}}, [])
    command = [sys.executable, "-m", "rdns_milter", "run", "-c", str(daemon.path)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        daemon.process = process
        assert process.stderr is not None
        until(lambda: _listens(daemon.spec))
        for _ in range(300):
            assert deliver(daemon.spec, macros={"auth_authen": "joe"}, rcpts=["b" * 900 + "@rcpt.example"]).accepted
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        text = process.stderr.read().decode()
        assert process.wait(PATIENCE) == 0
    daemon.stop()
    lines = text.split("\n")[:-1]
    decisions = [line for line in lines if parse(line)]
    assert len(decisions) == 300
    assert all(re.fullmatch("[ -~]+", line) for line in lines)


def _listens(spec: str) -> bool:
    try:
        connected(spec).close()
    except OSError:
        return False
    return True
