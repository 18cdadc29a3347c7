"""Start and stop what the demo runs: a name server, a private Postfix, and the milter.

Does not touch the machine's own mail system: uses loopback, free ports, and temporary directories of its own. Stops processes by
their pid.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from scenarios import DOMAIN, HOST

from tests.kit.mta.postfix import Postfix

HERE = Path(__file__).resolve().parent
CLONE = HERE.parents[1]
SAMPLE = CLONE / "etc" / "rdns-milter.toml"
ZONE = HERE / "zone.txt"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
QUIET = subprocess.DEVNULL


class CannotStart(Exception):
    """A process did not start. The text says which, with its last output."""


class Environment:
    """The running environment, a context manager. `changes`: the lines that differ from the default configuration."""

    def __init__(self) -> None:
        self.base = Path()
        self.changes: tuple[str, ...] = ()
        self.nameserver = ""
        self.postfix = Postfix()
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def config(self) -> Path:
        """The path of the milter's configuration."""
        return self.base / "rdns-milter.toml"

    @property
    def milter(self) -> int:
        """The milter's pid."""
        return next(child.pid for name, child in self._children if name == "the milter")

    def _start(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="rdns-demo-"))
        self.base.chmod(0o755)
        self._start_nameserver()
        socket = f"unix:{self.base}/milter.sock"
        # Every message is held, so that its header can be read.
        self.postfix = Postfix(socket, hold=True, myhostname=HOST, relay_domains=DOMAIN)
        self.postfix.__enter__()
        self._configure(socket)
        self._start_milter()

    def _start_nameserver(self) -> None:
        output = self.base / "nameserver.log"
        command = ["-m", "tests.kit.dns.nameserver", "--zone", str(ZONE), "--listen", "127.0.0.1:0"]
        self._launch("the name server", command, output)
        self.nameserver = self._await("the name server", output, r"listening on (\S+)")

    def _configure(self, socket: str) -> None:
        """Write the default configuration with a few lines changed."""
        changed = {
            'socket = "inet:8895@127.0.0.1"': f'socket = "{socket}"',
            'socket_group = ""': 'socket_group = "postfix"',
            "deadline = 6.0": "deadline = 2.0",
            "nameservers = []": f'nameservers = ["{self.nameserver}"]',
            'target = "auto"': 'target = "stderr"',
        }
        text = SAMPLE.read_text("utf-8")
        for old, new in changed.items():
            if text.count(f"\n{old}\n") != 1:
                raise CannotStart(f"{SAMPLE} has no line {old}")
            text = text.replace(f"\n{old}\n", f"\n{new}\n")
        self.changes = tuple(changed.values())
        self.config.write_text(text, "utf-8")

    def _start_milter(self) -> None:
        """Start the milter. Its log goes to the log of Postfix, as with syslog on a real host."""
        log = self.postfix.maillog
        self._launch("the milter", ["-m", "rdns_milter", "run", "-c", str(self.config)], log)
        self._await("the milter", log, r"(listening at) \S+")

    def _launch(self, name: str, arguments: list[str], output: Path) -> None:
        with output.open("ab") as file:
            # A session of its own: Ctrl-C must reach only this process, which stops everything in order.
            child = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=CLONE, stdin=QUIET, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self._children.append((name, child))

    def _await(self, name: str, output: Path, pattern: str) -> str:
        child = self._children[-1][1]
        until = time.monotonic() + START_SECONDS
        while True:
            text = output.read_text("utf-8", "replace")
            if found := re.search(pattern, text):
                return found[1]
            if child.poll() is not None or time.monotonic() > until:
                raise CannotStart(f"{name} did not start:\n{text[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop all processes, the last one first, and remove the directories. May be called twice."""
        self.postfix.stop()
        while self._children:
            _, child = self._children.pop()
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
            if child.poll() is None:
                child.kill()
                child.wait()
        if self.base != Path():
            shutil.rmtree(self.base, ignore_errors=True)
