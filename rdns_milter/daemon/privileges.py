"""What a process may do and use: root is given up, and the number of file descriptors is raised, before anything is served.

Never comes back from either. Does what it is told; whether it must be done is decided by the parent.

setuid(2), initgroups(3), getrlimit(2); PLATFORM 0.12.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
from collections.abc import Sequence

MIN_FILES = 256  # descriptors, below which a burst of clients would use them up
WANTED_FILES = 65_536
SERVICE_USER = "rdns-milter"  # whom the systemd unit lets it run as


class NotPossible(Exception):
    """It cannot be had; the text says why."""


def raise_file_limit() -> None:
    """As many file descriptors as we may have: one for each session and each question under way. Raises NotPossible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    if soft != resource.RLIM_INFINITY and soft < MIN_FILES:
        raise NotPossible(f"only {soft} file descriptors (ulimit -n): at least {MIN_FILES} are needed")


def account(user: str) -> pwd.struct_passwd | None:
    """Whom to become: None for nobody else. Raises NotPossible."""
    if not user or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise NotPossible(f"milter.user: there is no user {user}") from error


def service_account(user: str) -> pwd.struct_passwd | None:
    """Whom the service runs as, by `milter.user` or the systemd unit; None if there is no such user here. Raises NotPossible."""
    if user:
        return account(user)
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None


def become(user: pwd.struct_passwd | None) -> None:
    """Give up root, for good."""
    if user is None:
        return
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def unreadable(paths: Sequence[str], user: pwd.struct_passwd) -> tuple[str, ...]:
    """Which of the files that user cannot read, and why: tried by a process that becomes the user. Raises OSError."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            become(user)
            with open(writing, "w", encoding="utf-8", errors="surrogateescape") as told:
                told.writelines(f"{path}: {why}\n" for path in paths if (why := _why_not(path)))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="surrogateescape") as told:
        found = tuple(told.read().splitlines())
    _, status = os.waitpid(pid, 0)
    if status:
        raise OSError(errno.EPERM, f"cannot become {user.pw_name}")
    return found


def _why_not(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""
