"""Socket activation: take over the listening socket from the service manager.

The manager keeps the socket open while the daemon restarts, so that an MTA that connects meanwhile waits instead of being refused.
Takes only a socket that is meant for this process and that listens at the configured address; never opens one. Does not import
pymilter: libmilter's function that takes the socket over is an argument.

sd_listen_fds(3); libmilter's "fd:N" (Debian's, packaging/doc/platform.md 1.5).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from .accepted_connections import is_listening
from .endpoints import SocketAddress
from .listener import CannotListen, make_shareable
from .names import parse_address

_FIRST = 3  # SD_LISTEN_FDS_START


def inherited_listener(
    address: SocketAddress, environment: Mapping[str, str], take_over: Callable[[int], None]
) -> int | None:
    """Have `take_over` (libmilter's) take the inherited socket, and return its file descriptor; None if there is none. Raises
    CannotListen."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = environment.get("LISTEN_FDS", "")
    if count != "1":
        raise CannotListen(
            f"the service manager passes {count or 'no'} sockets; exactly one is needed, that of the MTA"
        )
    inherited = _address_of(_FIRST)
    if not _leads_to(address, inherited):
        raise CannotListen(
            f"{address}: the socket that the service manager passes listens at {inherited}; they must agree"
        )
    try:
        take_over(_FIRST)
    except Exception as error:
        raise CannotListen(
            f"{address}: this libmilter cannot take over a socket from the service manager; disable rdns-milter.socket"
        ) from error
    make_shareable(_FIRST, address)
    return _FIRST


def _address_of(fd: int) -> SocketAddress:
    """Return the address at which the socket listens. Raises CannotListen."""
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.type != socket.SOCK_STREAM or not is_listening(sock):
                raise CannotListen("the descriptor that the service manager passes is not a listening socket")
            name = sock.getsockname()
            if sock.family == socket.AF_UNIX:
                return SocketAddress("unix", path=os.fsdecode(name))
            return SocketAddress("inet6" if sock.family == socket.AF_INET6 else "inet", name[0], name[1])
    except OSError as error:
        raise CannotListen(
            f"the descriptor that the service manager passes is not a socket: {error.strerror}"
        ) from error


def _leads_to(address: SocketAddress, inherited: SocketAddress) -> bool:
    """Return whether a client that connects to `address` reaches the inherited socket. A host name is not looked up; it is assumed
    to be right."""
    if (inherited.family, inherited.port, inherited.path) != (address.family, address.port, address.path):
        return False
    wanted, found = parse_address(address.host), parse_address(inherited.host)
    return wanted is None or found is None or found.is_unspecified or found == wanted
