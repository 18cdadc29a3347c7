"""The milters that are measured: the floor, and rdns-milter as installed, both at a UNIX socket."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision import parse as parse_line
from tests.bench import process
from tests.kit.milter.daemon import PATIENCE, Daemon, environment, until

FLOOR, MILTER = "floor", "rdns-milter"
DEADLINE = 6.0
ROOT = Path(__file__).resolve().parents[2]


class Died(RuntimeError):
    """A process that is measured has ended by itself."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running milter. `path`: its socket; `pids`: all of its processes; `log`: the file of its log, if it has one."""

    name: str
    path: str
    pids: tuple[int, ...]
    log: Path | None = None

    @property
    def cpu(self) -> float:
        """Return seconds of CPU time that it has used so far. Raises Died."""
        try:
            return process.cpu_seconds(self.pids)
        except OSError as error:
            raise Died(f"{self.name}: a process has ended amid the run: {self.notices()}") from error

    def notices(self) -> list[str]:
        """Return its log without decisions."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log else []
        return [line for line in lines if parse_line(line) is None]

    @property
    def memory(self) -> float:
        """Return megabytes of memory."""
        return process.memory_mb(self.pids)

    @property
    def peak(self) -> float:
        """Return megabytes of memory at most."""
        return process.peak_mb(self.pids)

    def forget_log(self) -> None:
        """Empty the log so that it does not fill the disk; the milter goes on appending to it."""
        if self.log is not None:
            os.truncate(self.log, 0)


@contextlib.contextmanager
def floor() -> Iterator[Peer]:
    """Run the no-op milter."""
    with tempfile.TemporaryDirectory(prefix="rdns-floor-") as directory:
        path = f"{directory}/socket"
        command = [sys.executable, "-m", "tests.bench.floor", f"unix:{path}"]
        child = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)
        try:
            until(lambda: _listens(path) or child.poll() is not None)
            if child.poll() is not None:
                raise RuntimeError(f"the floor did not start (status {child.returncode})")
            yield Peer(FLOOR, path, (child.pid,))
        finally:
            child.kill()  # libmilter would take five seconds to end
            child.wait(PATIENCE)


@contextlib.contextmanager
def milter(
    nameserver: str, workers: int, deadline: float = DEADLINE, dns: Mapping[str, Any] | None = None
) -> Iterator[Peer]:
    """Run the milter with its default rules, this many workers (0: one for each core), and further options of the section [dns]."""
    config = {
        "milter": {"deadline": deadline},
        "dns": dict(dns or {}),
        "exempt": {"networks": []},  # the benchmark's clients are in 10/8
    }
    rules = "\n\n".join(parse(sample(), BUILT_IN).rules)
    count = workers or os.cpu_count() or 1
    with Daemon(config, rules, nameserver, workers=count, socket="unix") as daemon:
        until(lambda: len(daemon.workers()) == count)
        pids = (daemon.pid, *daemon.workers())
        yield Peer(MILTER, daemon.spec.removeprefix("unix:"), pids, daemon.output)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
