"""The running milter as a process: start, refusal to start, reload, replacement of workers, stop."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.daemon import ROOT, Daemon, command, environment, until
from tests.kit.endpoint import connected, free_port, parse_endpoint
from tests.kit.mta import Conversation, MilterClosed, Reply, deliver
from tests.kit.nameserver import NameServer
from tests.kit.scene import GOOD, GOOD_HELO, SILENT, ZONE
from tests.kit.zone import Zone

REJECT: list[dict[str, Any]] = [{"name": "all", "action": "reject"}]
DEFER: list[dict[str, Any]] = [{"name": "all", "action": "tempfail"}]
WAIT: list[dict[str, Any]] = [{"name": "wait", "when": {"iprev": "fail"}, "action": "reject"}]
EX_UNAVAILABLE, EX_CONFIG = 69, 78
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as running:
        yield running


@pytest.fixture
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(rules=REJECT, nameserver=server, socket="unix") as running:
        yield running


def code(daemon: Daemon) -> int:
    """What a message of a good client is answered."""
    return deliver(daemon.spec, client=GOOD).verdict.code


def socket_of(daemon: Daemon) -> Path:
    """The path of its socket."""
    path = parse_endpoint(daemon.spec)
    assert isinstance(path, str)
    return Path(path)


def greeted(daemon: Daemon) -> Conversation:
    """A connection on which a client has greeted."""
    dialogue = Conversation(daemon.spec)
    dialogue.connect(GOOD.hostname, GOOD.address)
    dialogue.helo(GOOD_HELO)
    return dialogue


# HUP


def test_reload(daemon: Daemon) -> None:
    assert code(daemon) == 550
    old = daemon.wait_for_decisions(1)[0]["policy"]
    idle, busy = greeted(daemon), greeted(daemon)
    busy.mail("a@good.example")
    (pid,) = daemon.workers()
    (notice,) = daemon.reload(rules=DEFER)
    assert notice.startswith("rdns-milter: config reloaded: policy ")
    assert notice.endswith(" with 1 rules, mode enforce")
    until(lambda: code(daemon) == 451)
    new = daemon.decisions()[-1]["policy"]
    assert new != old
    assert f"policy {new} " in notice
    # Nobody was cut off: a message keeps the rules that it began with, the next has the new ones.
    assert busy.rcpt("b@rcpt.example").code == 550
    busy.abort()
    for dialogue in (busy, idle):
        dialogue.mail("a@good.example")
        assert dialogue.rcpt("b@rcpt.example").code == 451
        dialogue.quit()
    assert daemon.workers() == [pid]


def test_reload_of_all_workers(server: NameServer) -> None:
    with Daemon(rules=REJECT, nameserver=server, workers=3) as daemon:
        before = until(lambda: len(daemon.workers()) == 3 and set(daemon.workers()))
        daemon.reload(rules=DEFER)
        # Which of them takes a connection is the kernel's choice: many in a row say that all have it.
        until(lambda: all(code(daemon) == 451 for _ in range(20)))
        daemon.reload({"milter": {"mode": "observe"}}, REJECT)
        until(lambda: all(code(daemon) == 0 for _ in range(20)))
        assert set(daemon.workers()) == before


def test_reload_of_a_list(server: NameServer, tmp_path: Path) -> None:
    listed = tmp_path / "partners.cidr"
    listed.write_text("198.51.100.0/24\n")
    config = {"lists": {"partners": str(listed)}}
    rules = [{"name": "partner", "when": {"client": "@partners"}, "action": "reject"}]
    with Daemon(config, rules, server) as daemon:
        assert code(daemon) == 0
        listed.write_text("# new\n192.0.2.1\n")
        daemon.reload(config, rules)
        until(lambda: code(daemon) == 550)
        listed.write_text("192.0.2.1\n192.0.2.300\n")
        (complaint,) = daemon.reload(config, rules)
        assert f"the old one stays in force: {listed}:2: " in complaint
        assert code(daemon) == 550


def test_reload_of_a_broken_file(daemon: Daemon) -> None:
    lines = daemon.reload(rules='[[rule]]\nname = "all"\naktion = "accept"\n[[rule]]\nname = "all"\naction = "acept"\n')
    text = daemon.path.read_text().split("\n")
    prefix = f"rdns-milter: config not reloaded, the old one stays in force: {daemon.path}"
    assert all(line.startswith(prefix) for line in lines)
    complaints = {line.removeprefix(f"{prefix}:").partition(": ")[::2] for line in lines}
    assert {text[int(number) - 1] for number, _ in complaints} == {"[[rule]]", 'aktion = "accept"', 'action = "acept"'}
    assert any('did you mean "action"?' in complaint for _, complaint in complaints)
    assert any('did you mean "accept"?' in complaint for _, complaint in complaints)
    assert code(daemon) == 550
    daemon.reload(rules="this is no TOML")
    assert code(daemon) == 550
    daemon.path.unlink()
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: len([line for line in daemon.notices() if "not reloaded" in line]) == len(lines) + 2)
    assert code(daemon) == 550
    daemon.reload(rules=DEFER)
    until(lambda: code(daemon) == 451)


def test_reload_cannot_move_the_socket(daemon: Daemon) -> None:
    elsewhere = socket_of(daemon).with_name("elsewhere")
    lines = daemon.reload({"milter": {"socket": f"unix:{elsewhere}", "workers": 7}}, DEFER)
    assert "rdns-milter: milter.socket has changed: that takes a restart" in lines
    assert "rdns-milter: milter.workers has changed: that takes a restart" in lines
    until(lambda: code(daemon) == 451)
    assert not elsewhere.exists()
    assert daemon.terminate() == 0
    assert not socket_of(daemon).exists()


# TERM


def test_stop(daemon: Daemon) -> None:
    idle = greeted(daemon)
    assert daemon.terminate() == 0
    assert daemon.notices()[-1] == "rdns-milter: stopped"
    assert not socket_of(daemon).exists()
    with pytest.raises((MilterClosed, OSError)):
        idle.mail("a@good.example")


def test_stop_at_once(server: NameServer) -> None:
    """TERM right after the start leaves nothing behind."""
    for _ in range(3):
        with Daemon(nameserver=server, socket="unix") as daemon:
            assert daemon.terminate() == 0
            assert not socket_of(daemon).exists()


def test_messages_under_way_come_to_their_end(server: NameServer) -> None:
    replies: list[Reply] = []
    with Daemon({"milter": {"deadline": 3.0}, "dns": {"timeout": 1.5, "tries": 1}}, WAIT, server) as daemon:
        (worker,) = until(daemon.workers)
        busy, waiting = greeted(daemon), Conversation(daemon.spec)
        waiting.connect(SILENT.hostname, SILENT.address)
        waiting.helo("mail.silent.example")
        waiting.mail("a@good.example")
        busy.mail("a@good.example")
        busy.rcpt("b@rcpt.example")
        thread = threading.Thread(target=lambda: replies.append(waiting.rcpt("b@rcpt.example")))
        thread.start()
        assert daemon.process is not None
        daemon.process.terminate()
        until(lambda: _refuses(daemon))
        assert daemon.process.poll() is None
        assert worker in daemon.workers()
        thread.join(10)
        assert replies == [Reply("continue")]
        assert waiting.end(macros={"i": "Q2"}).reply.goes_on
        assert busy.end(macros={"i": "Q1"}).reply.goes_on
        busy.close()
        waiting.close()
        assert daemon.process.wait(10) == 0
        assert [line["action"] for line in daemon.decisions()] == ["accept"] * 2


def _refuses(daemon: Daemon) -> bool:
    try:
        connected(daemon.spec, 2).close()
    except OSError:
        return True
    return False


def test_interrupt_is_like_term(daemon: Daemon) -> None:
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.process is not None
    assert daemon.process.wait(10) == 0


# Workers that die


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_replaced(server: NameServer, how: signal.Signals) -> None:
    with Daemon(rules=REJECT, nameserver=server, workers=2) as daemon:
        before = set(until(lambda: len(daemon.workers()) == 2 and daemon.workers()))
        victim = min(before)
        os.kill(victim, how)
        until(lambda: any(f"worker {victim} ended (signal {how.name})" in line for line in daemon.notices()))
        after = set(until(lambda: len(daemon.workers()) == 2 and daemon.workers()))
        assert victim not in after
        assert len(after & before) == 1
        assert [code(daemon) for _ in range(10)] == [550] * 10
        assert daemon.terminate() == 0


def test_workers_do_not_outlive_their_parent(daemon: Daemon) -> None:
    workers = until(daemon.workers)
    os.kill(daemon.pid, signal.SIGKILL)
    until(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Start, and refusal to start


def test_second_start_at_a_live_unix_socket(daemon: Daemon) -> None:
    done = command("run", "-c", str(daemon.path))
    assert done.returncode == EX_UNAVAILABLE
    path = socket_of(daemon)
    assert done.stderr.decode() == f"rdns-milter: {path}: another milter listens there; stop it first\n"
    assert code(daemon) == 550


def test_second_start_at_a_live_port(server: NameServer) -> None:
    with Daemon(rules=REJECT, nameserver=server) as daemon:
        done = command("run", "-c", str(daemon.path))
        assert done.returncode == EX_UNAVAILABLE
        assert done.stderr.decode().startswith(
            f"rdns-milter: {daemon.spec}: cannot listen there: Address already in use;"
        )
        assert code(daemon) == 550


def test_stale_socket_is_taken_over(server: NameServer) -> None:
    daemon = Daemon(rules=REJECT, nameserver=server, socket="unix")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(socket_of(daemon)))
    with daemon:
        assert code(daemon) == 550


def test_what_is_no_socket_is_left_alone(server: NameServer) -> None:
    daemon = Daemon(nameserver=server, socket="unix")
    socket_of(daemon).write_text("precious")
    done = command("run", "-c", str(daemon.path))
    assert done.returncode == EX_UNAVAILABLE
    assert b"there is a file that is no socket" in done.stderr
    assert socket_of(daemon).read_text() == "precious"
    daemon.stop()


@pytest.mark.parametrize(
    ("milter", "complaint"),
    [
        ({"socket": "unix:/nonexistent/dir/socket"}, "unix:/nonexistent/dir/socket: cannot listen there: No such file"),
        ({"socket": "inet:9@192.0.2.1"}, "inet:9@192.0.2.1: cannot listen there: Cannot assign requested address"),
        pytest.param({"user": "no-such-user"}, "milter.user: there is no user no-such-user", marks=as_root),
        ({"socket_group": "no-such-group"}, "cannot give it to the group no-such-group"),
    ],
)
def test_cannot_start(milter: dict[str, Any], complaint: str) -> None:
    daemon = Daemon({"milter": milter}, socket="unix")
    done = command("run", "-c", str(daemon.path))
    assert done.returncode == EX_UNAVAILABLE
    assert complaint in done.stderr.decode()
    assert not socket_of(daemon).exists()
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
    daemon = Daemon(rules=REJECT, nameserver=server, socket=kind)
    done = command("run", "-n", "-c", str(daemon.path))
    assert done.returncode == 0
    assert f"listening at {daemon.spec}, 1 workers, mode enforce, policy " in done.stderr.decode()
    assert _refuses(daemon)
    if kind == "unix":
        assert not socket_of(daemon).exists()
    with daemon:
        assert code(daemon) == 550
        again = command("run", "-n", "-c", str(daemon.path))
        assert again.returncode == EX_UNAVAILABLE
        assert code(daemon) == 550


# Rights


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666])
def test_mode_of_the_socket(server: NameServer, mode: int) -> None:
    with Daemon({"milter": {"socket_mode": mode}}, REJECT, server, socket="unix") as daemon:
        assert stat.S_IMODE(socket_of(daemon).stat().st_mode) == mode


@as_root
def test_group_of_the_socket(server: NameServer) -> None:
    with Daemon({"milter": {"socket_group": "daemon"}}, REJECT, server, socket="unix") as daemon:
        assert socket_of(daemon).group() == "daemon"
        assert code(daemon) == 550


@as_root
@pytest.mark.parametrize("writable", [True, False])
def test_user(server: NameServer, writable: bool) -> None:
    """Nobody is root any more; what the service does later (reload, replace a worker, stop) works all the same."""
    daemon = Daemon({"milter": {"user": "nobody"}}, REJECT, server, socket="unix")
    if writable:
        shutil.chown(daemon.directory, "nobody")
    with daemon:
        (worker,) = until(daemon.workers)
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
        daemon.reload({"milter": {"user": "nobody"}}, DEFER)
        until(lambda: code(daemon) == 451)
        assert daemon.terminate() == 0
        assert socket_of(daemon).exists() != writable


def test_the_log_says_who_it_is(server: NameServer) -> None:
    with Daemon(rules=REJECT, nameserver=server, workers=2) as daemon:
        (notice,) = daemon.notices()
    assert notice.endswith(f"name servers {server.hostport}")
    assert f"listening at {daemon.spec}, 2 workers, mode enforce, policy " in notice
