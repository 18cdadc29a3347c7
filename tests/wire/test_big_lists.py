"""A list of a million networks: all processes share one copy, and a reload delays no message."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.many_networks import networks
from tests.kit.data.scenario import code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, children
from tests.kit.milter.load import Load

MILLION = 1_000_000
MOST = 150_000  # kB of memory for all processes together
RULES: list[dict[str, Any]] = [
    {"name": "large", "when": {"client": "@large"}, "action": "accept"},
    {"name": "larger", "when": {"client": ["@large"]}, "action": "tempfail"},
    {"name": "all", "action": "reject"},
]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists") / "large.cidr"
    with path.open("w") as file:
        file.writelines(networks(MILLION))
    return path


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's socket, which expects keep-alive messages."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield sock


def received(manager: socket.socket) -> list[str]:
    """Return the first word of each message to the service manager since the last call."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(manager.recv(4096).decode().partition("\n")[0])
    return found


def memory(daemon: Daemon) -> int:
    """Return kB of memory of all processes, with shared pages counted once. Pages of shared memory that no process has touched
    count, too."""
    total, shared = 0, {}
    for pid in (daemon.pid, *children(daemon.pid)):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps").read_text()
            total += sum(map(int, re.findall(r"^Pss: +(\d+) kB", text, re.MULTILINE)))
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                if "memfd" in os.readlink(fd):
                    found = fd.stat()
                    shared[found.st_ino] = found.st_blocks // 2
    return total + sum(shared.values())


def test_a_million_networks(server: NameServer, large: Path, manager: socket.socket) -> None:
    """All processes together stay within the bound, at rest and while the list is read again; meanwhile the parent sends
    keep-alives and mail is judged. Reading it again and again takes no more memory."""
    lists = {"lists": {"large": str(large)}}
    with Daemon(lists, RULES, server, workers=2) as daemon, Load(lambda _: code(daemon), clients=2) as load:
        load.wait(20)
        assert memory(daemon) < MOST
        for _ in range(2):
            before, signs, most = len(daemon.notices()), list[str](), 0
            received(manager)
            judged = sum(load.codes.values())
            os.kill(daemon.pid, signal.SIGHUP)
            while "RELOADING=1" not in signs or "READY=1" not in signs[signs.index("RELOADING=1") :]:
                most = max(most, memory(daemon))
                signs += received(manager)
            assert any("config reloaded" in line for line in daemon.notices()[before:])
            assert "WATCHDOG=1" in signs[signs.index("RELOADING=1") :]
            assert most < MOST
            # Some hundred messages in the seconds that it took: none waited for its end.
            assert sum(load.codes.values()) > judged + 20
        assert load.lost == []
        assert set(load.codes) == {550}
        load.wait(20)
        assert memory(daemon) < MOST
