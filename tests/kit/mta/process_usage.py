"""The use of threads, file descriptors and memory by a set of processes (proc(5)), for tests that nothing grows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_RSS = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_THREADS = re.compile(r"^Threads:\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over the processes; `memory`: resident, in KiB."""

    threads: int
    descriptors: int
    memory: int

    def growth(self, since: Figures) -> float:
        """Return by how many percent memory has grown since then."""
        return 100 * (self.memory / since.memory - 1) if since.memory else 0.0


def figures(pids: Iterable[int]) -> Figures:
    """Return the figures of these processes now. Raises OSError if one has ended."""
    threads = descriptors = memory = 0
    for pid in pids:
        proc = Path("/proc", str(pid))
        status = (proc / "status").read_text()
        threads += _number(_THREADS, status)
        memory += _number(_RSS, status)
        descriptors += sum(1 for _ in (proc / "fd").iterdir())
    return Figures(threads, descriptors, memory)


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    if found is None:
        raise ProcessLookupError("the process is at its end")
    return int(found[1])
