"""A regular expression that takes too long on some names: it is refused, and a reload with it delays no message."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.kit.data.scenario import DEFER_ALL, GOOD_FROM, REFUSE_ALL, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, command, until
from tests.kit.milter.transaction import deliver
from tests.kit.smtp.client_identity import Client

EX_CONFIG = 78
SLOW = [r"^([0-9]+-?)+\.dyn\.", r"^(?:[a-z0-9]+[-.]?)+\.pool$", r"^(\w|\d\d?)*\.isp$"]
WHY = " takes more than 10 ms for names that repeat "
ONES = "1" * 60
ZONE = f"192.0.2.20 PTR {ONES}.{ONES}.example\n{ONES}.{ONES}.example A 192.0.2.20\n"


@pytest.mark.parametrize("pattern", SLOW)
def test_no_start(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[generic]\npatterns = [\n  '^a',\n  '{pattern}',\n]\n")
    for arguments in (("run",), ("run", "-n"), ("config", "--check"), ("config", "--lint"), ("config", "--show")):
        done = command(*arguments, "-c", str(path))
        assert done.returncode == EX_CONFIG
        assert done.stderr.decode().startswith(f"{path}:4: generic.patterns: ")
        assert WHY in done.stderr.decode()


@pytest.mark.parametrize("pattern", SLOW)
def test_no_reload(server: NameServer, pattern: str) -> None:
    with Daemon(rules=REFUSE_ALL, nameserver=server) as daemon:
        workers = daemon.workers()
        daemon.write({"generic": {"patterns": [pattern]}}, DEFER_ALL)
        os.kill(daemon.pid, signal.SIGHUP)
        (line,) = until(lambda: [line for line in daemon.notices() if "config not reloaded" in line])
        assert WHY in line
        assert code(daemon) == 550
        assert daemon.workers() == workers


def test_a_name_made_for_it() -> None:
    """With an accepted pattern, a client with the longest labels is judged as any other."""
    rules = [{"name": "generic", "when": {"generic": "yes"}, "action": "reject"}]
    patterns = {"generic": {"patterns": [r"^(?:[0-9]++-?)+\.dyn\.", r"^1+\.1+\.ex"]}}
    with NameServer(Zone(ZONE)) as server, Daemon(patterns, rules, server) as daemon:
        outcome = deliver(daemon.spec, client=Client("192.0.2.20", name=f"{ONES}.{ONES}.example"), mailfrom=GOOD_FROM)
        assert outcome.verdict.code == 550
