"""The milter as a process: errors that prevent a start, and the permissions with which it runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.scenario import DEFER_ALL, REFUSE_ALL, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import ROOT, Daemon, command, environment, until
from tests.kit.milter.endpoint import free_port

EX_UNAVAILABLE, EX_CONFIG = 69, 78
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(rules=REFUSE_ALL, nameserver=server, socket="unix") as running:
        yield running


def test_second_start_at_a_live_unix_socket(daemon: Daemon) -> None:
    done = command("run", "-c", str(daemon.path))
    assert done.returncode == EX_UNAVAILABLE
    path = daemon.socket_path
    assert done.stderr.decode() == f"rdns-milter: {path}: another milter listens there; stop it first\n"
    assert code(daemon) == 550


def test_second_start_at_a_live_port(server: NameServer) -> None:
    with Daemon(rules=REFUSE_ALL, nameserver=server) as daemon:
        done = command("run", "-c", str(daemon.path))
        assert done.returncode == EX_UNAVAILABLE
        assert done.stderr.decode().startswith(f"rdns-milter: {daemon.spec}: cannot listen: Address already in use;")
        assert code(daemon) == 550


def test_stale_socket_is_taken_over(server: NameServer) -> None:
    daemon = Daemon(rules=REFUSE_ALL, nameserver=server, socket="unix")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(daemon.socket_path))
    with daemon:
        assert code(daemon) == 550


def test_a_path_that_is_not_a_socket_is_left_alone(server: NameServer) -> None:
    daemon = Daemon(nameserver=server, socket="unix")
    daemon.socket_path.write_text("precious")
    done = command("run", "-c", str(daemon.path))
    assert done.returncode == EX_UNAVAILABLE
    assert b"exists and is not a socket" in done.stderr
    assert daemon.socket_path.read_text() == "precious"
    daemon.stop()


@pytest.mark.parametrize(
    ("milter", "complaint"),
    [
        ({"socket": "unix:/nonexistent/dir/socket"}, "unix:/nonexistent/dir/socket: cannot listen: No such file"),
        ({"socket": "inet:9@192.0.2.1"}, "inet:9@192.0.2.1: cannot listen: Cannot assign requested address"),
        pytest.param({"user": "no-such-user"}, "milter.user: there is no user no-such-user", marks=as_root),
        ({"socket_group": "no-such-group"}, "cannot change the owner to group no-such-group"),
    ],
)
def test_cannot_start(milter: dict[str, Any], complaint: str) -> None:
    daemon = Daemon({"milter": milter}, socket="unix")
    done = command("run", "-c", str(daemon.path))
    assert done.returncode == EX_UNAVAILABLE
    assert complaint in done.stderr.decode()
    assert not daemon.socket_path.exists()
    daemon.stop()


def test_too_few_descriptors() -> None:
    daemon = Daemon()
    done = subprocess.run(
        ["sh", "-c", f"ulimit -n 64; exec {sys.executable} -m rdns_milter run -c {daemon.path}"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == EX_UNAVAILABLE
    assert done.stderr.decode() == "rdns-milter: only 64 file descriptors (ulimit -n): at least 256 are needed\n"
    daemon.stop()


def test_broken_config(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(f'[milter]\nsocket = "inet:{free_port()}"\ndeadline = 60\n[dns]\ntimeuot = 1\n')
    done = command("run", "-c", str(path))
    assert done.returncode == EX_CONFIG
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{path}:2", "milter.socket"],
        [f"{path}:3", "milter.deadline"],
        [f"{path}:5", "dns.timeuot"],
    ]
    assert lines[2].endswith('did you mean "timeout"?')
    missing = command("run", "-c", str(tmp_path / "missing.toml"))
    assert missing.returncode == EX_CONFIG
    assert str(tmp_path / "missing.toml") in missing.stderr.decode()


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_dry_run(server: NameServer, kind: str) -> None:
    daemon = Daemon(rules=REFUSE_ALL, nameserver=server, socket=kind)
    done = command("run", "-n", "-c", str(daemon.path))
    assert done.returncode == 0
    assert f"listening at {daemon.spec}, 1 workers, mode enforce, policy " in done.stderr.decode()
    assert not daemon.is_listening()
    if kind == "unix":
        assert not daemon.socket_path.exists()
    with daemon:
        assert code(daemon) == 550
        again = command("run", "-n", "-c", str(daemon.path))
        assert again.returncode == EX_UNAVAILABLE
        assert code(daemon) == 550


# Rights


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666])
def test_mode_of_the_socket(server: NameServer, mode: int) -> None:
    with Daemon({"milter": {"socket_mode": mode}}, REFUSE_ALL, server, socket="unix") as daemon:
        assert stat.S_IMODE(daemon.socket_path.stat().st_mode) == mode


@as_root
def test_group_of_the_socket(server: NameServer) -> None:
    with Daemon({"milter": {"socket_group": "daemon"}}, REFUSE_ALL, server, socket="unix") as daemon:
        assert daemon.socket_path.group() == "daemon"
        assert code(daemon) == 550


@as_root
@pytest.mark.parametrize("writable", [True, False])
def test_user(server: NameServer, writable: bool) -> None:
    """No process is root any more; what the service does later (reload, replace a worker, stop) works all the same."""
    daemon = Daemon({"milter": {"user": "nobody"}}, REFUSE_ALL, server, socket="unix")
    if writable:
        shutil.chown(daemon.directory, "nobody")
    with daemon:
        (worker,) = daemon.wait_for_workers()
        for pid in (daemon.pid, worker):
            status = dict(
                line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
            )
            assert set(status["Uid"].split()) == {"65534"}
            assert set(status["Gid"].split()) == {"65534"}
            assert set(status["Groups"].split()) <= {"65534"}
            assert int(status["CapEff"], 16) == 0
        assert code(daemon) == 550
        os.kill(worker, signal.SIGKILL)
        until(lambda: daemon.workers() and worker not in daemon.workers())
        daemon.reload({"milter": {"user": "nobody"}}, DEFER_ALL)
        until(lambda: code(daemon) == 451)
        assert daemon.terminate() == 0
        assert daemon.socket_path.exists() != writable


def test_the_log_says_who_it_is(server: NameServer) -> None:
    with Daemon(rules=REFUSE_ALL, nameserver=server, workers=2) as daemon:
        (notice,) = daemon.notices()
    assert notice.endswith(f"name servers {server.hostport}")
    assert f"listening at {daemon.spec}, 2 workers, mode enforce, policy " in notice
