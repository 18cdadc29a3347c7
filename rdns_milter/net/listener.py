"""The socket at which the MTA connects: opened once by the parent, shared by all workers.

Never takes the socket of a live milter away, never lets in by the file's mode whom the config keeps out, not for a moment.
Knows no pymilter: libmilter's own way of opening is an argument.

libmilter's smfi_setconn (forms of a socket's name).
"""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import select
import socket
import stat
import termios
from array import array
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from .endpoints import Listener

_PROBE_SECONDS = 2.0


class CannotListen(Exception):
    """The socket cannot be had; the text says why and what to do."""


def open_listener(place: Listener, mode: int, owner: int, group: str, open_socket: Callable[[Listener], None]) -> int:
    """Let `open_socket` (libmilter's) open the socket; its file descriptor. `owner`: the user id that it is going to be used
    by, who must be able to connect himself (see kicker), or -1. Raises CannotListen."""
    if place.path:
        _clear_stale(place)
    before = set(_listening())
    mask = os.umask(0o777 & ~mode)
    try:
        open_socket(place)
    except Exception as error:
        raise CannotListen(f"{place}: cannot listen there: {_reason(place)}") from error
    finally:
        os.umask(mask)
    if place.path:
        _give_to(place.path, owner, group)
    (fd,) = set(_listening()) - before
    make_ready(fd, place)
    return fd


def make_ready(fd: int, place: Listener) -> None:
    """Let several processes accept at the socket."""
    # One that loses the race must not block while it holds libmilter's lock.
    os.set_blocking(fd, False)
    if not place.path:
        _send_at_once(fd)


class Door:
    """The way in for MTAs: shut while there is nobody to serve them. A unix socket is shut by its mode (whoever waits there
    already goes on waiting), another by not listening (the port stays ours). One that is not `ours` but the service manager's is
    never shut and never removed: whoever comes waits until we are back."""

    def __init__(self, fd: int, place: Listener, mode: int, backlog: int, ours: bool) -> None:
        self._ours = ours
        self._fd = fd
        self._place = place
        self._mode = mode
        self._backlog = backlog
        self._is_shut = False

    def shut(self) -> bool:
        """From now on whoever connects is refused at once. True if that is new."""
        if not self._ours:
            return False
        was_shut, self._is_shut = self._is_shut, True
        if was_shut:
            return False
        with suppress(OSError), self._socket() as listener:
            if self._place.path:
                with _pinned(self._place.path) as pinned:
                    os.chmod(pinned, 0)
            else:
                listener.shutdown(socket.SHUT_RDWR)
        return True

    def open(self) -> None:
        """As if it had never been shut."""
        if not self._is_shut:
            return
        self._is_shut = False
        with suppress(OSError), self._socket() as listener:
            if self._place.path:
                with _pinned(self._place.path) as pinned:
                    os.chmod(pinned, self._mode)
            else:
                listener.listen(self._backlog)

    def remove(self) -> None:
        """Take the path of a unix socket away, if we may: whoever took root from us may not have left us the directory."""
        if self._ours:
            with suppress(OSError):
                os.unlink(self._place.path)

    def _socket(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self._fd))


