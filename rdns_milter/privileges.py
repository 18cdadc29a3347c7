"""What a process may do and use: root is given up, and the number of file descriptors is raised, before anything is served.

Never comes back from either. Does what it is told; whether it must be done is decided by the parent.

setuid(2), initgroups(3), getrlimit(2); PLATFORM 0.12.
"""

from __future__ import annotations

import os
import pwd
import resource

MIN_FILES = 256  # descriptors, below which a burst of clients would use them up
WANTED_FILES = 65_536


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


def become(user: pwd.struct_passwd | None) -> None:
    """Give up root, for good."""
    if user is None:
        return
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
