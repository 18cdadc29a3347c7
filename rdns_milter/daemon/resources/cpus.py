"""The CPUs of the service: how many it may use, as in a container with a CPU limit, and one core for each worker.

Reads only; a limit that cannot be read does not count. Must never count fewer than one.

sched_setaffinity(2); cgroups(7): cpuset, cpu.max (version 2), cpu.cfs_quota_us and cpu.cfs_period_us (version 1).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from .cgroups import cgroup_directories


def cpu_count() -> int:
    """Return how many CPUs this process may use. That is the least of these numbers: the cores of its affinity, which a cpuset
    narrows too, and the CPU quotas, rounded up, of its cgroup and of those above it."""
    return min([len(os.sched_getaffinity(0)), *_quotas(cgroup_directories("cpu"))])


def _quotas(directories: Iterable[str]) -> Iterator[int]:
    """Yield the CPU quota, in CPUs and rounded up, of each of these cgroups that has one."""
    for directory in directories:
        with suppress(OSError, ValueError):  # ValueError for "max": no limit
            quota, period = _quota_and_period(directory)
            if quota > 0 and period > 0:  # version 1 has -1 for no limit
                yield -(-quota // period)


def _quota_and_period(directory: str) -> tuple[int, int]:
    """Return the CPU time of each period, and the period, in microseconds. Raises OSError or ValueError if there is no limit."""
    with suppress(FileNotFoundError):
        quota, period = _read(f"{directory}/cpu.max").split()
        return int(quota), int(period)
    return int(_read(f"{directory}/cpu.cfs_quota_us")), int(_read(f"{directory}/cpu.cfs_period_us"))


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def pin_to_core(number: int, workers: int) -> None:
    """Keep worker `number` on a core of its own if there are as many workers as cores. Python's lock costs most when its threads
    move between cores."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == workers > 1:
        os.sched_setaffinity(0, {cores[number]})
