"""Find out how many more threads this process may start, by the limits on tasks (cgroup, user) and on address space.

Reads only; a limit that cannot be read does not count. Each session that waits for DNS occupies a thread of libmilter, and a
session whose thread cannot be started is lost: libmilter neither answers nor closes it. So the limits must be known beforehand.

getrlimit(2) (RLIMIT_NPROC, RLIMIT_AS), cgroups(7) (pids.max), systemd.resource-control(5) (TasksMax).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import suppress

from .cgroups import cgroup_directories

UNLIMITED = 1 << 30
MIN_THREADS = 16  # of a worker: its own, and some for libmilter
_STACK = 8 << 20  # bytes of address space for the stack of a thread if no limit sets its size
_PAGE = resource.getpagesize()


def spare_threads(processes: int, parent: int) -> int:
    """Return how many more threads this process may start if `processes` processes share what the limits on tasks leave. `parent`:
    the process ID of the parent of all of them."""
    tasks = min([_tasks_left_of_user(parent), *_tasks_left_of_cgroups(cgroup_directories("pids"))])
    return max(0, min(tasks // processes, _stacks_left()))


def _tasks_left_of_user(parent: int) -> int:
    """Return the user's limit minus the tasks of this service; root has no such limit."""
    limit = _soft_limit(resource.RLIMIT_NPROC)
    if limit == UNLIMITED or os.geteuid() == 0:
        return UNLIMITED
    return max(0, limit - sum(map(_tasks, _service_processes(parent))))


def _service_processes(parent: int) -> Iterator[int]:
    """Yield the process IDs of the parent and its children."""
    yield parent
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and _parent(name) == parent:
                yield int(name)


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command name in parentheses may contain anything; the parent is the second field after it (proc(5)).
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _tasks(pid: int) -> int:
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    return 0


def _tasks_left_of_cgroups(directories: Iterable[str]) -> Iterator[int]:
    """Yield, for each of these cgroups that has a limit on tasks, how many are left."""
    for directory in directories:
        with suppress(OSError, ValueError):
            with open(f"{directory}/pids.max", encoding="ascii") as maximum:
                limit = int(maximum.read())  # ValueError for "max": no limit
            with open(f"{directory}/pids.current", encoding="ascii") as current:
                yield max(0, limit - int(current.read()))


def _stacks_left() -> int:
    """Return how many stacks fit into half of the address space that is left."""
    limit = _soft_limit(resource.RLIMIT_AS)
    if limit == UNLIMITED:
        return UNLIMITED
    stack = _soft_limit(resource.RLIMIT_STACK)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * _PAGE
    except OSError:
        return UNLIMITED
    return max(0, limit - used) // (2 * (_STACK if stack == UNLIMITED else max(stack, _PAGE)))


def _soft_limit(which: int) -> int:
    limit = resource.getrlimit(which)[0]
    return UNLIMITED if limit == resource.RLIM_INFINITY else limit
