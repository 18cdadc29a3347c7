"""One process reads the configuration and all judge by what it found: whatever happens to the file, to that process or to a worker
meanwhile. What nobody can have meant is not adopted."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.many_networks import networks
from tests.kit.data.metrics_page import fetch, scraped, workers
from tests.kit.data.scenario import DEFER_ALL, REFUSE_ALL, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, children, command, until
from tests.kit.milter.endpoint import free_port

REFUSED, DEFERRED = 550, 451
KEPT = "rdns-milter: config not reloaded, the old one stays in force: "
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def hup(daemon: Daemon, says: str = "config reloaded") -> list[str]:
    """HUP, and the notices from then on, once one of them says so."""
    before = len(daemon.notices())
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: any(says in line for line in daemon.notices()[before:]))
    return daemon.notices()[before:]


def codes(daemon: Daemon) -> set[int]:
    """The answers of all workers, as good as surely."""
    return {code(daemon) for _ in range(20)}


def test_what_is_written_after_a_reload_reaches_nobody(server: NameServer) -> None:
    """The workers come to it only when the file has changed again: they judge by what the log says."""
    with Daemon(rules=REFUSE_ALL, nameserver=server, workers=2) as daemon:
        workers = daemon.wait_for_workers(2)
        for half in ("[milter]\nsock", "", '[[rule]]\nname = "none"\naction = "accept"\n'):
            for rules, expected in ((DEFER_ALL, DEFERRED), (REFUSE_ALL, REFUSED)):
                for pid in workers:
                    os.kill(pid, signal.SIGSTOP)
                daemon.write(rules=rules)
                hup(daemon)
                daemon.path.write_text(half)
                for pid in workers:
                    os.kill(pid, signal.SIGCONT)
                until(lambda expected=expected: codes(daemon) == {expected})  # type: ignore[misc]
        assert daemon.workers() == workers
        # Who replaces a worker has the policy of the others.
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: workers[0] not in daemon.workers() and len(daemon.workers()) == 2)
        assert codes(daemon) == {REFUSED}
        assert len({decision["policy"] for decision in daemon.decisions()[-20:]}) == 1


def empty(daemon: Daemon) -> str:
    daemon.path.write_text("")
    return f"{daemon.path} is empty"


def comments(daemon: Daemon) -> str:
    daemon.path.write_text("# nothing but this\n\n[milter]\n")
    return f"{daemon.path} is empty"


def no_rules(daemon: Daemon) -> str:
    daemon.write()
    return f"{daemon.path} has no rules, and 1 are in force; to run without rules, restart"


def gone(daemon: Daemon) -> str:
    daemon.path.unlink()
    return f"{daemon.path}: does not exist"


@pytest.mark.parametrize("harm", [empty, comments, no_rules, gone])
def test_what_nobody_can_have_meant_is_refused(server: NameServer, harm: Callable[[Daemon], str]) -> None:
    port = free_port()
    metrics = {"metrics": {"listen": f"127.0.0.1:{port}"}}
    with Daemon(metrics, REFUSE_ALL, server) as daemon:
        why = harm(daemon)
        assert hup(daemon, "config not reloaded") == [KEPT + why]
        assert codes(daemon) == {REFUSED}
        assert value_at(port, "reloads_total", outcome="bad") == 1
        daemon.write(metrics, DEFER_ALL)
        hup(daemon)
        until(lambda: codes(daemon) == {DEFERRED})


@pytest.mark.parametrize(
    ("document", "status"),
    [("", 78), ("# nothing but this\n\n[milter]\n", 78), ("[milter]\ndeadline = 3.0\n", 0)],
)
def test_check_before_a_reload(tmp_path: Path, document: str, status: int) -> None:
    """systemctl reload runs it first. That rules have got lost it cannot know."""
    path = tmp_path / "c.toml"
    path.write_text(document)
    done = command("config", "--check", "-c", str(path))
    assert done.returncode == status
    empty = f"{path}: is empty: it sets nothing, and a reload refuses it\n"
    no_rule = "warning: there is no rule: every message is accepted\n"
    assert done.stderr.decode() == (empty if status else no_rule)


def test_without_rules_from_the_start(server: NameServer) -> None:
    with Daemon(nameserver=server) as daemon:
        daemon.write({"milter": {"deadline": 3.0}})
        hup(daemon)
        daemon.write(rules=REFUSE_ALL)
        hup(daemon)
        until(lambda: codes(daemon) == {REFUSED})


def test_a_worker_that_lags_behind_is_seen(server: NameServer) -> None:
    port = free_port()
    metrics = {"metrics": {"listen": f"127.0.0.1:{port}"}}
    with Daemon(metrics, REFUSE_ALL, server, workers=2) as daemon:
        until(lambda: value_at(port, "workers_alive") == 2)
        worker = workers(daemon)[0]
        assert value_at(port, "workers_outdated") == 0
        os.kill(worker, signal.SIGSTOP)
        daemon.write(metrics, DEFER_ALL)
        hup(daemon)
        until(lambda: value_at(port, "workers_outdated") == 1)
        os.kill(worker, signal.SIGCONT)
        until(lambda: value_at(port, "workers_outdated") == 0)
        until(lambda: codes(daemon) == {DEFERRED})


def value_at(port: int, name: str, **labels: str) -> float:
    """What the metrics say."""
    return scraped(fetch(port).text).value(name, **labels)


def test_a_worker_without_descriptors_is_replaced(server: NameServer) -> None:
    """It cannot take what it is handed: it leaves, and another judges by the new configuration."""
    with Daemon(rules=REFUSE_ALL, nameserver=server) as daemon:
        (worker,) = daemon.workers()
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, hard))
        daemon.write(rules=DEFER_ALL)
        hup(daemon)
        until(lambda: any("cannot adopt the new config and will be replaced" in line for line in daemon.notices()))
        until(lambda: worker not in daemon.workers() and daemon.workers())
        until(lambda: codes(daemon) == {DEFERRED})


def test_a_parent_without_descriptors_says_so(server: NameServer) -> None:
    with Daemon(rules=REFUSE_ALL, nameserver=server) as daemon:
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        daemon.write(rules=DEFER_ALL)
        (line,) = hup(daemon, "config not reloaded")
        assert line == f"{KEPT}cannot start a process that reads it: Too many open files"
        assert codes(daemon) == {REFUSED}
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
        hup(daemon)
        until(lambda: codes(daemon) == {DEFERRED})


# While it is being read


@pytest.fixture
def slow(tmp_path: Path) -> dict[str, Any]:
    """What takes long to read: the section [lists] with a large one."""
    path = tmp_path / "large.cidr"
    path.write_text("".join(networks(300_000)))
    return {"lists": {"large": str(path)}}


LISTED: list[dict[str, Any]] = [
    {"name": "large", "when": {"client": "@large"}, "action": "accept"},
    {"name": "all", "action": "reject"},
]


def reader(daemon: Daemon, others: list[int]) -> int:
    """The process that reads the configuration just now."""
    (found,) = until(lambda: set(children(daemon.pid)) - set(others))
    return found


def test_the_reader_is_killed(server: NameServer, slow: dict[str, Any]) -> None:
    """As by the kernel for want of memory."""
    with Daemon(slow, LISTED, server) as daemon:
        workers = daemon.workers()
        daemon.write(slow, DEFER_ALL)
        os.kill(daemon.pid, signal.SIGHUP)
        os.kill(reader(daemon, workers), signal.SIGKILL)
        (line,) = until(lambda: [line for line in daemon.notices() if "config not reloaded" in line])
        assert line == f"{KEPT}the process that reads it ended (signal SIGKILL)"
        assert codes(daemon) == {REFUSED}
        hup(daemon)
        until(lambda: codes(daemon) == {DEFERRED})
        assert daemon.workers() == workers


def test_hup_while_it_is_read(server: NameServer, slow: dict[str, Any]) -> None:
    """It is read once more: what was changed meanwhile counts."""
    with Daemon(slow, LISTED, server) as daemon:
        os.kill(daemon.pid, signal.SIGHUP)
        reader(daemon, daemon.workers()[:1])
        time.sleep(0.1)
        daemon.write(slow, DEFER_ALL)
        os.kill(daemon.pid, signal.SIGHUP)
        until(lambda: codes(daemon) == {DEFERRED})
        assert len([line for line in daemon.notices() if "config reloaded" in line]) == 2


def test_term_while_it_is_read(server: NameServer, slow: dict[str, Any]) -> None:
    with Daemon(slow, LISTED, server) as daemon:
        workers = daemon.workers()
        os.kill(daemon.pid, signal.SIGHUP)
        reading = reader(daemon, workers)
        assert daemon.terminate() == 0
        until(lambda: not Path(f"/proc/{reading}").exists())
        assert daemon.notices()[-1] == "rdns-milter: stopped"


# Who may read it


@as_root
@pytest.mark.parametrize("what", ["config", "list"])
def test_check_says_what_the_service_cannot_read(tmp_path: Path, what: str) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if (
            parent.stat().st_uid == os.geteuid()
            and str(parent) != tempfile.gettempdir()
            and parent.is_relative_to(tempfile.gettempdir())
        ):
            parent.chmod(parent.stat().st_mode | 0o055)
    listed, config = tmp_path / "l", tmp_path / "c"
    listed.write_text("192.0.2.1\n")
    config.write_text(f'[milter]\nuser = "nobody"\n[lists]\nl = "{listed}"\n')
    assert b"nobody" not in command("config", "--check", "-c", str(config)).stderr
    hidden = config if what == "config" else listed
    hidden.chmod(0o600)
    done = command("config", "--check", "-c", str(config))
    why = f"warning: the user nobody, as whom the service reads it, cannot read {hidden}: Permission denied\n"
    assert done.stderr.decode().endswith(why)
    assert done.returncode == 0
