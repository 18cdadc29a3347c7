"""The file of the unix socket, in a directory that is somebody else's: whatever he puts in its place while we start, no other file
changes its owner or its mode."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rdns_milter.net.endpoints import SocketAddress
from rdns_milter.net.listener import CannotListen, open_listener
from rdns_milter.net.listener_gate import ListenerGate
from tests.kit.milter.daemon import Daemon, command

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")

MODE = 0o640
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of root's."""
    path = tmp_path / "victim"
    path.write_text("root's")
    path.chmod(MODE)
    return path


@pytest.fixture
def place(tmp_path: Path) -> SocketAddress:
    """Where the socket is to be: a directory of nobody's."""
    directory = tmp_path / "d"
    directory.mkdir()
    os.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
    return SocketAddress("unix", path=str(directory / "socket"))


def symlink(victim: Path, path: Path) -> None:
    path.symlink_to(victim)


def hard_link(victim: Path, path: Path) -> None:
    path.hardlink_to(victim)


def another_socket(victim: Path, path: Path) -> None:
    """Of root's, elsewhere."""
    victim.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(victim))
    victim.chmod(MODE)
    path.hardlink_to(victim)


def gone(victim: Path, path: Path) -> None:
    assert victim.exists()
    assert not path.exists()


def listening(sockets: list[socket.socket], then: Callable[[Path], None]) -> Callable[[SocketAddress], None]:
    """As libmilter opens a socket; what happens right after that."""

    def open_socket(place: SocketAddress) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sockets.append(sock)
        sock.bind(place.path)
        sock.listen(5)
        then(Path(place.path))

    return open_socket


@pytest.mark.parametrize("trick", [symlink, hard_link, another_socket, gone])
@pytest.mark.parametrize("group", ["", "daemon"])
def test_what_is_put_there_before_it_is_given_away(
    victim: Path, place: SocketAddress, trick: Callable[[Path, Path], None], group: str
) -> None:
    sockets: list[socket.socket] = []

    def swap(path: Path) -> None:
        path.unlink()
        trick(victim, path)

    with pytest.raises(CannotListen, match="cannot change the owner"):
        open_listener(place, 0o660, NOBODY.pw_uid, group, listening(sockets, swap))
    for sock in sockets:
        sock.close()
    found = victim.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, os.getegid(), MODE)


def test_the_socket_itself_is_given_away(place: SocketAddress) -> None:
    sockets: list[socket.socket] = []
    open_listener(place, 0o660, NOBODY.pw_uid, "daemon", listening(sockets, lambda path: None))
    found = Path(place.path).stat()
    assert (found.st_uid, Path(place.path).group(), stat.S_IMODE(found.st_mode)) == (NOBODY.pw_uid, "daemon", 0o660)
    (sock,) = sockets
    sock.close()


@pytest.mark.parametrize("trick", [symlink, hard_link, another_socket])
def test_what_is_put_there_before_it_is_shut(
    victim: Path, place: SocketAddress, trick: Callable[[Path, Path], None]
) -> None:
    """By a milter that runs as root."""
    sockets: list[socket.socket] = []
    fd = open_listener(place, 0o660, -1, "", listening(sockets, lambda path: None))
    gate = ListenerGate(fd, place, 0o660, 5, ours=True)
    gate.shut()
    assert stat.S_IMODE(Path(place.path).stat().st_mode) == 0
    gate.open()
    assert stat.S_IMODE(Path(place.path).stat().st_mode) == 0o660
    Path(place.path).unlink()
    trick(victim, Path(place.path))
    gate.shut()
    assert stat.S_IMODE(victim.stat().st_mode) == MODE
    gate.open()
    assert stat.S_IMODE(victim.stat().st_mode) == MODE
    sockets[0].close()


def test_the_race(victim: Path) -> None:
    """Somebody who owns the directory puts a symlink there as soon as he sees the socket, again and again."""
    for _ in range(6):
        daemon = Daemon({"milter": {"user": "nobody", "socket_group": "daemon"}}, socket="unix")
        shutil.chown(daemon.directory, "nobody")
        pid = os.fork()
        if pid == 0:
            os.setuid(NOBODY.pw_uid)
            _swap(str(victim), str(daemon.socket_path))
        try:
            command("run", "-n", "-c", str(daemon.path))
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            daemon.stop()
        found = victim.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, os.getegid(), MODE)


def _swap(victim: str, path: str) -> None:
    """In the child: never returns."""
    while True:
        try:
            os.unlink(path)
            os.symlink(victim, path)
        except OSError:
            continue
