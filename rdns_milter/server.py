"""The parent: opens the socket, gives up root, forks the workers, and sees to it that they live.

Serves no mail itself, so that nothing a client sends can hurt it. Never reads an octet from the network, and runs no thread:
it forks. Ends with 78 only for a broken configuration.

sysexits(3) (EX_CONFIG), PLATFORM 2.3 and 2.4.
"""

from __future__ import annotations

import os
import pwd
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import milter as libmilter

from . import __version__
from .config import Config, ConfigError, load, warnings
from .listener import CannotListen, open_listener
from .milter import Callbacks, open_socket
from .nameservers import NoNameservers, nameservers
from .sink import Sink, choose
from .worker import BEAT, Post, Worker

NAME = "rdns-milter"
EX_OK, EX_UNAVAILABLE, EX_CONFIG = 0, 69, 78
MIN_FILES = 256  # descriptors, below which a burst of clients would use them up
WANTED_FILES = 65_536
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_STOPPING = {signal.SIGTERM, signal.SIGINT}
_SILENT = 10 * BEAT  # seconds without a sign of life after which a worker is replaced
_SOON = 1.0  # seconds: a worker that ends sooner than this after its start is started anew with delay
_MAX_DELAY = 10.0
_STOP_MARGIN = 5.0  # seconds beyond the deadline after which a worker that will not leave is killed


class CannotServe(Exception):
    """The service cannot start; the text says why."""


@dataclass(slots=True)
class Child:
    """A worker as the parent sees it. `number`: which of them it is, from 0; `beat`: the pipe by which it speaks; `down`: the name
    servers that do not answer it."""

    pid: int
    number: int
    began: float
    beat: int
    alive_at: float
    heard: bytes = b""
    down: set[str] = field(default_factory=set)


