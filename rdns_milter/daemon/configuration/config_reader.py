"""A child process that reads and validates the configuration and hands the result to its parent. No other process reads it.

That has three reasons: the service goes on while a large list is read, the memory that reading takes is freed, and all processes
judge by the same configuration. Must never serve: it ends when the result is written.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ...config.load import Config, ConfigError, Error, load
from ...config.sections.milter import Milter
from ...resolver.nameservers import NoNameservers, nameservers
from .shared_config import LoadedConfig, new_memory, read, write

MAX_SECONDS = 120.0  # for reading a configuration
ONLY_AT_START = ("socket", "socket_mode", "socket_group", "user", "workers")  # options of [milter]
_NICE = 5
Result = LoadedConfig | tuple[Error, ...] | str  # the configuration, its errors, or why there is no name server


class NotRead(Exception):
    """There is no configuration to use; the text says why."""


class ConfigReader:
    """One reader process. `pid`: its process ID; `memory`: the descriptor of the shared memory that it writes. The parent has to
    close this descriptor."""

    def __init__(
        self,
        path: str | None,
        number: int,
        running: Milter | None = None,
        close_parent_fds: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the process. `running`: the section [milter] in force, from which the options ONLY_AT_START keep their values;
        `close_parent_fds`: called in the child. Raises OSError."""
        self.memory = new_memory()
        self._ends = time.monotonic() + MAX_SECONDS
        try:
            self.pid = os.fork()
        except OSError:
            self.close()
            raise
        if self.pid == 0:
            self._run_child(path, number, running, close_parent_fds)

    def close(self) -> None:
        """Close the shared memory."""
        os.close(self.memory)

    def check_time(self) -> None:
        """Kill the process if it takes too long."""
        if time.monotonic() > self._ends:
            self.kill()

    def kill(self) -> None:
        """Kill the process."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def result(self, status: str) -> LoadedConfig:
        """Return the configuration after the process has ended. `status`: describes how it ended, for messages. Raises ConfigError,
        NoNameservers, NotRead."""
        try:
            result: Result = read(self.memory)
        except (OSError, ValueError, EOFError):
            late = f" after {MAX_SECONDS:.0f} s" if time.monotonic() > self._ends else ""
            raise NotRead(f"the process that reads it ended{late} ({status})") from None
        if isinstance(result, str):
            raise NoNameservers(result)
        if isinstance(result, tuple):
            raise ConfigError(result)
        return result

    def _run_child(
        self, path: str | None, number: int, running: Milter | None, close_parent_fds: Callable[[], None]
    ) -> None:
        """Run in the child. Never returns."""
        status = 1
        try:
            close_parent_fds()
            for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(name, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            with suppress(OSError):
                os.nice(_NICE)
            write(self.memory, _read(path, number, running))
            status = 0
        finally:
            os._exit(status)


def read_config(path: str | None) -> tuple[LoadedConfig, int]:
    """Read the configuration when the service starts, and wait for it. Return it with the descriptor of its memory. Raises
    ConfigError, NoNameservers, NotRead."""
    try:
        reader = ConfigReader(path, 1)
    except OSError as error:
        raise NotRead(f"cannot start a process that reads the config: {error.strerror}") from error
    _, status = os.waitpid(reader.pid, 0)
    try:
        return reader.result(exit_text(status)), reader.memory
    except Exception:
        reader.close()
        raise


def exit_text(status: int) -> str:
    """Describe a wait status: "status 1", "signal SIGKILL"."""
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"status {os.waitstatus_to_exitcode(status)}"


def find_loss(old: Config, loaded: LoadedConfig) -> str:
    """Return why the new configuration must be a mistake, as when its file is just being written; "" if it need not be one."""
    new = loaded.config
    if old.path and not new.path:
        return f"{old.path} is gone"
    if old.policy.rules and not new.policy.rules:
        return f"{new.path} has no rules, and {len(old.policy.rules)} are in force; to run without rules, restart"
    return ""


def _read(path: str | None, number: int, running: Milter | None) -> Result:
    try:
        config = load(path)
        servers = nameservers(config.dns.nameservers)
    except ConfigError as error:
        return error.errors
    except NoNameservers as error:
        return str(error)
    if running is None:
        return LoadedConfig(config, servers, number)
    kept = {name: getattr(running, name) for name in ONLY_AT_START}
    changed = tuple(f"milter.{name}" for name, value in kept.items() if getattr(config.milter, name) != value)
    config_in_force = replace(config, milter=replace(config.milter, **kept))
    return LoadedConfig(config_in_force, servers, number, changed)
