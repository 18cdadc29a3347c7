"""The probe milter (`probe_milter.py`) as a child process: started, observed, killed.

with Probe("unix") as probe:
    deliver(probe.socket, rcpts=["reject@rcpt.example"])
    assert probe.events("rcpt")[0]["recipient"] == "<reject@rcpt.example>"
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kit.milter.endpoint import connected, free_port, milter_style

ROOT = Path(__file__).resolve().parents[3]


class Probe:
    """`kind`: "inet" (a free port on loopback) or "unix" (a path of its own); `.socket`: its socket.

    `options`: "noreply" (no replies to headers), "nodata" (no DATA), "leading-space", "symlist" (asks for {client_addr} and
    {client_ptr} at CONNECT). `place`: the directory below which its own is made.
    """

    def __init__(self, kind: str = "inet", *options: str, place: Path | None = None) -> None:
        self.options = options
        self.directory = Path(tempfile.mkdtemp(prefix="rdns-probe-", dir=place))
        self.directory.chmod(0o755)
        self.output = self.directory / "events"
        unix = kind == "unix"
        self.socket = milter_style(str(self.directory / "socket") if unix else ("127.0.0.1", free_port()))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.kit.milter.probe_milter", self.socket, *self.options]
        try:
            with self.output.open("wb") as output:
                self.process = subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
            self._await_listening(self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _await_listening(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError):
                connected(self.socket, 5).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"the probe milter did not start: {self.output.read_text(errors='replace')}")

    def stop(self) -> None:
        """Kill it and remove its directory with the events."""
        if self.process:
            self.process.kill()
            self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return the callbacks so far, in order, with their arguments; only those of that name if one is given."""
        lines = self.output.read_text("utf-8", "replace").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in events if name in ("", event["event"])]
