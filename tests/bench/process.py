"""CPU time and memory of processes, as the kernel counts them. Linux only."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

_KILOBYTES = re.compile(r"^(\w+):\s+(\d+) kB", re.MULTILINE)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the user and system time of the processes in seconds, ended threads included. Raises OSError if one has ended."""
    # The CPU clock of another process, as clock_getcpuclockid(3) computes it. Python supports that of a thread only.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def memory_mb(pids: Iterable[int]) -> float:
    """Return the memory of all processes in megabytes. Shared pages count once."""
    return _sum(pids, "smaps_rollup", "Pss")


def peak_mb(pids: Iterable[int]) -> float:
    """Return the sum of each process's peak memory in megabytes; shared pages count in each."""
    return _sum(pids, "status", "VmHWM")


def _sum(pids: Iterable[int], file: str, key: str) -> float:
    return sum(int(dict(_KILOBYTES.findall(Path(f"/proc/{pid}/{file}").read_text()))[key]) for pid in pids) / 1024
