"""Supervise worker processes: start, heartbeat, reap, restart.

Must never serve mail or read what a client has sent. A worker without a heartbeat is killed and replaced, because nothing else
would notice that it hangs.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from ..config.load import Config
from .resources.cpus import cpu_count
from .restart_delay import RestartDelay
from .worker import HEARTBEAT

# Seconds without a heartbeat after which a worker is replaced: long, because the machine may be very busy.
_MAX_SILENCE = 10 * HEARTBEAT
_MIN_LIFE = 1.0  # seconds: a worker that ends sooner is restarted with a delay
_MIN_DELAY, _MAX_DELAY = 0.2, 10.0
_LONG_DELAY = 1.0  # seconds: if no worker is left for longer, MTAs must not wait for the next one
_MAX_REPORT = 4096  # bytes of a report
_NEW_CONFIG = b"c"  # sent with the descriptor of the configuration's memory


@dataclass(slots=True)
class WorkerProcess:
    """A worker as the parent sees it.

    `number`: from 0.
    `channel`: the socket for its reports, and for configurations.
    `last_seen`: when it last reported.
    `config_due`: the time since which it should use a configuration that it has not confirmed; None if it has confirmed it.
    `is_config_sent`: False while that configuration still has to be sent.
    `received`: the beginning of a report."""

    pid: int
    number: int
    started: float
    channel: socket.socket
    last_seen: float
    config_due: float | None = None
    is_config_sent: bool = True
    received: bytes = b""


class WorkerPool:
    """`count` workers.

    `run_child`: called in the child with the number of a worker and its end of the channel; never returns.
    `worker_ended`: called with each worker that has ended.
    `log`: writes a line at a level."""

    def __init__(
        self,
        count: int,
        run_child: Callable[[int, socket.socket], None],
        worker_ended: Callable[[WorkerProcess], None],
        log: Callable[[str, str], None],
    ) -> None:
        self._run_child = run_child
        self._worker_ended = worker_ended
        self._log = log
        self._workers: dict[int, WorkerProcess] = {}
        self._delay = RestartDelay(_MIN_DELAY, _MAX_DELAY, _MIN_LIFE)
        self._due = dict.fromkeys(range(count), time.monotonic())
        self._last_read = 0.0
        self._memory = -1

    def __len__(self) -> int:
        return len(self._workers)

    def __iter__(self) -> Iterator[WorkerProcess]:
        return iter(self._workers.values())

    def next_event(self) -> float:
        """Return the seconds until the next worker is due to be started, at most HEARTBEAT."""
        return min([HEARTBEAT, *(max(0.0, due - time.monotonic()) for due in self._due.values())])

    def is_gone_for_long(self) -> bool:
        """Return True if no worker is left and none will be started soon."""
        return not self._workers and min(self._due.values()) - time.monotonic() > _LONG_DELAY

    def take_due(self) -> list[int]:
        """Return the numbers of the workers that are due to be started. Each number is returned once."""
        now = time.monotonic()
        numbers = [number for number, due in self._due.items() if due <= now]
        for number in numbers:
            del self._due[number]
        return numbers

    def start(self, number: int) -> None:
        """Start a worker. If that fails, the worker is due again later."""
        ends: tuple[socket.socket, ...] = ()
        try:
            ours, theirs = ends = socket.socketpair()
            pid = os.fork()
        except OSError as error:
            for end in ends:
                end.close()
            delay = self._postpone(number, 0.0)
            self._log(f"cannot start a worker: {error.strerror}; next try in {delay:.1f} s", "err")
            return
        for end in ends:
            end.setblocking(False)
        if pid == 0:
            ours.close()
            self._run_child(number, theirs)
            os._exit(1)
        theirs.close()
        now = time.monotonic()
        self._workers[pid] = WorkerProcess(pid, number, now, ours, now)

    def close_parent_fds(self) -> None:
        """Close, in a child, the descriptors that belong to the parent."""
        for worker in self._workers.values():
            worker.channel.close()

    def reap(self, pid: int, status: str) -> bool:
        """Take note that a child of the parent has ended. Return False if it was not a worker. A worker is replaced: at once if it
        lived long enough, else after a delay."""
        worker = self._workers.pop(pid, None)
        if worker is None:
            return False
        worker.channel.close()
        lifetime = time.monotonic() - worker.started
        delay = self._postpone(worker.number, lifetime)
        self._worker_ended(worker)
        what = f"after {lifetime:.1f} s; restart in {delay:.1f} s" if delay else "restarting"
        self._log(f"worker {pid} ended ({status}), {what}", "warning")
        return True

    def _postpone(self, number: int, lifetime: float) -> float:
        """Set when the successor of a worker is due. `lifetime`: seconds that the worker lived. Return the delay in seconds."""
        delay = self._delay.ended(lifetime)
        self._due[number] = time.monotonic() + delay
        return delay

    def read_reports(self, handle: Callable[[WorkerProcess, str], None]) -> None:
        """Read the workers' reports and handle each. Kill workers that have not reported for too long."""
        now = time.monotonic()
        was_suspended = now - self._last_read > _MAX_SILENCE / 2  # perhaps together with the workers
        self._last_read = now
        for worker in self._workers.values():
            if was_suspended:
                worker.last_seen = now
            for report in self._read(worker, now):
                handle(worker, report)
            if now - worker.last_seen > _MAX_SILENCE:
                self._kill(worker, f"has not reported for {_MAX_SILENCE:.0f} s")
                worker.last_seen = now
            self._check_config(worker, now, was_suspended)

    def _read(self, worker: WorkerProcess, now: float) -> list[str]:
        try:
            data = worker.channel.recv(_MAX_REPORT)
        except OSError:  # no report, or it has just ended
            return []
        if not data:
            return []
        worker.last_seen = now
        *reports, rest = (worker.received + data).split(b"\n")
        worker.received = rest[:_MAX_REPORT]
        return [report.decode("ascii", "replace") for report in reports]

    def send_config(self, memory: int) -> None:
        """Send all workers the configuration in this memory, each as soon as its socket takes it."""
        self._memory = memory
        now = time.monotonic()
        for worker in self._workers.values():
            worker.config_due, worker.is_config_sent = now, False
            self._check_config(worker, now, False)

    def config_confirmed(self, worker: WorkerProcess, confirmed: str, current: str) -> None:
        """Take note that a worker uses the configuration `confirmed` (number and policy). It may be one that has been replaced
        meanwhile. Kill a worker that has the number of the current configuration and another policy."""
        if confirmed == current:
            worker.config_due = None
        elif confirmed.split(" ")[0] == current.split(" ")[0]:
            self._kill(worker, f"uses policy {confirmed[:40]!a} instead of {current}")

    def _check_config(self, worker: WorkerProcess, now: float, was_suspended: bool) -> None:
        """Send a worker the configuration that it should use; kill it if it does not adopt it in time."""
        if worker.config_due is None:
            return
        if was_suspended:
            worker.config_due = now
        if not worker.is_config_sent:
            with suppress(OSError):  # the queue of the socket is full, or the worker has just ended
                socket.send_fds(worker.channel, [_NEW_CONFIG], [self._memory])
                worker.is_config_sent = True
        if now - worker.config_due > _MAX_SILENCE:
            self._kill(worker, f"has not adopted the new config within {_MAX_SILENCE:.0f} s")
            worker.config_due = None

    def _kill(self, worker: WorkerProcess, why: str) -> None:
        self._log(f"worker {worker.pid} {why}: killed", "err")
        os.kill(worker.pid, signal.SIGKILL)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until all workers have ended. Kill those that are left after so many seconds."""
        ends = time.monotonic() + seconds
        while self._workers and time.monotonic() < ends:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._workers.pop(pid, None)
            else:
                signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def worker_count(config: Config) -> int:
    """Return the number of workers: milter.workers or, if that is not set, one for each CPU that the service may use."""
    return config.milter.workers or cpu_count()
