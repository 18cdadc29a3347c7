"""Workers that are killed, that die again and again, that hang, that lose their parent: the effect on the clients of the others."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, SILENT, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.endpoint import connected
from tests.kit.milter.load import Load
from tests.kit.milter.packets import strings
from tests.kit.milter.transaction import Conversation, MilterClosed, Reply
from tests.kit.milter.waiting.unread_packets import count_unserved
from tests.kit.milter.worker_of import connections_to_each

CLOSED = (MilterClosed, ConnectionResetError, BrokenPipeError)
ACCEPT: list[dict[str, Any]] = [{"name": "all", "action": "accept"}]
# The reply waits for the reverse name.
WAIT: list[dict[str, Any]] = [{"name": "wait", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"}]


def begin(dialogue: Conversation) -> Conversation:
    """Begin a message on that connection."""
    dialogue.connect(GOOD.hostname, GOOD.address)
    dialogue.helo(GOOD_HELO)
    dialogue.mail(GOOD_FROM)
    return dialogue


def finishes(dialogue: Conversation) -> bool:
    """Return whether the message is completed and accepted; False: the connection is cut."""
    try:
        return dialogue.rcpt("b@rcpt.example").goes_on and dialogue.end().reply.goes_on
    except CLOSED:
        return False


def ended(daemon: Daemon) -> list[str]:
    """Return the log's lines about workers that have ended."""
    return [line for line in daemon.notices() if " ended (" in line]


# Killed


def test_kill_9_under_load(server: NameServer) -> None:
    with Daemon(rules=ACCEPT, nameserver=server, workers=2) as daemon:
        workers = daemon.wait_for_workers(2)
        held = connections_to_each(daemon, count=3)
        dialogues = [(pid, begin(dialogue)) for pid in held for dialogue in held[pid]]
        with Load(lambda _: code(daemon), clients=3) as load:
            load.wait(10)
            victim = workers[0]
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in daemon.workers() and len(daemon.workers()) == 2)
            load.wait(10)
        assert workers[1] in daemon.workers()
        # Only the dead worker's connections are cut: each client of the load had at most one message there.
        assert len(load.lost) <= 3
        assert all(isinstance(error, CLOSED) for error in load.lost)
        assert set(load.codes) == {0}
        for pid, dialogue in dialogues:
            assert finishes(dialogue) == (pid != victim)
            dialogue.close()
        (line,) = ended(daemon)
        assert line.startswith(f"rdns-milter: worker {victim} ended (signal SIGKILL), ")
        assert daemon.terminate() == 0


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_workers_that_die_at_once_again_and_again(server: NameServer, kind: str) -> None:
    """They are replaced after growing delays; while there is none for long, MTAs are refused at once. The service goes on
    trying."""
    with Daemon(rules=ACCEPT, nameserver=server, socket=kind) as daemon:
        mode = socket_mode(daemon)
        until(lambda: refused_after_all_are_killed(daemon))
        delays = [float(delay) for line in ended(daemon) for delay in re.findall(r"restart in ([\d.]+) s", line)]
        assert delays == sorted(delays)
        assert delays[0] == 0.2
        assert delays[-1] > 1
        assert daemon.process is not None
        assert daemon.process.poll() is None
        (line,) = until(lambda: [line for line in daemon.notices() if "no worker is left" in line])
        assert line == "rdns-milter: no worker is left: connections are refused until one has started"
        until(lambda: daemon.workers() and not refused(daemon))
        assert code(daemon) == 0
        assert socket_mode(daemon) == mode
        assert daemon.terminate() == 0


def refused_after_all_are_killed(daemon: Daemon) -> bool:
    for pid in daemon.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return refused(daemon)


def socket_mode(daemon: Daemon) -> int | None:
    """Return the socket's mode; None: it has no path."""
    return stat.S_IMODE(daemon.socket_path.stat().st_mode) if daemon.spec.startswith("unix") else None


def refused(daemon: Daemon) -> bool:
    """Return whether a connection is refused at once: for everybody at a port, for all but root at a path."""
    if daemon.spec.startswith("unix"):
        return socket_mode(daemon) == 0
    try:
        connected(daemon.spec, 2).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # the socket was closed just then
        return False
    return False


def test_no_descriptor_left_for_a_new_worker(server: NameServer) -> None:
    with Daemon(rules=ACCEPT, nameserver=server) as daemon:
        before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGKILL)
        until(
            lambda: any("cannot start a worker: Too many open files; next try in" in line for line in daemon.notices())
        )
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)
        assert until(lambda: daemon.workers() and not refused(daemon) and code(daemon) == 0)
        assert daemon.terminate() == 0


# Hung


def test_a_worker_that_hangs(server: NameServer) -> None:
    """It is detected and replaced; the other worker goes on. Where parent and workers were all stopped, none is replaced."""
    with Daemon(rules=ACCEPT, nameserver=server, workers=2) as daemon, Daemon(rules=ACCEPT, nameserver=server) as other:
        workers, sleepers = daemon.wait_for_workers(2), [other.pid, *other.wait_for_workers()]
        victim = workers[0]
        for pid in (victim, *sleepers):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: ended(daemon))
        for pid in reversed(sleepers):
            os.kill(pid, signal.SIGCONT)
        assert f"rdns-milter: worker {victim} has not reported for 10 s: killed" in daemon.notices()
        (line,) = ended(daemon)
        assert line == f"rdns-milter: worker {victim} ended (signal SIGKILL), restarting"
        assert workers[1] in daemon.wait_for_workers(2)
        assert [code(daemon) for _ in range(10)] == [0] * 10
        assert code(other) == 0
        time.sleep(1.5)  # the parent checks once a second
        assert ended(other) == []
        assert other.workers() == sleepers[1:]


# Orphans


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_the_parent_is_killed(server: NameServer, kind: str) -> None:
    """The workers complete what is under way, and end; meanwhile the service can be started again at the same socket."""
    config = {"milter": {"deadline": 20.0}, "dns": {"timeout": 1.5, "tries": 1}}
    with Daemon(config, WAIT, server, workers=2, socket=kind) as daemon:
        workers = daemon.wait_for_workers(2)
        busy, waiting = begin(Conversation(daemon.spec)), Conversation(daemon.spec)
        waiting.connect(SILENT.hostname, SILENT.address)
        waiting.helo("mail.silent.example")
        waiting.mail("a@silent.example")
        waiting.send_packet(b"R", strings("<b@rcpt.example>"))
        until(lambda: not count_unserved([waiting.socket]))
        assert daemon.process is not None
        daemon.process.kill()
        daemon.process.wait()
        daemon.output.write_text("")  # `start` waits for the new one's log
        daemon.start()
        assert code(daemon) == 0
        assert waiting.read_reply() == Reply("continue")
        assert finishes(waiting)
        assert finishes(busy)
        for dialogue in (waiting, busy):
            dialogue.close()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        assert code(daemon) == 0
        assert daemon.terminate() == 0
