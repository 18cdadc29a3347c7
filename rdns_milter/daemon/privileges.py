"""Give up root, and raise the limit on file descriptors, before anything is served.

Must never get root back. Does what it is asked to; the parent decides whether that is needed.

setuid(2), initgroups(3), getrlimit(2); packaging/doc/platform.md 1.6.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
from collections.abc import Sequence

MIN_FILES = 256  # file descriptors; fewer are used up by a burst of clients
WANTED_FILES = 65_536
SERVICE_USER = "rdns-milter"  # the user in the systemd unit


class NotPossible(Exception):
    """The system does not allow it; the text says why."""


def raise_file_limit() -> None:
    """Allow as many file descriptors as possible, because each session and each DNS query takes one. Raises NotPossible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    if soft != resource.RLIM_INFINITY and soft < MIN_FILES:
        raise NotPossible(f"only {soft} file descriptors (ulimit -n): at least {MIN_FILES} are needed")


def account(user: str) -> pwd.struct_passwd | None:
    """Return the account to change to; None if the current user is to be kept. Raises NotPossible."""
    if not user or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise NotPossible(f"milter.user: there is no user {user}") from error


def service_account(user: str) -> pwd.struct_passwd | None:
    """Return the account that the service runs as.

    If `user` (`milter.user`) is set, it is what `account` returns for it. If not, it is the account of the systemd unit, or None if
    that does not exist on this host. Raises NotPossible."""
    if user:
        return account(user)
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None


def change_user(user: pwd.struct_passwd | None) -> None:
    """Change to this user for good. With None, keep the current user."""
    if user is None:
        return
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def unreadable(paths: Sequence[str], user: pwd.struct_passwd) -> tuple[str, ...]:
    """Return "PATH: REASON" for each file that the user cannot read. A child process that runs as the user tries them. Raises
    OSError."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            change_user(user)
            with open(writing, "w", encoding="utf-8", errors="surrogateescape") as report:
                report.writelines(f"{path}: {why}\n" for path in paths if (why := _read_error(path)))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="surrogateescape") as report:
        lines = tuple(report.read().splitlines())
    _, status = os.waitpid(pid, 0)
    if status:
        raise OSError(errno.EPERM, f"cannot become {user.pw_name}")
    return lines


def _read_error(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""
