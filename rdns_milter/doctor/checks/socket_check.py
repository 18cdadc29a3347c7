"""Look at the milter's own socket: whether something answers there as a milter, and whether the MTA's user may open it.

Connects, negotiates and leaves; changes nothing. Bounded by `patience`.

The milter protocol (SMFIC_OPTNEG); unix(7) for the permissions of a socket.
"""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import stat
from collections.abc import Iterator

from ...monitoring.healthcheck import negotiation_trouble
from ...net.endpoints import SocketAddress
from ..finding import Finding, bad, ok
from ..host import Host

SUBJECT = "milter"
PATIENCE = 2.0  # seconds
_START = "systemctl start rdns-milter"
_LOOK = "journalctl -u rdns-milter -n 20"


def check_socket(host: Host, socket: SocketAddress, mta_user: str) -> Iterator[Finding]:
    """Yield the findings. `mta_user`: the user that the MTA connects as; "" if there is no MTA here."""
    trouble = asyncio.run(negotiation_trouble(socket, PATIENCE))
    if trouble:
        state = (host.output("systemctl", "show", "-P", "ActiveState", "rdns-milter") or "").strip()
        text = f"{trouble}{f' (the service is {state})' if state and state != 'active' else ''}"
        yield bad(SUBJECT, text, _START if state != "active" else "systemctl restart rdns-milter", _LOOK)
    else:
        yield ok(SUBJECT, f"answers a negotiation at {socket}")
    if socket.family == "unix" and mta_user and os.path.exists(socket.path):
        yield from _permissions(socket.path, mta_user)


def _permissions(path: str, user: str) -> Iterator[Finding]:
    """Yield the finding whether the user may connect: this needs search permission in each directory, and write permission on the
    socket."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return
    groups = set(os.getgrouplist(user, account.pw_gid))
    directories = [path[:at] or "/" for at, letter in enumerate(path) if letter == "/"]
    for place, bit in (*((each, 0o1) for each in directories), (path, 0o2)):
        try:
            found = os.stat(place)
        except OSError:
            return
        if not _may(found, account.pw_uid, groups, bit):
            yield bad(
                SUBJECT,
                f"the user {user}, as whom the MTA connects, has no {'search' if bit == 0o1 else 'write'} permission on {place}"
                f" (mode {stat.S_IMODE(found.st_mode):o}, group {_group(found.st_gid)})",
                *_remedy(user, place, path),
            )
            return
    yield ok(SUBJECT, f"the user {user} may open {path}")


def _may(found: os.stat_result, uid: int, groups: set[int], bit: int) -> bool:
    if uid == 0:
        return True
    shift = 6 if found.st_uid == uid else 3 if found.st_gid in groups else 0
    return bool(found.st_mode >> shift & bit)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _remedy(user: str, place: str, path: str) -> tuple[str, ...]:
    if place != path:
        # With the set-group-ID bit the socket, which is made anew at each start, gets the group of its directory.
        mode = "g+xs" if place == path.rpartition("/")[0] else "g+x"
        return (f"chgrp {user} {place}", f"chmod {mode} {place}", "systemctl restart rdns-milter")
    return (
        f'in the config file, section [milter]: socket_group = "{user}"',
        "mkdir -p /etc/systemd/system/rdns-milter.service.d",
        rf"printf '[Service]\nSupplementaryGroups={user}\n' > /etc/systemd/system/rdns-milter.service.d/zz-group.conf",
        "systemctl daemon-reload",
        "systemctl restart rdns-milter",
    )
