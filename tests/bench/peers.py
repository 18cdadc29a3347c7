"""The programs that the benchmark compares: the floor, and the milter as it is installed. Both use a UNIX socket, or TCP on
request."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from rdns_milter.daemon.resources.cpus import cpu_count
from rdns_milter.logs.decision_line import parse as parse_line
from tests.bench import process
from tests.kit.milter.daemon import PATIENCE, Daemon, environment, until
from tests.kit.milter.endpoint import connected, free_port, milter_style

FLOOR, MILTER = "floor", "rdns-milter"
UNIX, INET = "unix", "inet"
DEADLINE = 6.0
ROOT = Path(__file__).resolve().parents[2]


class Died(RuntimeError):
    """A measured process has ended unexpectedly."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running milter. `path`: its socket, or `inet:PORT@HOST`; `pids`: all of its processes; `log`: its log file, if it has
    one."""

    name: str
    path: str
    pids: tuple[int, ...]
    log: Path | None = None

    @property
    def cpu(self) -> float:
        """Return the CPU time that it has used so far, in seconds. Raises Died."""
        try:
            return process.cpu_seconds(self.pids)
        except OSError as error:
            raise Died(f"{self.name}: a process has ended amid the run: {self.notices()}") from error

    def notices(self) -> list[str]:
        """Return the lines of its log that are not decisions."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log else []
        return [line for line in lines if parse_line(line) is None]

    @property
    def memory(self) -> float:
        """Return its memory in megabytes."""
        return process.memory_mb(self.pids)

    @property
    def peak(self) -> float:
        """Return its peak memory in megabytes."""
        return process.peak_mb(self.pids)

    def forget_log(self) -> None:
        """Truncate the log, so that it does not fill the disk. The milter continues to append to it."""
        if self.log is not None:
            os.truncate(self.log, 0)


@contextlib.contextmanager
def floor(kind: str = UNIX, with_fields: bool = False) -> Iterator[Peer]:
    """Run the no-op milter, perhaps with header fields. Any user may connect."""
    with tempfile.TemporaryDirectory(prefix="rdns-floor-") as directory:
        Path(directory).chmod(0o755)
        path = f"{directory}/socket" if kind == UNIX else f"inet:{free_port()}@127.0.0.1"
        spec = milter_style(path)
        command = [sys.executable, "-m", "tests.bench.noop_milter", spec, *["fields"] * with_fields]
        child = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL, umask=0)
        try:
            until(lambda: _listens(spec) or child.poll() is not None)
            if child.poll() is not None:
                raise RuntimeError(f"the floor did not start (status {child.returncode})")
            yield Peer(FLOOR, path, (child.pid,))
        finally:
            child.kill()  # libmilter takes five seconds to end
            child.wait(PATIENCE)


@contextlib.contextmanager
def milter(
    nameserver: str,
    workers: int,
    deadline: float = DEADLINE,
    dns: Mapping[str, Any] | None = None,
    kind: str = UNIX,
    group: str = "",
) -> Iterator[Peer]:
    """Run the milter with its default rules. `workers`: 0 for one per core; `dns`: further options of the section [dns]; `group`: a
    group that may connect too."""
    config = {
        "milter": {"deadline": deadline, "socket_group": group},
        "dns": dict(dns or {}),
        "exempt": {"networks": []},  # the benchmark's clients are in 10/8
    }
    rules = "\n\n".join(parse(sample(), BUILT_IN).rules)
    count = workers or cpu_count()
    with Daemon(config, rules, nameserver, workers=count, socket=kind) as daemon:
        until(lambda: len(daemon.workers()) == count)
        pids = (daemon.pid, *daemon.workers())
        yield Peer(MILTER, daemon.spec.removeprefix("unix:"), pids, daemon.output)


def _listens(spec: str) -> bool:
    try:
        connected(spec).close()
    except OSError:
        return False
    return True
