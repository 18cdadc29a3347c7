"""The parent: opens the socket, gives up root, forks the workers, and sees to it that they live.

Serves no mail itself, so that nothing a client sends can hurt it. Never reads an octet from the network, and runs no thread:
it forks. Ends with 78 only for a broken configuration.

sysexits(3) (EX_CONFIG), PLATFORM 2.3 and 2.4.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from . import __version__, garbage
from .activation import inherited_listener
from .books import Books
from .config import Config, ConfigError, load, warnings
from .crew import Child, Crew
from .endpoints import Endpoint
from .exporter import Exporter
from .listener import CannotListen, Door, open_listener
from .metrics import Meter
from .milter import BACKLOG, Callbacks, LibmilterError, open_socket, take_socket
from .nameservers import NoNameservers, nameservers
from .notify import Notifier
from .privileges import NotPossible, account, become, raise_file_limit
from .rehearsal import rehearse
from .sink import Sink, choose
from .worker import RELOAD, Post, Worker

NAME = "rdns-milter"
EX_OK, EX_UNAVAILABLE, EX_CONFIG = 0, 69, 78
_FOR_THE_START = ("socket", "socket_mode", "socket_group", "user", "workers")
# RELOAD, so that a worker is not ended by it before it knows what it means.
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, RELOAD}
_STOPPING = {signal.SIGTERM, signal.SIGINT}
_STOP_MARGIN = 5.0  # seconds beyond the deadline after which a worker that will not leave is killed


class CannotServe(Exception):
    """The service cannot start; the text says why."""


class Server:
    """The parent process. `serve` returns the exit status."""

    def __init__(self, config: Config, config_path: str | None, sink: Sink, notifier: Notifier) -> None:
        self._config = config
        self._config_path = config_path
        self._sink = sink
        self._notifier = notifier
        self._is_ready = False
        self._servers: tuple[Endpoint, ...] = ()
        self._books = Books(self._workers)
        self._exporter = Exporter(self._books.ledger, config.milter.socket, sink.write)
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
            self._servers = nameservers(self._config.dns.nameservers)
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
            garbage.collect()
            become(user)
        except (NoNameservers, CannotListen, NotPossible) as error:
            raise CannotServe(str(error)) from error
        self._write_board()
        self._door = Door(self._listener, milter.socket, milter.socket_mode, BACKLOG, ours=not inherited)
        self._sink.write(
            f"{__version__}: listening at {milter.socket}, {self._workers} workers, mode {milter.mode}, policy"
            f" {self._config.policy.digest} with {len(self._config.policy.rules)} rules,"
            f" name servers {', '.join(map(str, self._servers))}",
            "notice",
        )
        self._warn()

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
            self._bury()
            self._crew.listen(self._hear)
            self._mind_the_door()
            self._warn_daily()

    @property
    def _workers(self) -> int:
        return self._config.milter.workers or os.cpu_count() or 1

    def _be_worker(self, number: int, writing: int) -> None:
        """In the child: never returns."""
        status = 1
        try:
            self._exporter.close()
            self._let_go()
            post = Post(self._listener, writing, self._lifeline[0], number, self._workers)
            sink = Sink(choose(self._config.log.target, NAME))
            meter = Meter(self._books.ledger, number)
            Worker(self._config, self._config_path, self._servers, self._callbacks, post, sink, meter).run()
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a second parent
            self._sink.write(f"worker cannot start: {ascii(error)[:300]}", "err")
        finally:
            os._exit(status)

    def _let_go(self) -> None:
        """In a child: close what is the parent's alone."""
        os.close(self._lifeline[1])
        self._crew.let_go()

    def _leave_the_mail(self) -> None:
        """In a child that has nothing to do with the mail."""
        os.close(self._listener)
        self._let_go()

    def _bury(self) -> None:
        """Take note of children that have ended."""
        while self._crew or self._exporter.runs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if not self._crew.bury(pid, _how(status)):
                self._exporter.ended(pid, _how(status))

    def _worker_ended(self, number: int) -> None:
        self._books.ended(number)
        self._write_board()

    def _mind_the_door(self) -> None:
        """While nobody serves, and nobody will soon, an MTA is to learn that at once: it would wait for half a minute."""
        if self._crew.is_gone_for_long() and self._door.shut():
            self._sink.write("no worker is left: until there is one, MTAs find nobody at the socket", "err")

    def _hear(self, child: Child, word: str) -> None:
        """A worker's word on a name server: said once, however many workers find out."""
        if not self._is_ready:
            self._ready()
        sign, _, server = word.partition(" ")
        before = self._down()
        if sign == "down" and server in map(str, self._servers):
            child.down.add(server)
        elif sign == "up":
            child.down.discard(server)
        down = self._down()
        for server in down - before:
            others = "the others are asked instead"
            alone = "clients are judged without DNS (temperror, resolver-down), and none is refused for it"
            what = alone if len(down) >= len(set(self._servers)) else others
            self._sink.write(f"name server {server} does not answer: until it does, {what}", "err")
        for server in before - down:
            self._sink.write(f"name server {server} answers again", "notice")
        if down != before:
            self._write_board()

    def _down(self) -> set[str]:
        return {server for child in self._crew for server in child.down}

    def _write_board(self) -> None:
        self._books.in_force(self._config.policy, self._servers, self._down())

    def _ready(self) -> None:
        self._is_ready = True
        policy = self._config.policy.digest
        self._notifier.ready(f"{self._workers} workers, mode {self._config.milter.mode}, policy {policy}")

    def _reload(self) -> None:
        """Read the config again; whatever comes of it, the manager hears when that has ended."""
        self._notifier.reloading()
        self._books.meter.reloaded(self._adopt())
        if self._is_ready:
            self._ready()

    def _adopt(self) -> bool:
        """Read the config; only one that is whole is handed on to the workers. Whether it was."""
        try:
            config = load(self._config_path)
            servers = nameservers(config.dns.nameservers)
        except ConfigError as error:
            for line in str(error).splitlines():
                self._sink.write(f"config not reloaded, the old one stays in force: {line}", "err")
            return False
        except NoNameservers as error:
            self._sink.write(f"config not reloaded, the old one stays in force: {error}", "err")
            return False
        old = self._config.milter
        for name in _FOR_THE_START:
            if getattr(config.milter, name) != getattr(old, name):
                self._sink.write(f"milter.{name} has changed: that takes a restart", "warning")
        kept = {name: getattr(old, name) for name in _FOR_THE_START}
        config = replace(config, milter=replace(config.milter, **kept))
        self._config, self._servers = config, servers
        for child in self._crew:
            child.down &= set(map(str, servers))
        self._write_board()
        self._crew.signal(RELOAD)
        self._sink.write(
            f"config reloaded: policy {config.policy.digest} with {len(config.policy.rules)} rules,"
            f" mode {config.milter.mode}",
            "notice",
        )
        self._exporter.move(config.metrics.listen)
        self._warn()
        return True

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
        os.close(self._listener)
        # By this the workers know. A TERM might reach libmilter's thread instead of their own.
        os.close(self._lifeline[1])
        self._crew.end(self._config.milter.deadline + _STOP_MARGIN)
        self.leave_door()
        self._sink.write("stopped", "notice")
        self._sink.flush(1.0)
        return EX_OK


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"status {os.waitstatus_to_exitcode(status)}"


def run(config: Config, config_path: str | None, only_check: bool, say: Callable[[str], None]) -> int:
    """Serve (or, with `only_check`, bind and report). Returns the exit status."""
    target = "stderr" if only_check else config.log.target  # who tries it looks at the terminal
    server = Server(config, config_path, Sink(choose(target, NAME)), Notifier(os.environ))
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # from here on there is something to clear away
    try:
        server.bind()
    except CannotServe as error:
        say(str(error))
        return EX_UNAVAILABLE
    except LibmilterError as error:
        say(f"libmilter: {error}")
        return EX_UNAVAILABLE
    if only_check:
        server.leave_door()
        return EX_OK
    return server.serve()
