"""A process that reads and validates the configuration, and hands over what it has found; nobody else reads it.

So the service goes on while a large list is read, whatever memory that takes is given back, and all processes judge by the same.
Must never serve: it ends when it has written its result.

PLATFORM 2.4.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ..config.load import Config, ConfigError, Error, load
from ..config.options import Milter
from ..resolver.nameservers import NoNameservers, nameservers
from .shared_config import LoadedConfig, new_memory, read, write

MAX_SECONDS = 120.0  # that a reading may take
FOR_THE_START = ("socket", "socket_mode", "socket_group", "user", "workers")
_NICE = 5
Result = LoadedConfig | tuple[Error, ...] | str


class NotRead(Exception):
    """There is no configuration; the text says why."""


class Reading:
    """One reading under way. `pid`: of the process; `memory`: descriptor of what it writes, which is ours to close."""

    def __init__(
        self, path: str | None, number: int, running: Milter | None = None, let_go: Callable[[], None] = lambda: None
    ) -> None:
        """Begin to read. `running`: the section of the config in force: what takes a restart stays as it is there; `let_go` closes
        in the child what is the parent's alone. Raises OSError."""
        self.memory = new_memory()
        self.until = time.monotonic() + MAX_SECONDS
        try:
            self.pid = os.fork()
        except OSError:
            self.close()
            raise
        if self.pid == 0:
            self._be(path, number, running, let_go)

    def close(self) -> None:
        """Let go of the memory."""
        os.close(self.memory)

    def check_time(self) -> None:
        """End it if it takes too long."""
        if time.monotonic() > self.until:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def result(self, how: str) -> LoadedConfig:
        """What it has found, once it has ended; `how`: in which way, for messages. Raises ConfigError, NoNameservers, NotRead."""
        try:
            result: Result = read(self.memory)
        except (OSError, ValueError, EOFError):
            late = f" after {MAX_SECONDS:.0f} s" if time.monotonic() > self.until else ""
            raise NotRead(f"the process that reads it ended{late} ({how})") from None
        if isinstance(result, str):
            raise NoNameservers(result)
        if isinstance(result, tuple):
            raise ConfigError(result)
        return result

    def _be(self, path: str | None, number: int, running: Milter | None, let_go: Callable[[], None]) -> None:
        """In the child: never returns."""
        status = 1
        try:
            let_go()
            for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(name, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            with suppress(OSError):
                os.nice(_NICE)
            write(self.memory, _found(path, number, running))
            status = 0
        finally:
            os._exit(status)


def read_config(path: str | None) -> tuple[LoadedConfig, int]:
    """Read the configuration, at the start, and wait for that; descriptor of the memory that it lies in. Raises ConfigError,
    NoNameservers, NotRead."""
    try:
        reading = Reading(path, 1)
    except OSError as error:
        raise NotRead(f"the config cannot be read: {error.strerror}") from error
    _, status = os.waitpid(reading.pid, 0)
    try:
        return reading.result(how(status)), reading.memory
    except Exception:
        reading.close()
        raise


def how(status: int) -> str:
    """In which way a process has ended, by its wait status."""
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"status {os.waitstatus_to_exitcode(status)}"


def _found(path: str | None, number: int, running: Milter | None) -> Result:
    try:
        config = load(path)
        servers = nameservers(config.dns.nameservers)
    except ConfigError as error:
        return error.errors
    except NoNameservers as error:
        return str(error)
    if running is None:
        return LoadedConfig(config, servers, number)
    waiting = tuple(
        f"milter.{name}" for name in FOR_THE_START if getattr(config.milter, name) != getattr(running, name)
    )
    kept = {name: getattr(running, name) for name in FOR_THE_START}
    return LoadedConfig(
        replace(config, milter=replace(config.milter, **kept)), servers, number, waiting, config.sets_nothing
    )


def lost(old: Config, loaded: LoadedConfig) -> str:
    """What seems to have got lost of the config, which may just be being written; "" if nothing."""
    new = loaded.config
    if old.path and not new.path:
        return f"{old.path} is gone"
    if new.path and loaded.is_empty:
        return f"{new.path} is empty"
    if old.policy.rules and not new.policy.rules:
        return f"{new.path} has no rule, and {len(old.policy.rules)} are in force; to serve without any, restart"
    return ""
