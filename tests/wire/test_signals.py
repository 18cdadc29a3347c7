"""The running milter as a process: reload, replacement of workers, stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.scenario import DEFER_ALL, GOOD, GOOD_HELO, REFUSE_ALL, SILENT, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import Conversation, MilterClosed, Reply

WAIT: list[dict[str, Any]] = [{"name": "wait", "when": {"iprev": "fail"}, "action": "reject"}]


@pytest.fixture
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(rules=REFUSE_ALL, nameserver=server, socket="unix") as running:
        yield running


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
    (notice,) = daemon.reload(rules=DEFER_ALL)
    assert notice.startswith("rdns-milter: config reloaded: policy ")
    assert notice.endswith(" with 1 rules, mode enforce")
    until(lambda: code(daemon) == 451)
    new = until(lambda: [line["policy"] for line in daemon.decisions() if line["action"] == "tempfail"])[-1]
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
    with Daemon(rules=REFUSE_ALL, nameserver=server, workers=3) as daemon:
        before = daemon.wait_for_workers(3)
        daemon.reload(rules=DEFER_ALL)
        # Which of them takes a connection is the kernel's choice: many in a row say that all have it.
        until(lambda: all(code(daemon) == 451 for _ in range(20)))
        daemon.reload({"milter": {"mode": "observe"}}, REFUSE_ALL)
        until(lambda: all(code(daemon) == 0 for _ in range(20)))
        assert daemon.workers() == before


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
    wrong = {text[int(number) - 1] for number, _ in complaints}
    assert wrong == {"[[rule]]", 'aktion = "accept"', 'name = "all"', 'action = "acept"'}
    assert any('did you mean "action"?' in complaint for _, complaint in complaints)
    assert any('did you mean "accept"?' in complaint for _, complaint in complaints)
    assert code(daemon) == 550
    daemon.reload(rules="this is no TOML")
    assert code(daemon) == 550
    daemon.path.unlink()
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: len([line for line in daemon.notices() if "not reloaded" in line]) == len(lines) + 2)
    assert code(daemon) == 550
    daemon.reload(rules=DEFER_ALL)
    until(lambda: code(daemon) == 451)


def test_reload_cannot_move_the_socket(daemon: Daemon) -> None:
    elsewhere = daemon.socket_path.with_name("elsewhere")
    lines = daemon.reload({"milter": {"socket": f"unix:{elsewhere}", "workers": 7}}, DEFER_ALL)
    assert "rdns-milter: milter.socket has changed: this takes effect after a restart" in lines
    assert "rdns-milter: milter.workers has changed: this takes effect after a restart" in lines
    until(lambda: code(daemon) == 451)
    assert not elsewhere.exists()
    assert daemon.terminate() == 0
    assert not daemon.socket_path.exists()


# TERM


def test_stop(daemon: Daemon) -> None:
    idle = greeted(daemon)
    assert daemon.terminate() == 0
    assert daemon.notices()[-1] == "rdns-milter: stopped"
    assert not daemon.socket_path.exists()
    with pytest.raises((MilterClosed, OSError)):
        idle.mail("a@good.example")


def test_stop_at_once(server: NameServer) -> None:
    """TERM right after the start leaves nothing behind."""
    for _ in range(3):
        daemon = Daemon(nameserver=server, socket="unix")
        daemon.launch()
        assert daemon.terminate() == 0
        assert not daemon.socket_path.exists()
        daemon.stop()


def test_messages_under_way_come_to_their_end(server: NameServer) -> None:
    replies: list[Reply] = []
    with Daemon({"milter": {"deadline": 3.0}, "dns": {"timeout": 1.5, "tries": 1}}, WAIT, server) as daemon:
        (worker,) = daemon.wait_for_workers()
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
        until(lambda: not daemon.is_listening())
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


def test_interrupt_is_like_term(daemon: Daemon) -> None:
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.process is not None
    assert daemon.process.wait(10) == 0


# Workers that die


@pytest.mark.parametrize(
    ("how", "said"),
    [(signal.SIGKILL, "signal SIGKILL"), (signal.SIGSEGV, "signal SIGSEGV"), (signal.SIGTERM, "status 0")],
)
def test_a_worker_that_dies_is_replaced(server: NameServer, how: signal.Signals, said: str) -> None:
    with Daemon(rules=REFUSE_ALL, nameserver=server, workers=2) as daemon:
        before = daemon.wait_for_workers(2)
        victim = min(before)
        os.kill(victim, how)
        until(lambda: any(f"worker {victim} ended ({said})" in line for line in daemon.notices()))
        after = daemon.wait_for_workers(2)
        assert victim not in after
        assert len(set(after) & set(before)) == 1
        assert [code(daemon) for _ in range(10)] == [550] * 10
        assert daemon.terminate() == 0


def test_workers_do_not_outlive_their_parent(daemon: Daemon) -> None:
    workers = daemon.wait_for_workers()
    os.kill(daemon.pid, signal.SIGKILL)
    until(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
