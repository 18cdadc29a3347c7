"""The milter as a child process: configured, started, observed, reloaded, stopped.

    with Daemon({"headers": {"received_spf": True}}, RULES, server) as daemon:
        outcome, (decision,) = daemon.judge(client=Client("192.0.2.7"), rcpts=["b@rcpt.example"])
        assert outcome.accepted and decision["action"] == "accept"

It runs from the source tree, logs into a file, and asks only the name server that it is given.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from rdns_milter.logs.decision_line import parse
from rdns_milter.text.toml import text
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.endpoint import connected, free_port, milter_style, parse_endpoint
from tests.kit.milter.transaction import Conversation, Outcome, deliver

ROOT = Path(__file__).resolve().parents[3]
UNREACHABLE = "127.0.0.1:1"  # no name server: the kernel refuses at once
PATIENCE = 60.0
_POLL = 0.005
_PAUSE = 0.05

Sections = Mapping[str, Mapping[str, Any]]
Rules = str | Sequence[Mapping[str, Any]]
T = TypeVar("T")


class Daemon:
    """`rdns-milter run` with a configuration made of `config` (its sections, as a dict or as TOML text) and `rules` (a dict each,
    or TOML text that is copied as it is).

    Where `config` does not set them, this class does: socket ("inet": a free port, "unix": a path of its own), log target, name
    server and number of workers. `place`: the directory below which its own is made (None: that of temporary files). `within`: a
    command that takes the daemon's command as its last arguments. `.spec`: the socket. `.status`: the exit status, once it has
    ended.

    A context manager that starts and stops it.
    """

    def __init__(
        self,
        config: str | Sections = "",
        rules: Rules = "",
        nameserver: NameServer | str | None = None,
        workers: int = 1,
        socket: str = "inet",
        place: Path | None = None,
        within: Sequence[str] = (),
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rdns-daemon-", dir=place))
        self.directory.chmod(0o755)
        self.path = self.directory / "rdns-milter.toml"
        self.output = self.directory / "log"
        self.spec = milter_style(str(self.directory / "socket") if socket == "unix" else ("127.0.0.1", free_port()))
        self.status: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._nameserver = nameserver.hostport if isinstance(nameserver, NameServer) else nameserver or UNREACHABLE
        self._workers = workers
        self._within = tuple(within)
        self.write(config, rules)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            print("the daemon's last notices:", *self.notices()[-20:], sep="\n", file=sys.stderr)
        self.stop()

    def start(self) -> Self:
        """Start it and wait until it serves. Raises RuntimeError with its log if it does not."""
        process = self.launch()
        until(lambda: process.poll() is not None or "worker cannot start" in self.log() or self._serves())
        if process.poll() is not None or "worker cannot start" in self.log():
            raise RuntimeError(f"rdns-milter did not start (status {process.returncode}): {self.log()}")
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it listens or has ended."""
        command = [*self._within, sys.executable, "-m", "rdns_milter", "run", "-c", str(self.path)]
        with self.output.open("ab") as output:
            process = self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        until(lambda: ": listening at " in self.log() or process.poll() is not None)
        return process

    def _serves(self) -> bool:
        try:
            Conversation(self.spec, timeout=1.0).quit()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Send TERM, and KILL if it does not end; then remove its directory with the log."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.terminate()
        if self.process is not None and self.process.poll() is None:
            workers = self.workers()
            self.process.kill()
            self.process.wait(PATIENCE)
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def terminate(self) -> int | None:
        """Send TERM; return the exit status. Raises subprocess.TimeoutExpired."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        self.status = self.process.returncode if self.process is not None else None
        return self.status

    def write(self, config: str | Sections = "", rules: Rules = "") -> None:
        """Write the config file anew; it is read at the next `start` or `reload`."""
        given = tomllib.loads(config) if isinstance(config, str) else config
        ours: Sections = {
            "milter": {"socket": self.spec, "workers": self._workers},
            "dns": {"nameservers": [self._nameserver]},
            "log": {"target": "stderr"},
        }
        names = dict.fromkeys((*ours, *given))
        sections = {name: {**ours.get(name, {}), **given.get(name, {})} for name in names}
        tables: list[tuple[str, Mapping[str, Any]]] = [(f"[{name}]", each) for name, each in sections.items()]
        if not isinstance(rules, str):
            tables += (("[[rule]]", rule) for rule in rules)
            rules = ""
        parts = ["\n".join((head, *(f"{k} = {text(v)}" for k, v in table.items()), "")) for head, table in tables]
        self.path.write_text("\n".join((*parts, rules)), "utf-8")

    def reload(self, config: str | Sections = "", rules: Rules = "") -> list[str]:
        """Write the config anew, send HUP and wait for the notice; return the notices since. The workers follow later."""
        self.write(config, rules)
        before = len(self.notices())
        os.kill(self.pid, signal.SIGHUP)
        until(lambda: any("reloaded" in line for line in self.notices()[before:]))
        time.sleep(_PAUSE)  # each error of an invalid file has a line of its own
        return self.notices()[before:]

    @property
    def pid(self) -> int:
        """The parent process."""
        assert self.process is not None, "not started"
        return self.process.pid

    def workers(self) -> list[int]:
        """Return the process ids of the workers, sorted."""
        return sorted(children(self.pid))

    def wait_for_workers(self, count: int = 1) -> list[int]:
        """Wait until there are this many workers; return their process ids. Raises TimeoutError."""
        return until(lambda: found if len(found := self.workers()) == count else None)

    @property
    def socket_path(self) -> Path:
        """The path of its unix socket."""
        path = parse_endpoint(self.spec)
        assert isinstance(path, str), "no unix socket"
        return Path(path)

    def is_listening(self) -> bool:
        """Return whether its socket accepts connections."""
        with contextlib.suppress(OSError):
            connected(self.spec, 2.0).close()
            return True
        return False

    def log(self) -> str:
        """Return all that it has logged so far."""
        with contextlib.suppress(FileNotFoundError):
            return self.output.read_text("utf-8", "replace")
        return ""

    def lines(self) -> list[str]:
        """Return the complete lines of the log."""
        return self.log().split("\n")[:-1]

    def notices(self) -> list[str]:
        """Return the log lines that are not decisions."""
        return [line for line in self.lines() if parse(line) is None]

    def decisions(self) -> list[dict[str, str]]:
        """Return the decisions in the log, in order, as rdns_milter.logs.decision_line.parse reads them."""
        return [fields for line in self.lines() if (fields := parse(line)) is not None]

    def wait_for_decisions(self, count: int, seconds: float = PATIENCE) -> list[dict[str, str]]:
        """Wait until the log has this many decisions; return all. Raises TimeoutError."""
        return until(lambda: found if len(found := self.decisions()) >= count else None, seconds)

    def judge(self, lines: int = 1, **message: Any) -> tuple[Outcome, list[dict[str, str]]]:
        """Send one message (tests.kit.milter.transaction.deliver); return its outcome and the new decisions in the log, `lines` of
        them."""
        before = len(self.decisions())
        outcome = deliver(self.spec, **message)
        return outcome, self.wait_for_decisions(before + lines)[before:]


def command(*arguments: str, timeout: float = 60.0, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run `rdns-milter ARGUMENTS` to its end, with further environment variables; stdin is empty."""
    return subprocess.run(
        [sys.executable, "-m", "rdns_milter", *arguments],
        cwd=ROOT,
        env=environment() | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def until(what: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Call `what` until it returns something that is not empty; return that. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(_POLL)
    return found


def children(pid: int) -> list[int]:
    """Return the child processes of a process; empty if it has ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may contain anything; the parent is the second field after it (proc(5)).
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def environment() -> dict[str, str]:
    """Return our environment with a bytecode directory that all children of this test run share: they start in half the time."""
    return {**os.environ, "PYTHONPYCACHEPREFIX": _bytecode(), "PYTHONDONTWRITEBYTECODE": ""}


@functools.cache
def _bytecode() -> str:
    directory = tempfile.mkdtemp(prefix="rdns-bytecode-")
    os.chmod(directory, 0o755)
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)
    return directory
