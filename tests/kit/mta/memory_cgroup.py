"""A memory cgroup: the kernel kills a process in it that needs more memory than the limit.

    with MemoryCgroup(limit=1 << 20) as group:
        group.add(pid)          # memory that it has allocated before does not count
        until(group.oom_kills)

Works with cgroup version 1 and 2. Needs root and a writable cgroup file system; cgroups(7).
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_VERSION_1 = Path("/sys/fs/cgroup/memory")
_VERSION_2 = Path("/sys/fs/cgroup")
_LIMITS = {1: "memory.limit_in_bytes", 2: "memory.max"}
_EVENTS = {1: "memory.oom_control", 2: "memory.events"}
_REMOVAL_SECONDS = 10.0


class NoMemoryCgroup(RuntimeError):
    """No memory cgroup can be made on this machine; the text says why."""


class MemoryCgroup:
    """A memory cgroup that exists until the end of the context. `limit`: bytes. At the end the processes in it are moved to the
    parent cgroup."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __enter__(self) -> Self:
        self._version, self._root = _root()
        self._path = self._root / f"rdns-milter-test-{os.getpid()}"
        try:
            self._path.mkdir()
            (self._path / _LIMITS[self._version]).write_text(str(self._limit))
            # Otherwise the process would swap instead of being killed.
            if self._version == 2 and (self._path / "memory.swap.max").exists():
                (self._path / "memory.swap.max").write_text("0")
        except OSError as error:
            with contextlib.suppress(OSError):
                self._path.rmdir()
            raise NoMemoryCgroup(f"{self._path}: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = time.monotonic() + _REMOVAL_SECONDS
        while True:
            try:
                for pid in (self._path / "cgroup.procs").read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        (self._root / "cgroup.procs").write_text(pid)
                self._path.rmdir()
                return
            except OSError:  # a process that has been killed is still there
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def add(self, pid: int) -> None:
        """Move a process into the cgroup."""
        (self._path / "cgroup.procs").write_text(str(pid))

    def oom_kills(self) -> int:
        """Return the number of processes in it that the kernel has killed for lack of memory."""
        lines = (self._path / _EVENTS[self._version]).read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])


def _root() -> tuple[int, Path]:
    """Return the version of the memory controller, and the parent cgroup."""
    if (_VERSION_1 / _LIMITS[1]).exists():
        return 1, _VERSION_1
    control = _VERSION_2 / "cgroup.subtree_control"
    if control.exists() and "memory" in control.read_text().split():
        return 2, _VERSION_2
    raise NoMemoryCgroup("there is no memory controller for cgroups")
