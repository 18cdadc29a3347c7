"""The socket to which the MTA connects: opened once by the parent process, shared by all workers.

Never takes the socket away from a running milter. Never gives access, not even for a moment, that the configured file mode denies.
Does not import pymilter: libmilter's function that opens the socket is an argument.

libmilter's smfi_setconn (forms of a socket's name).
"""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from .accepted_connections import is_listening, open_sockets
from .endpoints import SocketAddress

_PROBE_SECONDS = 2.0
_FAMILIES = {"unix": socket.AF_UNIX, "inet": socket.AF_INET, "inet6": socket.AF_INET6}


class CannotListen(Exception):
    """The socket cannot be opened. The text gives the reason and what to do."""


def open_listener(
    address: SocketAddress, mode: int, owner: int, group: str, open_socket: Callable[[SocketAddress], None]
) -> int:
    """Open the milter's socket, and return its file descriptor. Raises CannotListen.

    `open_socket`: opens it (libmilter does). The rest is for the file of a unix socket. `mode`: its permissions; `owner`: the user
    id that gets it, -1 for no change: the workers run under that id, and connect to the socket themselves; `group`: the name of the
    group that gets it, "" for no change."""
    if address.path:
        _remove_stale(address)
    before = set(_listening())
    mask = os.umask(0o777 & ~mode)
    try:
        open_socket(address)
    except Exception as error:
        raise CannotListen(f"{address}: cannot listen: {_reason(address)}") from error
    finally:
        os.umask(mask)
    if address.path:
        _change_owner(address.path, owner, group)
    (fd,) = set(_listening()) - before
    make_shareable(fd, address)
    return fd


def make_shareable(fd: int, address: SocketAddress) -> None:
    """Set up the socket so that several processes can accept connections from it."""
    # A process that loses the race for a connection must not block in accept while it holds libmilter's lock.
    os.set_blocking(fd, False)
    if not address.path:
        _disable_nagle(fd)


def connect(address: SocketAddress, seconds: float) -> socket.socket:
    """Connect to the socket as an MTA does; `seconds`: timeout. Raises OSError."""
    sock = socket.socket(_FAMILIES[address.family], socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(_target(address))
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def pinned(path: str) -> Iterator[str]:
    """Yield another path to the socket's file. It leads to the same file even if `path` is replaced meanwhile. Raises OSError if
    somebody else may have put the file there: it is not a socket, is not owned by this process's user, or has a second hard
    link."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink != 1:
            raise OSError(errno.EEXIST, "the socket has been replaced by another file")
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _target(address: SocketAddress) -> str | tuple[str, int]:
    return address.path or (address.host, address.port)


def _remove_stale(address: SocketAddress) -> None:
    """Remove the file of a socket at which no process listens. Raises CannotListen if a process listens there, or if the file is
    not a socket."""
    try:
        mode = os.lstat(address.path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotListen(f"{address.path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{address.path}: exists and is not a socket; remove it, or choose another path")
    try:
        connect(address, _PROBE_SECONDS).close()
    except ConnectionRefusedError:
        os.unlink(address.path)
    except OSError as error:
        raise CannotListen(f"{address.path}: {error.strerror}") from error
    else:
        raise CannotListen(f"{address.path}: another milter listens there; stop it first")


def _change_owner(path: str, owner: int, group: str) -> None:
    """Change owner and group of the socket. `pinned` prevents that the owner of the directory replaces the socket by a link to a
    file of root's, and so becomes the owner of that file."""
    if owner < 0 and not group:
        return
    try:
        gid = grp.getgrnam(group).gr_gid if group else -1
        with pinned(path) as socket_file:
            os.chown(socket_file, owner, gid)
    except (KeyError, OSError) as error:
        with suppress(OSError):
            os.unlink(path)
        target = f"group {group}" if group else f"user {owner}"
        raise CannotListen(f"{path}: cannot change the owner to {target}: {error}") from error


def _disable_nagle(fd: int) -> None:
    """Disable Nagle's algorithm for the connections, which inherit the option (Linux, BSD). libmilter sends each modification of a
    message, and the final reply, in a packet of its own: the second would wait 40 ms for the MTA's delayed ACK."""
    with socket.socket(fileno=os.dup(fd)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reason(address: SocketAddress) -> str:
    """Return why libmilter could not open the socket. libmilter does not report it, so this opens a socket in the same way and
    returns the kernel's error."""
    with socket.socket(_FAMILIES[address.family], socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(_target(address))
            if address.path:
                os.unlink(address.path)
        except OSError as error:
            hint = "; is another milter running?" if error.errno == errno.EADDRINUSE else ""
            return f"{error.strerror}{hint}"
    return "libmilter gives no reason"


def _listening() -> list[int]:
    """Return the file descriptors of this process that listen."""
    return [fd for fd, sock in open_sockets() if is_listening(sock)]
