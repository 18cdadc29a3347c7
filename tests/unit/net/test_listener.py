"""The file of the unix socket in a directory of another user: whatever that user puts in its place while the daemon starts, no
other file changes owner or mode."""

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
    """Return a file that root owns."""
    path = tmp_path / "victim"
    path.write_text("root's")
    path.chmod(MODE)
    return path


@pytest.fixture
def address(tmp_path: Path) -> SocketAddress:
    """Return the address of a socket in a directory that the user nobody owns."""
    directory = tmp_path / "d"
    directory.mkdir()
    os.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
    return SocketAddress("unix", path=str(directory / "socket"))


def symlink(victim: Path, path: Path) -> None:
    path.symlink_to(victim)


def hard_link(victim: Path, path: Path) -> None:
    path.hardlink_to(victim)


def another_socket(victim: Path, path: Path) -> None:
    """A socket that root owns, in another directory."""
    victim.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(victim))
    victim.chmod(MODE)
    path.hardlink_to(victim)


def gone(victim: Path, path: Path) -> None:
    assert victim.exists()
    assert not path.exists()


def listening(sockets: list[socket.socket], then: Callable[[Path], None]) -> Callable[[SocketAddress], None]:
    """Return a function that opens a socket as libmilter does, and calls `then` right after that."""

    def open_socket(address: SocketAddress) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sockets.append(sock)
        sock.bind(address.path)
        sock.listen(5)
        then(Path(address.path))

    return open_socket


@pytest.mark.parametrize("trick", [symlink, hard_link, another_socket, gone])
@pytest.mark.parametrize("group", ["", "daemon"])
def test_a_socket_replaced_before_its_owner_changes(
    victim: Path, address: SocketAddress, trick: Callable[[Path, Path], None], group: str
) -> None:
    sockets: list[socket.socket] = []

    def swap(path: Path) -> None:
        path.unlink()
        trick(victim, path)

    with pytest.raises(CannotListen, match="cannot change the owner"):
        open_listener(address, 0o660, NOBODY.pw_uid, group, listening(sockets, swap))
    for sock in sockets:
        sock.close()
    found = victim.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, os.getegid(), MODE)


def test_the_owner_of_the_socket_changes(address: SocketAddress) -> None:
    sockets: list[socket.socket] = []
    open_listener(address, 0o660, NOBODY.pw_uid, "daemon", listening(sockets, lambda path: None))
    found = Path(address.path).stat()
    assert (found.st_uid, Path(address.path).group(), stat.S_IMODE(found.st_mode)) == (NOBODY.pw_uid, "daemon", 0o660)
    (sock,) = sockets
    sock.close()


@pytest.mark.parametrize("trick", [symlink, hard_link, another_socket])
def test_a_socket_replaced_before_the_gate_is_shut(
    victim: Path, address: SocketAddress, trick: Callable[[Path, Path], None]
) -> None:
    """The milter runs as root."""
    sockets: list[socket.socket] = []
    fd = open_listener(address, 0o660, -1, "", listening(sockets, lambda path: None))
    gate = ListenerGate(fd, address, 0o660, 5, ours=True)
    gate.shut()
    assert stat.S_IMODE(Path(address.path).stat().st_mode) == 0
    gate.open()
    assert stat.S_IMODE(Path(address.path).stat().st_mode) == 0o660
    Path(address.path).unlink()
    trick(victim, Path(address.path))
    gate.shut()
    assert stat.S_IMODE(victim.stat().st_mode) == MODE
    gate.open()
    assert stat.S_IMODE(victim.stat().st_mode) == MODE
    sockets[0].close()


def test_the_race_for_the_socket(victim: Path) -> None:
    """The owner of the directory replaces the socket by a symlink as soon as it appears, again and again."""
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
    """Replace the socket again and again. Runs in the child and never returns."""
    while True:
        try:
            os.unlink(path)
            os.symlink(victim, path)
        except OSError:
            continue
