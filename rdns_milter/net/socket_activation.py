"""The socket that the service manager hands over, if it does: the manager keeps it open while we are being restarted, so MTAs that
connect meanwhile wait instead of being refused.

Takes only what is meant for this process and listens where the config says; never opens a socket. Knows no pymilter: libmilter's
own way of taking over is an argument.

sd_listen_fds(3); libmilter's "fd:N" (Debian's, PLATFORM 2.4).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from .endpoints import Listener
from .listener import CannotListen, make_ready
from .names import parse_address

_FIRST = 3  # the descriptor of the first socket that is handed over


def inherited_listener(place: Listener, environment: Mapping[str, str], take_over: Callable[[int], None]) -> int | None:
    """Let `take_over` (libmilter's) take the socket; its file descriptor. None if nothing is handed over. Raises CannotListen."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = environment.get("LISTEN_FDS", "")
    if count != "1":
        raise CannotListen(f"the service manager hands over {count or 'no'} sockets; one is wanted, that of the MTA")
    there = _where(_FIRST)
    if not _is_at(there, place):
        raise CannotListen(
            f"{place}: the socket that the service manager hands over listens at {there}; they must agree"
        )
    try:
        take_over(_FIRST)
    except Exception as error:
        raise CannotListen(
            f"{place}: this libmilter cannot take a socket over from the service manager; do without rdns-milter.socket"
        ) from error
    make_ready(_FIRST, place)
    return _FIRST


def _where(fd: int) -> Listener:
    """Where the socket listens. Raises CannotListen."""
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise CannotListen("what the service manager hands over is no socket that listens")
            name = sock.getsockname()
            if sock.family == socket.AF_UNIX:
                return Listener("unix", path=os.fsdecode(name))
            return Listener("inet6" if sock.family == socket.AF_INET6 else "inet", name[0], name[1])
    except OSError as error:
        raise CannotListen(f"the service manager hands over no socket: {error.strerror}") from error


def _is_at(there: Listener, place: Listener) -> bool:
    """Whether whoever connects to `place` gets there. A host that is a name is believed: whom it leads to is DNS's matter."""
    if (there.family, there.port, there.path) != (place.family, place.port, place.path):
        return False
    wanted, found = parse_address(place.host), parse_address(there.host)
    return wanted is None or found is None or found.is_unspecified or found == wanted