def connect(place: Listener, seconds: float) -> socket.socket:
    """A connection to the socket, as an MTA makes it. Raises OSError."""
    sock = socket.socket(_family(place), socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(_target(place))
    except OSError:
        sock.close()
        raise
    return sock


def _family(place: Listener) -> socket.AddressFamily:
    return {"unix": socket.AF_UNIX, "inet": socket.AF_INET, "inet6": socket.AF_INET6}[place.family]


def _target(place: Listener) -> str | tuple[str, int]:
    return place.path or (place.host, place.port)


def _clear_stale(place: Listener) -> None:
    """Remove a socket that nobody listens at; refuse one that somebody does, and what is no socket at all."""
    try:
        kind = os.lstat(place.path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotListen(f"{place.path}: {error.strerror}") from error
    if not stat.S_ISSOCK(kind):
        raise CannotListen(f"{place.path}: there is a file that is no socket; remove it, or choose another path")
    try:
        connect(place, _PROBE_SECONDS).close()
    except ConnectionRefusedError:
        os.unlink(place.path)
    except OSError as error:
        raise CannotListen(f"{place.path}: {error.strerror}") from error
    else:
        raise CannotListen(f"{place.path}: another milter listens there; stop it first")


def _give_to(path: str, owner: int, group: str) -> None:
    """Make it the user's and the group's. The directory may be somebody's who would like to have another file of root's."""
    if owner < 0 and not group:
        return
    try:
        gid = grp.getgrnam(group).gr_gid if group else -1
        with _pinned(path) as pinned:
            os.chown(pinned, owner, gid)
    except (KeyError, OSError) as error:
        with suppress(OSError):
            os.unlink(path)
        whom = f"the group {group}" if group else f"user {owner}"
        raise CannotListen(f"{path}: cannot give it to {whom}: {error}") from error


@contextmanager
def _pinned(path: str) -> Iterator[str]:
    """Another path of our socket's file, that stays the same file whatever is put at its own path. Raises OSError if what is there
    is no socket of ours alone: a link to another file."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
            raise OSError(errno.EEXIST, "somebody has put another file there")
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _send_at_once(fd: int) -> None:
    """libmilter writes each change to a message, and its last word, by itself: with Nagle's algorithm the second waits for the
    MTA's delayed ACK, 40 ms. What is accepted inherits the option (Linux, BSD)."""
    with socket.socket(fileno=os.dup(fd)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reason(place: Listener) -> str:
    """libmilter does not say why it failed: try the same and let the kernel tell."""
    with socket.socket(_family(place), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(_target(place))
            if place.path:
                os.unlink(place.path)
        except OSError as error:
            taken = "; is another milter running?" if error.errno == errno.EADDRINUSE else ""
            return f"{error.strerror}{taken}"
    return "libmilter gives no reason"


def _listening() -> list[int]:
    """The file descriptors of this process that listen."""
    return [fd for fd, sock in _sockets() if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]


def accepted(place: Listener) -> int:
    """How many connections this process has that came in at that place: those of MTAs, greeted or not."""
    return sum(1 for _ in _accepted(place))


def descriptors(place: Listener) -> dict[int, int]:
    """Return the descriptors of those connections, with their inodes. They are libmilter's, which may close them at any time."""
    return {fd: os.fstat(sock.fileno()).st_ino for fd, sock in _accepted(place)}


def unread(place: Listener) -> dict[int, int]:
    """The inodes of those that have octets, or their end, to be read, with the number of octets."""
    poll, found = select.poll(), dict[int, int]()
    for _, sock in _accepted(place):
        poll.register(sock, select.POLLIN)
        if poll.poll(0):
            found[os.fstat(sock.fileno()).st_ino] = _readable_octets(sock)
        poll.unregister(sock)
    return found


def _readable_octets(sock: socket.socket) -> int:
    octets = array("i", (0,))
    with suppress(OSError):
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, octets)
    return octets[0]


def shut(place: Listener, inodes: Collection[int]) -> None:
    """Shut those of these inodes, for both sides; their descriptors stay libmilter's."""
    for _, sock in _accepted(place):
        if os.fstat(sock.fileno()).st_ino in inodes:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _accepted(place: Listener) -> Iterator[tuple[int, socket.socket]]:
    for fd, sock in _sockets():
        if (
            sock.type == socket.SOCK_STREAM
            and _is_local_end(sock.getsockname(), place)
            and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        ):
            yield fd, sock


def _is_local_end(name: object, place: Listener) -> bool:
    return name[1] == place.port if isinstance(name, tuple) else bool(name) and name == place.path


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """The sockets of this process with their descriptors, each to be looked at and not to be kept."""
    with suppress(OSError):
        for entry in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(int(entry)).st_mode):
                    with socket.socket(fileno=os.dup(int(entry))) as sock:
                        yield int(entry), sock
