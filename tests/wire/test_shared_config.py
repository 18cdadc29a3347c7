"""One process reads the configuration and all judge by what it read, whatever happens meanwhile to the file, to that process or
to a worker.

A configuration that is obviously not meant (an empty file, no rules any more) is not adopted.
"""

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

from rdns_milter.text.exit_status import EX_CONFIG
from tests.kit.data.many_networks import networks
from tests.kit.data.metrics_page import fetch, scraped, workers
from tests.kit.data.scenario import DEFER_ALL, REFUSE_ALL, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, children, command, until
from tests.kit.milter.endpoint import free_port

REFUSED, DEFERRED = 550, 451
EMPTY = "is empty: it sets no option and has no rule"
KEPT = "rdns-milter: config not reloaded, the old one stays in force: "
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def hup(daemon: Daemon, says: str = "config reloaded") -> list[str]:
    """Send HUP; return the notices since, once one of them contains the text."""
    before = len(daemon.notices())
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: any(says in line for line in daemon.notices()[before:]))
    return daemon.notices()[before:]


def codes(daemon: Daemon) -> set[int]:
    """Return the replies of all workers, with near certainty."""
    return {code(daemon) for _ in range(20)}


def test_a_change_after_a_reload_has_no_effect(server: NameServer) -> None:
    """The workers read it only after the file has changed again: they judge by what the log says."""
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
        # The worker that replaces another has the policy of the others.
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: workers[0] not in daemon.workers() and len(daemon.workers()) == 2)
        assert codes(daemon) == {REFUSED}
        assert len({decision["policy"] for decision in daemon.decisions()[-20:]}) == 1


def empty(daemon: Daemon) -> str:
    daemon.path.write_text("")
    return f"{daemon.path}: {EMPTY}"


def comments(daemon: Daemon) -> str:
    daemon.path.write_text("# nothing but this\n\n[milter]\n")
    return f"{daemon.path}: {EMPTY}"


def no_rules(daemon: Daemon) -> str:
    daemon.write()
    return f"{daemon.path} has no rules, and 1 are in force; to run without rules, restart"


def gone(daemon: Daemon) -> str:
    daemon.path.unlink()
    return f"{daemon.path}: does not exist"


@pytest.mark.parametrize("harm", [empty, comments, no_rules, gone])
def test_a_configuration_without_rules_is_refused(server: NameServer, harm: Callable[[Daemon], str]) -> None:
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
    """systemctl reload runs it first. It cannot know that rules have been lost."""
    path = tmp_path / "c.toml"
    path.write_text(document)
    done = command("config", "--check", "-c", str(path))
    assert done.returncode == status
    no_rule = "warning: there is no rule: every message is accepted\n"
    assert done.stderr.decode() == (f"{path}: {EMPTY}\n" if status else no_rule)


@pytest.mark.parametrize("document", ["", "# nothing but this\n\n[milter]\n"])
def test_no_start_with_an_empty_file(tmp_path: Path, document: str) -> None:
    """`run` refuses what `config --check` refuses."""
    path = tmp_path / "c.toml"
    path.write_text(document)
    for arguments in (("run", "-n"), ("run",), ("config", "--check"), ("config", "--lint"), ("config", "--show")):
        done = command(*arguments, "-c", str(path))
        assert (done.returncode, done.stdout, done.stderr.decode()) == (EX_CONFIG, b"", f"{path}: {EMPTY}\n")


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
    """Return a value of the metrics."""
    return scraped(fetch(port).text).value(name, **labels)


def test_a_worker_without_descriptors_is_replaced(server: NameServer) -> None:
    """It cannot receive the new configuration: it ends, and another judges by it."""
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
    """Return a configuration that takes long to read: the section [lists] with a large list."""
    path = tmp_path / "large.cidr"
    path.write_text("".join(networks(300_000)))
    return {"lists": {"large": str(path)}}


LISTED: list[dict[str, Any]] = [
    {"name": "large", "when": {"client": "@large"}, "action": "accept"},
    {"name": "all", "action": "reject"},
]


def reader(daemon: Daemon, others: list[int]) -> int:
    """Return the process that is reading the configuration."""
    (found,) = until(lambda: set(children(daemon.pid)) - set(others))
    return found


def test_the_reader_is_killed(server: NameServer, slow: dict[str, Any]) -> None:
    """As by the kernel when memory runs out."""
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
    """It is read once more, with what was changed meanwhile."""
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
    why = f"warning: the service runs as the user nobody, which cannot read {hidden}: Permission denied\n"
    assert done.stderr.decode().endswith(why)
    assert done.returncode == 0
