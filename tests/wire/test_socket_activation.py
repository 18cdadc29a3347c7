"""A socket from the service manager (sd_listen_fds(3)): a restart refuses no connection and loses none."""

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path

import pytest

from rdns_milter.text.exit_status import EX_UNAVAILABLE
from tests.kit.data.scenario import GOOD, GOOD_HELO, LATE, REFUSE_ALL, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.endpoint import free_port
from tests.kit.milter.load import Load
from tests.kit.milter.socket_activation import ActivatedDaemon
from tests.kit.milter.transaction import Conversation, deliver

RESTARTS = 3


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_a_restart_refuses_no_client(server: NameServer, kind: str) -> None:
    with ActivatedDaemon(rules=REFUSE_ALL, nameserver=server, workers=2, socket=kind) as daemon:
        with Load(lambda _: code(daemon)) as load:
            for _ in range(RESTARTS):
                load.wait(50)
                assert daemon.terminate() == 0
                daemon.start()
            load.wait(50)
        assert load.lost == []
        assert set(load.codes) == {550}
        assert len([line for line in daemon.notices() if line.endswith(": stopped")]) == RESTARTS


def test_without_it_a_restart_does_refuse(server: NameServer) -> None:
    """Clients would notice it."""
    with (
        Daemon(rules=REFUSE_ALL, nameserver=server, workers=2) as daemon,
        Load(lambda _: code(daemon)) as load,
    ):
        load.wait(50)
        daemon.terminate()
        until(lambda: load.lost)
        daemon.start()
    assert any(isinstance(error, ConnectionRefusedError | ConnectionResetError) for error in load.lost)


def test_a_client_between_two_instances_waits(server: NameServer) -> None:
    """A connection made while no instance serves is served by the next."""
    with ActivatedDaemon(rules=REFUSE_ALL, nameserver=server) as daemon:
        assert daemon.terminate() == 0
        replies: list[int] = []
        waiting = threading.Thread(target=lambda: replies.append(deliver(daemon.spec, client=GOOD).verdict.code))
        waiting.start()
        daemon.start()
        waiting.join(30)
        assert replies == [550]


def test_a_message_that_begins_after_term(server: NameServer) -> None:
    """A client accepted before TERM may still send its message, and is not cut."""
    rules = [{"name": "late", "when": {"iprev": "fail"}, "action": "reject"}]
    with ActivatedDaemon(rules=rules, nameserver=server) as daemon, Conversation(daemon.spec) as dialogue:
        dialogue.connect(LATE.hostname, LATE.address)
        assert daemon.process is not None
        daemon.process.terminate()
        dialogue.helo(GOOD_HELO)
        dialogue.mail("a@late.example")
        assert dialogue.rcpt("b@rcpt.example").goes_on
        assert dialogue.end(macros={"i": "Q1"}).reply.goes_on
        dialogue.quit()
        assert daemon.process.wait(20) == 0
        assert [line["iprev"] for line in daemon.decisions()] == ["pass"]


def test_the_socket_is_not_changed(server: NameServer) -> None:
    with ActivatedDaemon(rules=REFUSE_ALL, nameserver=server, socket="unix") as daemon:
        daemon.socket_path.chmod(0o640)
        assert deliver(daemon.spec, client=GOOD).verdict.code == 550
        assert daemon.terminate() == 0
        assert stat.S_IMODE(daemon.socket_path.stat().st_mode) == 0o640
        assert daemon.is_listening()


# Sockets that are not accepted


def start(daemon: ActivatedDaemon) -> str:
    """Return its output and its exit status."""
    try:
        process = daemon.launch()
        assert process.wait(20) == EX_UNAVAILABLE
        return daemon.log()
    finally:
        daemon.stop()


def test_a_socket_elsewhere(server: NameServer) -> None:
    daemon = ActivatedDaemon(rules=REFUSE_ALL, nameserver=server)
    there = daemon.spec
    daemon.spec = f"inet:{free_port()}@127.0.0.1"
    daemon.write()
    assert (
        start(daemon)
        == f"rdns-milter: {daemon.spec}: the socket that the service manager passes listens at {there}; they must agree\n"
    )


def test_two_sockets(server: NameServer) -> None:
    assert "passes 2 sockets; exactly one is needed" in start(ActivatedDaemon(nameserver=server, handed=2))


def test_a_socket_that_does_not_listen(server: NameServer) -> None:
    daemon = ActivatedDaemon(nameserver=server)
    daemon.listener.close()
    daemon.listener = socket.socket()
    assert "is not a listening socket" in start(daemon)


def test_what_is_meant_for_another_process(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables inherited from a parent that got a socket are ignored."""
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    with Daemon(rules=REFUSE_ALL, nameserver=server, socket="unix") as daemon:
        assert deliver(daemon.spec, client=GOOD).verdict.code == 550
        assert daemon.terminate() == 0
        assert not Path(daemon.socket_path).exists()
