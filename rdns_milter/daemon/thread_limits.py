"""How many more threads this process may start: by the limits on tasks (cgroup, user) and on address space.

Reads only; what cannot be read is no limit. Each session that waits for DNS takes a thread of libmilter's, and a session whose
thread cannot be started is lost: libmilter neither answers it nor ever closes it. So the limits must be known before.

getrlimit(2) (RLIMIT_NPROC, RLIMIT_AS), cgroups(7) (pids.max); systemd.resource-control(5) (TasksMax).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress

UNLIMITED = 1 << 30
MIN_THREADS = 16  # of a worker: its own, and some of libmilter's
_STACK = 8 << 20  # bytes of address space for a thread's stack, where no limit says otherwise
_PAGE = resource.getpagesize()
_CGROUPS = "/sys/fs/cgroup"


def spare_threads(processes: int, parent: int) -> int:
    """How many threads more this process may have, if so many share what is left of the limits on tasks. `parent`: of all of
    them."""
    tasks = min([_by_user(parent), *_by_cgroups()])
    return max(0, min(tasks // processes, _by_address_space()))


def _by_user(parent: int) -> int:
    """What the user may still have, as far as this service uses it up; for root there is no such limit."""
    limit = _soft(resource.RLIMIT_NPROC)
    if limit == UNLIMITED or os.geteuid() == 0:
        return UNLIMITED
    return max(0, limit - sum(map(_tasks, _relatives(parent))))


def _relatives(parent: int) -> Iterator[int]:
    """The parent, and its children."""
    yield parent
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and _parent(name) == parent:
                yield int(name)


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything; the parent is the second field behind it (proc(5)).
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _tasks(pid: int) -> int:
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    return 0


def _by_cgroups() -> Iterator[int]:
    """What each cgroup that we are in has left; of version 1 and 2."""
    with suppress(OSError), open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
        for line in file:
            number, controllers, path = line.rstrip("\n").split(":", 2)
            if "pids" in controllers.split(","):
                yield from _left(f"{_CGROUPS}/pids", path)
            elif number == "0":
                yield from _left(_CGROUPS, path)


def _left(root: str, path: str) -> Iterator[int]:
    while True:
        with suppress(OSError, ValueError):
            with open(f"{root}{path}/pids.max", encoding="ascii") as most:
                limit = int(most.read())  # "max" is no number
            with open(f"{root}{path}/pids.current", encoding="ascii") as current:
                yield max(0, limit - int(current.read()))
        if not path.strip("/"):
            return
        path = path.rpartition("/")[0]


def _by_address_space() -> int:
    """Half of what is left is for stacks."""
    limit = _soft(resource.RLIMIT_AS)
    if limit == UNLIMITED:
        return UNLIMITED
    stack = _soft(resource.RLIMIT_STACK)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * _PAGE
    except OSError:
        return UNLIMITED
    return max(0, limit - used) // (2 * (_STACK if stack == UNLIMITED else max(stack, _PAGE)))


def _soft(which: int) -> int:
    limit = resource.getrlimit(which)[0]
    return UNLIMITED if limit == resource.RLIM_INFINITY else limit