class Server:
    """The parent process. `serve` returns the exit status."""

    def __init__(self, config: Config, config_path: str | None, sink: Sink) -> None:
        self._config = config
        self._config_path = config_path
        self._sink = sink
        self._callbacks = Callbacks()
        self._children: dict[int, Child] = {}
        self._delay = 0.0
        self._due: dict[int, float] = {}
        self._listener = -1
        self._warned = date.min
        self._lifeline: tuple[int, int] = (-1, -1)

    def bind(self) -> None:
        """Everything that needs root or may be refused. Raises CannotServe."""
        milter = self._config.milter
        try:
            servers = nameservers(self._config.dns.nameservers)
            _raise_file_limit()
            self._callbacks.register()
            user = _account(milter.user)
            owner = user.pw_uid if user else -1
            self._listener = open_listener(milter.socket, milter.socket_mode, owner, milter.socket_group, open_socket)
            _become(user)
        except (NoNameservers, CannotListen) as error:
            raise CannotServe(str(error)) from error
        self._sink.write(
            f"{__version__}: listening at {milter.socket}, {self._workers} workers, mode {milter.mode}, policy"
            f" {self._config.policy.digest} with {len(self._config.policy.rules)} rules,"
            f" name servers {', '.join(map(str, servers))}",
            "notice",
        )
        self._warn()

    def serve(self) -> int:
        """Run the workers until TERM. Returns the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._lifeline = os.pipe()
        self._due = dict.fromkeys(range(self._workers), time.monotonic())
        while True:
            self._start_due()
            received = signal.sigtimedwait(_SIGNALS, self._pause())
            if received is not None and received.si_signo in _STOPPING:
                return self._stop()
            if received is not None and received.si_signo == signal.SIGHUP:
                self._reload()
            self._bury()
            self._listen()
            self._warn_daily()

    @property
    def _workers(self) -> int:
        return self._config.milter.workers or os.cpu_count() or 1

    def _pause(self) -> float:
        return min([BEAT, *(max(0.0, due - time.monotonic()) for due in self._due.values())])

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            self._fork(number)

    def _fork(self, number: int) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        pid = os.fork()
        if pid == 0:
            self._be_worker(number, reading, writing)
        os.close(writing)
        now = time.monotonic()
        self._children[pid] = Child(pid, number, now, reading, now)

    def _be_worker(self, number: int, reading: int, writing: int) -> None:
        """In the child: never returns."""
        status = 1
        try:
            os.close(reading)
            os.close(self._lifeline[1])
            for child in self._children.values():
                os.close(child.beat)
            post = Post(self._listener, writing, self._lifeline[0], number, self._workers)
            sink = Sink(choose(self._config.log.target, NAME))
            Worker(self._config, self._config_path, self._callbacks, post, sink).run()
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a second parent
            self._sink.write(f"worker cannot start: {ascii(error)[:300]}", "err")
        finally:
            os._exit(status)

    def _bury(self) -> None:
        """Take note of workers that have ended, and have them replaced: at once, or with delay if they do not last."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue
            os.close(child.beat)
            now = time.monotonic()
            lasted = now - child.began
            self._delay = 0.0 if lasted > _SOON else min(_MAX_DELAY, max(0.2, self._delay * 2))
            self._due[child.number] = now + self._delay
            after = f"after {lasted:.1f} s; next in {self._delay:.1f} s" if self._delay else "replaced"
            self._sink.write(f"worker {pid} ended ({_how(status)}), {after}", "warning")

    def _listen(self) -> None:
        """Hear what the workers have to say, and replace those that have said nothing for long."""
        now = time.monotonic()
        for child in self._children.values():
            try:
                octets = os.read(child.beat, 4096)
            except BlockingIOError:
                octets = b""
            if octets:
                child.alive_at = now
                *words, child.heard = (child.heard + octets).split(b"\n")
                for word in words:
                    self._hear(child, word.decode())
            if now - child.alive_at > _SILENT:
                self._sink.write(f"worker {child.pid} gives no sign of life: killed", "err")
                child.alive_at = now
                os.kill(child.pid, signal.SIGKILL)

    def _hear(self, child: Child, word: str) -> None:
        """A worker's word on a name server: said once, however many workers find out."""
        sign, _, server = word.partition(" ")
        before = self._down()
        if sign == "down":
            child.down.add(server)
        elif sign == "up":
            child.down.discard(server)
        down = self._down()
        for server in down - before:
            others = "the others are asked instead"
            alone = "clients are judged without DNS (temperror, resolver-down), and none is refused for it"
            what = alone if len(down) >= len(nameservers(self._config.dns.nameservers)) else others
            self._sink.write(f"name server {server} does not answer: until it does, {what}", "err")
        for server in before - down:
            self._sink.write(f"name server {server} answers again", "notice")

    def _down(self) -> set[str]:
        return {server for child in self._children.values() for server in child.down}

    def _reload(self) -> None:
        """Read the config again; only one that is whole is handed on to the workers."""
        try:
            config = load(self._config_path)
            nameservers(config.dns.nameservers)
        except ConfigError as error:
            for line in str(error).splitlines():
                self._sink.write(f"config not reloaded, the old one stays in force: {line}", "err")
            return
        except NoNameservers as error:
            self._sink.write(f"config not reloaded, the old one stays in force: {error}", "err")
            return
        for name in ("socket", "socket_mode", "socket_group", "user", "workers"):
            if getattr(config.milter, name) != getattr(self._config.milter, name):
                self._sink.write(f"milter.{name} has changed: that takes a restart", "warning")
        self._config = config
        for pid in self._children:
            os.kill(pid, signal.SIGHUP)
        self._sink.write(
            f"config reloaded: policy {config.policy.digest} with {len(config.policy.rules)} rules,"
            f" mode {config.milter.mode}",
            "notice",
        )
        self._warn()

    def _warn(self) -> None:
        self._warned = date.today()
        for warning in warnings(self._config, self._warned):
            self._sink.write(warning, "warning")

    def _warn_daily(self) -> None:
        """A rule that is about to end is said each day (DESIGN section 4, `until`)."""
        if date.today() != self._warned:
            self._warn()

    def _stop(self) -> int:
        """Let the workers finish; kill those that will not."""
        os.close(self._listener)
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._config.milter.deadline + _STOP_MARGIN
        while self._children and time.monotonic() < until:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._children.pop(pid, None)
            else:
                signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        path = self._config.milter.socket.path
        if path and os.access(os.path.dirname(path), os.W_OK):
            os.unlink(path)
        self._sink.write("stopped", "notice")
        self._sink.flush(1.0)
        return EX_OK


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"status {os.waitstatus_to_exitcode(status)}"


def _raise_file_limit() -> None:
    """As many file descriptors as we may have: one for each session and each question under way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    if soft != resource.RLIM_INFINITY and soft < MIN_FILES:
        raise CannotServe(f"only {soft} file descriptors (ulimit -n): at least {MIN_FILES} are needed")


def _account(user: str) -> pwd.struct_passwd | None:
    """Whom to become: None for nobody else."""
    if not user or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise CannotServe(f"milter.user: there is no user {user}") from error


def _become(user: pwd.struct_passwd | None) -> None:
    """Give up root, for good."""
    if user is None:
        return
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def run(config: Config, config_path: str | None, only_check: bool, say: Callable[[str], None]) -> int:
    """Serve (or, with `only_check`, bind and report). Returns the exit status."""
    server = Server(config, config_path, Sink(choose(config.log.target, NAME)))
    try:
        server.bind()
    except CannotServe as error:
        say(str(error))
        return EX_UNAVAILABLE
    except libmilter.error as error:
        say(f"libmilter: {error}")
        return EX_UNAVAILABLE
    return EX_OK if only_check else server.serve()
