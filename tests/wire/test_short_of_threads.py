"""So few tasks, or so little address space, that libmilter cannot have a thread for each client that waits: whoever may not wait is
judged all the same, nobody waits for an answer that never comes, nothing is left behind, and good mail goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.data.scenario import SILENT, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import ROOT, Daemon, environment, until
from tests.kit.milter.transaction import Conversation, MilterClosed

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may become somebody else, and no limit holds for root"
)

CLIENTS = 200
USER = "games"  # who runs nothing else
LEFT_OPEN = 64  # descriptors of a worker at rest, at most
WAIT = [{"name": "wait", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"}]
CONFIG: dict[str, dict[str, Any]] = {"milter": {"user": USER, "deadline": 3.0}, "dns": {"timeout": 2.0, "tries": 1}}


@contextlib.contextmanager
def limited(which: int, most: int) -> Iterator[None]:
    """What is started meanwhile may have so much."""
    soft, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (soft, hard))


def crowd(daemon: Daemon) -> Counter[str]:
    """What so many clients come to whose facts keep us waiting, all at once."""
    found: Counter[str] = Counter()

    def one(number: int) -> None:
        try:
            with Conversation(daemon.spec, timeout=30) as dialogue:
                dialogue.connect(SILENT.hostname, SILENT.address)
                dialogue.helo(f"h{number}.silent.example")
                dialogue.mail(f"a@s{number}.silent.example")
                found[dialogue.rcpt("b@rcpt.example").action] += 1
        except (MilterClosed, ConnectionError):
            found["cut"] += 1
        except TimeoutError:
            found["no answer"] += 1

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def descriptors(daemon: Daemon) -> list[int]:
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in daemon.workers()]


def at_rest(daemon: Daemon) -> bool:
    """Whether both workers are there, and have let go of all connections."""
    with contextlib.suppress(FileNotFoundError):
        found = descriptors(daemon)
        return len(found) == 2 and max(found) < LEFT_OPEN
    return False


@pytest.mark.parametrize(("which", "most"), [(resource.RLIMIT_NPROC, 47), (resource.RLIMIT_AS, 800 << 20)])
def test_a_crowd(server: NameServer, which: int, most: int) -> None:
    daemon = Daemon(CONFIG, WAIT, server, workers=2)
    with limited(which, most):
        daemon.start()
    with daemon_running(daemon):
        daemon.wait_for_workers(2)
        found = crowd(daemon)
        assert found["no answer"] == 0
        assert found["continue"] > 0
        assert found.total() == CLIENTS
        assert set(found) <= {"continue", "cut"}
        until(lambda: at_rest(daemon), 30)
        assert [code(daemon) for _ in range(10)] == [0] * 10
        # Who was cut was so by a worker that could not serve, and is no more there.
        lost = [line for line in daemon.notices() if "libmilter could not start a thread" in line]
        assert bool(lost) == (found["cut"] > 0)
        assert any("no more threads can be started" in line for line in daemon.notices()) or lost


@contextlib.contextmanager
def daemon_running(daemon: Daemon) -> Iterator[None]:
    try:
        yield
    finally:
        daemon.stop()


def test_too_few_to_start(server: NameServer) -> None:
    daemon = Daemon(CONFIG, WAIT, server, workers=2, socket="unix")
    with limited(resource.RLIMIT_NPROC, 20):
        done = subprocess.run(
            [sys.executable, "-m", "rdns_milter", "run", "-c", str(daemon.path)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 69
    said = (
        "rdns-milter: only 9 threads for each of 2 workers (TasksMax=, ulimit -u, ulimit -v): at least 16 are needed\n"
    )
    assert done.stderr.decode() == said
    daemon.stop()
