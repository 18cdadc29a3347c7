"""The directories in which the kernel shows the limits of the cgroups that this process is in.

Reads /proc only. Reads no limit: each caller knows the files of its controller. Must never raise: a system without cgroups has no
directories.

cgroups(7).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

ROOT = "/sys/fs/cgroup"
_OWN = "/proc/self/cgroup"


def cgroup_directories(controller: str, own: str = _OWN, root: str = ROOT) -> Iterator[str]:
    """Yield the directories of this process's cgroup for this controller and of those above it, of version 1 and 2. The limits of
    all of them hold. A directory may be missing: some containers see the path that the host uses, but have only their own cgroup,
    as the root."""
    with suppress(OSError, ValueError), open(own, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            number, controllers, path = line.rstrip("\n").split(":", 2)
            if controller in controllers.split(","):
                yield from _with_parents(f"{root}/{controller}", path)
            elif number == "0":
                yield from _with_parents(root, path)


def _with_parents(root: str, path: str) -> Iterator[str]:
    path = path.rstrip("/")
    while path:
        yield root + path
        path = path.rpartition("/")[0]
    yield root
