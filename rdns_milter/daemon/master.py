"""The parent: opens the socket, gives up root, forks the workers, and sees to it that they live.

Serves no mail itself, so that nothing a client sends can hurt it. Never reads an octet from the network, nor the configuration
(daemon/config_reader.py), and runs no thread: it forks. Ends with 78 only for a broken configuration.

sysexits(3) (EX_CONFIG), PLATFORM 2.3 and 2.4.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from .. import __version__
from ..config.load import Config, ConfigError, warnings
from ..logs.output import Sink, choose
from ..monitoring.books import Books
from ..monitoring.counters import Meter
from ..monitoring.exporter import Exporter
from ..net.endpoints import Endpoint
from ..net.listener import CannotListen, open_listener
from ..net.listener_gate import ListenerGate
from ..net.socket_activation import inherited_listener
from ..resolver.nameservers import NoNameservers, SystemNameservers
from ..session.warmup import rehearse
from ..text.exit_status import EX_OK, EX_UNAVAILABLE
from .callbacks import BACKLOG, Callbacks, LibmilterError, open_socket, take_socket
from .config_reader import NotRead, Reading, how, lost
from .memory import collect
from .nameserver_reports import changes, note
from .privileges import NotPossible, account, become, raise_file_limit
from .sd_notify import Notifier
from .shared_config import LoadedConfig
from .thread_limits import MIN_THREADS, spare_threads
from .worker import Post, Worker
from .worker_pool import Child, Crew

NAME = "rdns-milter"
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_STOPPING = {signal.SIGTERM, signal.SIGINT}
_STOP_MARGIN = 5.0  # seconds beyond the deadline after which a worker that will not leave is killed


class CannotServe(Exception):
    """The service cannot start; the text says why."""


class Server:
    """The parent process. `serve` returns the exit status. `memory`: descriptor of the memory in which `loaded` lies."""

    def __init__(
        self, loaded: LoadedConfig, memory: int, config_path: str | None, sink: Sink, notifier: Notifier
    ) -> None:
        self._loaded = loaded
        self._memory = memory
        self._config_path = config_path
        self._reading: Reading | None = None
        self._read_again = False
        self._sink = sink
        self._notifier = notifier
        self._is_ready = False
        self._system_servers = SystemNameservers()
        self._books = Books(self._workers)
        self._exporter = Exporter(self._books.ledger, self._config.milter.socket, sink.write)
        sink.lost = self._books.meter.dropped
        self._callbacks = Callbacks()
        self._crew = Crew(self._workers, self._be_worker, self._worker_ended, sink.write)
        self._listener = -1
        self._warned = date.min
        self._lifeline: tuple[int, int] = (-1, -1)

    def bind(self) -> None:
        """Everything that needs root or may be refused. Raises CannotServe."""
        milter = self._config.milter
        try:
            raise_file_limit()
            self._callbacks.register()
            user = account(milter.user)
            owner = user.pw_uid if user else -1
            self._exporter.open(self._config.metrics.listen)
            inherited = inherited_listener(milter.socket, os.environ, take_socket)
            self._listener = inherited or open_listener(
                milter.socket, milter.socket_mode, owner, milter.socket_group, open_socket
            )
            rehearse(self._config)  # before the user changes, who may not be able to read what is loaded now
            collect()
            become(user)
            self._check_threads()
        except (CannotListen, NotPossible) as error:
            raise CannotServe(str(error)) from error
        self._write_board()
        self._door = ListenerGate(self._listener, milter.socket, milter.socket_mode, BACKLOG, ours=not inherited)
        self._sink.write(
            f"{__version__}: listening at {milter.socket}, {self._workers} workers, mode {milter.mode}, policy"
            f" {self._config.policy.digest} with {len(self._config.policy.rules)} rules,"
            f" name servers {', '.join(map(str, self._servers))}",
            "notice",
        )
        self._warn()

    def _check_threads(self) -> None:
        """Raises NotPossible if the workers could not even begin."""
        spare = spare_threads(self._workers, os.getpid())
        if spare < MIN_THREADS:
            raise NotPossible(
                f"only {spare} threads for each of {self._workers} workers (TasksMax=, ulimit -u, ulimit -v): at least"
                f" {MIN_THREADS} are needed"
            )

    def serve(self) -> int:
        """Run the workers until TERM. Returns the exit status."""
        self._lifeline = os.pipe()
        while True:
            self._notifier.alive()
            for number in self._crew.due():
                self._door.open()
                self._crew.start(number)
            self._exporter.start_due(self._lifeline[0], self._leave_the_mail)
            received = signal.sigtimedwait(_SIGNALS, self._crew.pause())
            if received is not None and received.si_signo in _STOPPING:
                return self._stop()
            if received is not None and received.si_signo == signal.SIGHUP:
                self._reload()
            if self._reading:
                self._reading.check_time()
            self._bury()
            self._look_at_resolv_conf()  # before a worker speaks of a server that is only in the new file
            self._crew.listen(self._hear)
            self._mind_the_door()
            self._warn_daily()

    @property
    def _config(self) -> Config:
        return self._loaded.config

    @property
    def _servers(self) -> tuple[Endpoint, ...]:
        return self._loaded.servers

    @property
    def _workers(self) -> int:
        return self._config.milter.workers or os.cpu_count() or 1

    def _be_worker(self, number: int, channel: socket.socket) -> None:
        """In the child: never returns."""
        status = 1
        try:
            self._exporter.close()
            self._let_go()
            post = Post(self._listener, channel, self._lifeline[0], number, self._workers)
            sink = Sink(choose(self._config.log.target, NAME))
            meter = Meter(self._books.ledger, number)
            Worker(self._take_config(), self._callbacks, post, sink, meter).run()
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a second parent
            self._sink.write(f"worker cannot start: {ascii(error)[:300]}", "err")
        finally:
            os._exit(status)

    def _take_config(self) -> LoadedConfig:
        """In a child: the configuration. Held here any longer its lists would stay in memory when they have been replaced."""
        loaded, self._loaded = self._loaded, LoadedConfig(Config(), ())
        return loaded

    def _let_go(self) -> None:
        """In a child: close what is the parent's alone."""
        os.close(self._lifeline[1])
        os.close(self._memory)
        if self._reading:
            self._reading.close()
        self._crew.let_go()

    def _leave_the_mail(self) -> None:
        """In a child that has nothing to do with the mail."""
        os.close(self._listener)
        self._take_config()
        self._let_go()

    def _bury(self) -> None:
        """Take note of children that have ended."""
        while self._crew or self._exporter.runs or self._reading:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if self._reading and pid == self._reading.pid:
                self._has_read(self._reading, how(status))
            elif not self._crew.bury(pid, how(status)):
                self._exporter.ended(pid, how(status))

    def _worker_ended(self, number: int) -> None:
        self._books.ended(number)
        self._write_board()

    def _mind_the_door(self) -> None:
        """While nobody serves, and nobody will soon, an MTA is to learn that at once: it would wait for half a minute."""
        if self._crew.is_gone_for_long() and self._door.shut():
            self._sink.write("no worker is left: until there is one, MTAs find nobody at the socket", "err")

    def _hear(self, child: Child, word: str) -> None:
        """A worker's word: that it lives, by which configuration it judges, or on a name server. That is said once, however many
        workers find out."""
        if not self._is_ready and not self._reading:
            self._ready()
        status, _, server = word.partition(" ")
        if status == "config":
            self._crew.judges_by(child, server, f"{self._loaded.number} {self._config.policy.digest}")
        servers, before = tuple(map(str, self._servers)), self._down()
        note(child.down, status, server, servers)
        down = self._down()
        for line, level in changes(status, before, down, servers):
            self._sink.write(line, level)
        if down != before:
            self._write_board()

    def _down(self) -> set[str]:
        return {server for child in self._crew for server in child.down}

    def _write_board(self) -> None:
        self._books.in_force(self._config.policy, self._servers, self._down(), self._loaded.number)

    def _ready(self) -> None:
        self._is_ready = True
        policy = self._config.policy.digest
        self._notifier.ready(f"{self._workers} workers, mode {self._config.milter.mode}, policy {policy}")

    def _reload(self) -> None:
        """Have the config read; whatever comes of it, the manager hears when that has ended."""
        if self._reading:
            self._read_again = True
            return
        self._notifier.reloading()
        try:
            self._reading = Reading(
                self._config_path, self._loaded.number + 1, self._config.milter, self._leave_the_mail
            )
        except OSError as error:
            self._refuse([f"no process can be had to read it: {error.strerror}"])

    def _has_read(self, reading: Reading, how_it_ended: str) -> None:
        """The process that reads the config has ended: only what is whole is handed on to the workers."""
        self._reading = None
        try:
            loaded = reading.result(how_it_ended)
            self._adopt(loaded, reading.memory)
        except (ConfigError, NoNameservers, NotRead) as error:
            reading.close()
            self._refuse(str(error).splitlines())
        if self._read_again:
            self._read_again = False
            self._reload()

    def _refuse(self, reasons: Sequence[str]) -> None:
        """The old config stays in force, and the log says why."""
        for reason in reasons:
            self._sink.write(f"config not reloaded, the old one stays in force: {reason}", "err")
        self._books.meter.reloaded(False)
        if self._is_ready:
            self._ready()

    def _adopt(self, loaded: LoadedConfig, memory: int) -> None:
        """Judge by this config from now on. Raises NotRead for one that nobody can have meant."""
        missing = lost(self._config, loaded)
        if missing:
            raise NotRead(missing)
        for name in loaded.waiting:
            self._sink.write(f"{name} has changed: that takes a restart", "warning")
        os.close(self._memory)
        self._loaded, self._memory = loaded, memory
        self._system_servers = SystemNameservers()  # the file may have changed since it was read for this config
        self._ask(loaded.servers)
        self._crew.hand_over(memory)
        policy, mode = self._config.policy, self._config.milter.mode
        self._sink.write(
            f"config reloaded: policy {policy.digest} with {len(policy.rules)} rules, mode {mode}", "notice"
        )
        self._exporter.move(self._config.metrics.listen)
        self._warn()
        self._books.meter.reloaded(True)
        if self._is_ready:
            self._ready()

    def _look_at_resolv_conf(self) -> None:
        """Take note of the system's new name servers when resolv.conf has changed; the workers find out by themselves. One that
        names none changes nothing: it is said once."""
        try:
            servers = self._system_servers.look(self._config.dns.nameservers)
        except NoNameservers as error:
            self._sink.write(f"the name servers stay {', '.join(map(str, self._servers))}: {error}", "err")
            return
        if servers is not None and servers != self._servers:
            self._ask(servers)
            self._sink.write(f"resolv.conf has changed: name servers {', '.join(map(str, servers))}", "notice")

    def _ask(self, servers: tuple[Endpoint, ...]) -> None:
        """From now on these are the name servers that are asked."""
        self._loaded = replace(self._loaded, servers=servers)
        for child in self._crew:
            child.down &= set(map(str, servers))
        self._write_board()

    def _warn(self) -> None:
        self._warned = date.today()
        for warning in warnings(self._config, self._warned):
            self._sink.write(warning, "warning")

    def _warn_daily(self) -> None:
        """A rule that is about to end is said each day (DESIGN section 4, `until`)."""
        if date.today() != self._warned:
            self._warn()

    def leave_door(self) -> None:
        """Leave nothing of the socket behind."""
        self._door.remove()

    def _stop(self) -> int:
        """Let the workers finish; kill those that will not."""
        self._notifier.stopping()
        self._exporter.stop()
        if self._reading:
            os.kill(self._reading.pid, signal.SIGKILL)
        os.close(self._listener)
        # By this the workers know. A TERM might reach libmilter's thread instead of their own.
        os.close(self._lifeline[1])
        self._crew.end(self._config.milter.deadline + _STOP_MARGIN)
        self.leave_door()
        self._sink.write("stopped", "notice")
        self._sink.flush(1.0)
        return EX_OK


def run(
    loaded: LoadedConfig, memory: int, config_path: str | None, only_check: bool, say: Callable[[str], None]
) -> int:
    """Serve (or, with `only_check`, bind and report). Returns the exit status."""
    target = "stderr" if only_check else loaded.config.log.target  # who tries it looks at the terminal
    server = Server(loaded, memory, config_path, Sink(choose(target, NAME)), Notifier(os.environ))
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # from here on there is something to clear away
    try:
        server.bind()
    except (CannotServe, LibmilterError) as error:
        say(f"libmilter: {error}" if isinstance(error, LibmilterError) else str(error))
        return EX_UNAVAILABLE
    if only_check:
        server.leave_door()
        return EX_OK
    return server.serve()
