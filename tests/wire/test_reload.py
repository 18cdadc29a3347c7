"""HUP and TERM under load: the policy changes and no session is cut; an invalid file changes nothing; messages under way are
completed before the end. And the socket's permissions from the moment it exists."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, SILENT, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.load import Load
from tests.kit.milter.transaction import Conversation
from tests.kit.milter.worker_of import connections_to_each

REJECT: list[dict[str, Any]] = [{"name": "all", "action": "reject"}]
DEFER: list[dict[str, Any]] = [{"name": "all", "action": "tempfail"}]
LISTED: list[dict[str, Any]] = [
    {"name": "listed", "when": {"client": "@partners"}, "action": "reject"},
    {"name": "all", "action": "tempfail"},
]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a socket away")


# HUP


def test_thirty_hups_in_a_second_under_load(server: NameServer, tmp_path: Path) -> None:
    """Each with another list in its file: no session is lost, each reply is one that some policy gives, the last policy stays."""
    partners = tmp_path / "partners.cidr"
    partners.write_text("192.0.2.1\n")
    lists = {"lists": {"partners": str(partners)}}
    with Daemon(lists, LISTED, server, workers=2) as daemon:
        held = [dialogue for (dialogue,) in connections_to_each(daemon).values()]
        for dialogue in held:
            dialogue.connect(GOOD.hostname, GOOD.address)
            dialogue.helo(GOOD_HELO)
            dialogue.mail(GOOD_FROM)
        workers = daemon.workers()
        with Load(lambda _: code(daemon), clients=4) as load:
            load.wait(20)
            for turn in range(30):
                replace(partners, "198.51.100.7\n" if turn % 2 else "192.0.2.1\n")
                os.kill(daemon.pid, signal.SIGHUP)
                time.sleep(0.03)
            load.wait(20)
            until(lambda: {code(daemon) for _ in range(20)} == {451})
            replace(partners, "192.0.2.0/24\n")
            os.kill(daemon.pid, signal.SIGHUP)
            until(lambda: {code(daemon) for _ in range(20)} == {550})
        assert load.lost == []
        assert set(load.codes) == {550, 451}
        assert daemon.workers() == workers
        # A message under way keeps the policy that it began with; the next has the new one.
        replace(partners, "198.51.100.7\n")
        os.kill(daemon.pid, signal.SIGHUP)
        until(lambda: {code(daemon) for _ in range(20)} == {451})
        for dialogue in held:
            assert dialogue.rcpt("b@rcpt.example").code == 550
            dialogue.abort()
            dialogue.mail(GOOD_FROM)
            assert dialogue.rcpt("b@rcpt.example").code == 451
            dialogue.quit()
        assert [line for line in daemon.notices() if "internal error" in line] == []
        assert daemon.terminate() == 0


def replace(path: Path, text: str) -> None:
    """Replace the file as an editor does: a reader finds the old text or the new."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def gone(path: Path) -> None:
    path.unlink()


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def broken(path: Path) -> None:
    path.write_text("192.0.2.1\n\n192.0.2.0/33\n")


def octets(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\n")


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [(gone, "does not exist"), (a_directory, "is a directory"), (broken, ":3: "), (octets, "UTF-8")],
)
def test_a_list_that_cannot_be_read_changes_nothing(
    server: NameServer, tmp_path: Path, harm: Callable[[Path], None], complaint: str
) -> None:
    """Not even in a worker that is started afterwards."""
    partners = tmp_path / "partners.cidr"
    partners.write_text("192.0.2.1\n")
    lists = {"lists": {"partners": str(partners)}}
    with Daemon(lists, LISTED, server) as daemon:
        assert code(daemon) == 550
        harm(partners)
        (line,) = daemon.reload(lists, LISTED)
        assert line.startswith("rdns-milter: config not reloaded, the old one stays in force: ")
        assert str(partners) in line or str(daemon.path) in line
        assert complaint in line
        assert code(daemon) == 550
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda: worker not in daemon.workers() and daemon.workers())
        assert code(daemon) == 550
        assert daemon.terminate() == 0


# TERM


@dataclass
class Messages:
    """Messages with the step that they reached: `cut` are those that had begun and did not get their last reply."""

    spec: str
    cut: list[str] = field(default_factory=list)
    turned_away: int = 0

    def send(self, number: int) -> int:
        """Send a message; every third waits for a name server that does not answer."""
        client, helo = (SILENT, f"h{number}.silent.example") if number % 3 == 0 else (GOOD, GOOD_HELO)
        stage = "connect"
        try:
            with Conversation(self.spec) as dialogue:
                dialogue.connect(client.hostname, client.address)
                dialogue.helo(helo)
                dialogue.mail(GOOD_FROM)
                stage = "rcpt"
                reply = dialogue.rcpt("b@rcpt.example")
                if reply.goes_on:
                    stage = "end"
                    reply = dialogue.end().reply
                return reply.code
        except OSError as error:
            if stage == "connect":
                self.turned_away += 1
                time.sleep(0.02)
            else:
                self.cut.append(f"{stage}: {error}")
            return -1


def test_term_under_load(server: NameServer) -> None:
    """Every message that has begun gets its replies, also those that wait for DNS; then all processes end, and none is accepted."""
    config = {"milter": {"deadline": 3.0}, "dns": {"timeout": 1.0, "tries": 1}}
    wait = [{"name": "wait", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"}]
    with Daemon(config, wait, server, workers=2) as daemon:
        messages = Messages(daemon.spec)
        with Load(messages.send, clients=9) as load:
            load.wait(40)
            assert daemon.terminate() == 0
            load.wait(9)
        assert messages.cut == []
        assert messages.turned_away > 0
        assert set(load.codes) == {0, -1}
        assert load.codes[-1] == messages.turned_away
        assert daemon.notices()[-1] == "rdns-milter: stopped"


def test_term_when_idle_does_not_wait_for_the_deadline(server: NameServer) -> None:
    with Daemon({"milter": {"deadline": 20.0}}, REJECT, server, workers=2) as daemon:
        assert code(daemon) == 550
        began = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - began < 20.0


# The socket


@as_root
@pytest.mark.parametrize(("mode", "group"), [(0o660, "daemon"), (0o600, ""), (0o666, "")])
def test_the_socket_is_never_open_to_others(server: NameServer, mode: int, group: str) -> None:
    """Looked at as often as possible, from before it exists: the socket never has more permissions than it should, and is never
    open to another group."""
    umask = os.umask(0)
    try:
        config = {"milter": {"socket_mode": mode, "socket_group": group, "user": "nobody"}}
        daemon = Daemon(config, REJECT, server, socket="unix")
        shutil.chown(daemon.directory, "nobody")
        with Watcher(str(daemon.socket_path)) as watcher, daemon:
            assert code(daemon) == 550
            final = daemon.socket_path.stat()
            assert daemon.terminate() == 0
    finally:
        os.umask(umask)
    assert stat.S_IMODE(final.st_mode) == mode
    assert daemon.terminate() == 0
    assert watcher.seen
    for rights, _, gid in watcher.seen:
        assert rights & ~mode == 0
        assert gid in (os.getegid(), final.st_gid)


class Watcher:
    """All modes, owners and groups that a path ever had."""

    def __init__(self, path: str) -> None:
        self.seen: set[tuple[int, int, int]] = set()
        self._path = path
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.is_set():
            try:
                found = os.stat(self._path)
            except FileNotFoundError:
                continue
            self.seen.add((stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid))
