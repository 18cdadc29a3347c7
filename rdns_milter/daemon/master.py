"""The parent process: opens the socket, gives up root, starts the workers, and keeps them running.

Must never serve mail itself, so that nothing a client sends can harm it. Must never read from the network, nor read the
configuration (daemon/configuration/config_reader.py does). Must never start a thread, because it forks. Exits with 78 only for an
invalid configuration.

sysexits(3) (EX_CONFIG); packaging/doc/platform.md 1.4 and 1.5.
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
from ..monitoring.counters import Counters
from ..monitoring.parent_counters import ParentCounters
from ..net.listener import CannotListen, open_listener
from ..net.listener_gate import ListenerGate
from ..net.socket_activation import inherited_listener
from ..resolver.nameservers import NoNameservers
from ..session.warmup import warm_up
from ..text.exit_status import EX_OK, EX_UNAVAILABLE
from .callbacks import BACKLOG, Callbacks, LibmilterError, open_socket, take_socket
from .configuration.config_reader import ConfigReader, NotRead, exit_text, find_loss
from .configuration.shared_config import LoadedConfig
from .exporter import Exporter
from .nameserver_reports import NameServers
from .privileges import NotPossible, account, change_user, raise_file_limit
from .resources.memory import freeze_all
from .resources.thread_limits import MIN_THREADS, spare_threads
from .sd_notify import Notifier
from .worker import Worker, WorkerContext
from .worker_pool import WorkerPool, WorkerProcess, worker_count

NAME = "rdns-milter"
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_STOPPING = {signal.SIGTERM, signal.SIGINT}
_STOP_MARGIN = 5.0  # seconds beyond the deadline after which a worker that does not end is killed


class CannotServe(Exception):
    """The service cannot start; the text says why."""


class Master:
    """The parent process. `memory`: the descriptor of the shared memory that holds `loaded`; `config_path`: None for the built-in
    default."""

    def __init__(
        self,
        loaded: LoadedConfig,
        memory: int,
        config_path: str | None,
        workers: int,
        sink: Sink,
        counters: ParentCounters,
        notifier: Notifier,
    ) -> None:
        self._loaded = loaded
        self._memory = memory
        self._config_path = config_path
        self._workers = workers
        self._reader: ConfigReader | None = None
        self._read_again = False
        self._sink = sink
        self._counters = counters
        self._notifier = notifier
        self._is_ready = False
        self._name_servers = NameServers(loaded.servers, sink.write)
        self._exporter = Exporter(counters.memory, self._config.milter.socket, sink.write)
        self._callbacks = Callbacks()
        self._pool = WorkerPool(self._workers, self._run_worker, self._worker_ended, sink.write)
        self._listener = -1
        self._warned = date.min
        self._lifeline: tuple[int, int] = (-1, -1)

    def bind(self) -> None:
        """Do everything that needs root or may fail. Raises CannotServe."""
        milter = self._config.milter
        try:
            raise_file_limit()
            self._callbacks.register()
            user = account(milter.user)
            owner = user.pw_uid if user else -1
            self._exporter.listen(self._config.metrics.listen)
            inherited = inherited_listener(milter.socket, os.environ, take_socket)
            self._listener = inherited or open_listener(
                milter.socket, milter.socket_mode, owner, milter.socket_group, open_socket
            )
            warm_up(self._config)  # before the user changes, who may not be able to read what is loaded late
            freeze_all()
            change_user(user)
            self._check_threads()
        except (CannotListen, NotPossible) as error:
            raise CannotServe(str(error)) from error
        self._publish()
        self._gate = ListenerGate(self._listener, milter.socket, milter.socket_mode, BACKLOG, ours=not inherited)
        self._sink.write(
            f"{__version__}: listening at {milter.socket}, {self._workers} workers, mode {milter.mode}, policy"
            f" {self._config.policy.digest} with {len(self._config.policy.rules)} rules, name servers {self._name_servers}",
            "notice",
        )
        self._log_warnings()

    def _check_threads(self) -> None:
        """Raise NotPossible if workers could not start the threads that they need."""
        spare = spare_threads(self._workers, os.getpid())
        if spare < MIN_THREADS:
            raise NotPossible(
                f"only {spare} threads for each of {self._workers} workers (TasksMax=, ulimit -u, ulimit -v): at least"
                f" {MIN_THREADS} are needed"
            )

    def serve(self) -> int:
        """Run the workers until TERM. Return the exit status."""
        self._lifeline = os.pipe()
        while True:
            self._notifier.alive()
            for number in self._pool.take_due():
                self._gate.open()
                self._pool.start(number)
            self._exporter.start_if_due(self._lifeline[0], self._leave_service)
            received = signal.sigtimedwait(_SIGNALS, self._pool.next_event())
            if received is not None and received.si_signo in _STOPPING:
                return self._stop()
            if received is not None and received.si_signo == signal.SIGHUP:
                self._reload()
            if self._reader:
                self._reader.check_time()
            self._reap()
            self._check_resolv_conf()  # before a worker reports on a server that is only in the new file
            self._pool.read_reports(self._handle_report)
            self._check_gate()
            self._log_daily_warnings()

    @property
    def _config(self) -> Config:
        return self._loaded.config

    def _run_worker(self, number: int, channel: socket.socket) -> None:
        """Run in the child. Never returns."""
        status = 1
        try:
            self._exporter.close()
            self._close_parent_fds()
            context = WorkerContext(self._listener, channel, self._lifeline[0], number, self._workers)
            counters = Counters(self._counters.memory, number)
            sink = Sink(choose(self._config.log.target, NAME), line_dropped=counters.line_dropped)
            Worker(self._take_config(), self._callbacks, context, sink, counters).run()
        except BaseException as error:  # noqa: BLE001 - the child must not continue as a second parent
            self._sink.write(f"worker cannot start: {ascii(error)[:300]}", "err")
        finally:
            os._exit(status)

    def _take_config(self) -> LoadedConfig:
        """Return the configuration, in a child, and drop the reference to it here. Otherwise its lists would stay in memory after a
        reload."""
        loaded, self._loaded = self._loaded, LoadedConfig(Config(), ())
        return loaded

    def _close_parent_fds(self) -> None:
        """Close, in a child, the descriptors that belong to the parent."""
        os.close(self._lifeline[1])
        os.close(self._memory)
        if self._reader:
            self._reader.close()
        self._pool.close_parent_fds()

    def _leave_service(self) -> None:
        """Close, in a child that does not serve mail, what belongs to the parent or to workers."""
        os.close(self._listener)
        self._take_config()
        self._close_parent_fds()

    def _reap(self) -> None:
        """Take note of children that have ended."""
        while self._pool or self._exporter.is_running or self._reader:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if self._reader and pid == self._reader.pid:
                self._finish_reload(self._reader, exit_text(status))
            elif not self._pool.reap(pid, exit_text(status)):
                self._exporter.reap(pid, exit_text(status))

    def _worker_ended(self, worker: WorkerProcess) -> None:
        self._name_servers.forget(worker.pid)
        self._counters.worker_ended(worker.number)
        self._publish()

    def _check_gate(self) -> None:
        """Refuse connections while no worker is left and none will start soon. Otherwise an MTA would wait half a minute for an
        answer."""
        if self._pool.is_gone_for_long() and self._gate.shut():
            self._sink.write("no worker is left: connections are refused until one has started", "err")

    def _handle_report(self, worker: WorkerProcess, report: str) -> None:
        """Handle a worker's report: a heartbeat, the configuration that it uses, or a change in the status of a name server."""
        if not self._is_ready and not self._reader:
            self._notify_ready()
        kind, _, rest = report.partition(" ")
        if kind == "config":
            self._pool.config_confirmed(worker, rest, f"{self._loaded.number} {self._config.policy.digest}")
        elif rest and self._name_servers.report(worker.pid, kind, rest):
            self._publish()

    def _publish(self) -> None:
        """Write the policy and the name servers to the shared memory."""
        self._counters.publish(
            self._config.policy, self._name_servers.servers, self._name_servers.down(), self._loaded.number
        )

    def _notify_ready(self) -> None:
        self._is_ready = True
        policy = self._config.policy.digest
        self._notifier.ready(f"{self._workers} workers, mode {self._config.milter.mode}, policy {policy}")

    def _reload(self) -> None:
        """Start to read the configuration. The service manager is notified when that has ended, whatever the result."""
        if self._reader:
            self._read_again = True
            return
        self._notifier.reloading()
        try:
            self._reader = ConfigReader(
                self._config_path, self._loaded.number + 1, self._config.milter, self._leave_service
            )
        except OSError as error:
            self._keep_config([f"cannot start a process that reads it: {error.strerror}"])

    def _finish_reload(self, reader: ConfigReader, status: str) -> None:
        """Use what the reader process has read. `status`: describes how that process ended."""
        self._reader = None
        try:
            self._adopt(reader.result(status), reader.memory)
        except (ConfigError, NoNameservers, NotRead) as error:
            reader.close()
            self._keep_config(str(error).splitlines())
        if self._read_again:
            self._read_again = False
            self._reload()

    def _keep_config(self, reasons: Sequence[str]) -> None:
        """Keep the present configuration, and log why."""
        for reason in reasons:
            self._sink.write(f"config not reloaded, the old one stays in force: {reason}", "err")
        self._counters.reloaded(False)
        if self._is_ready:
            self._notify_ready()

    def _adopt(self, loaded: LoadedConfig, memory: int) -> None:
        """Use this configuration from now on. Raises NotRead if the configuration must be a mistake."""
        loss = find_loss(self._config, loaded)
        if loss:
            raise NotRead(loss)
        for name in loaded.need_restart:
            self._sink.write(f"{name} has changed: this takes effect after a restart", "warning")
        os.close(self._memory)
        self._loaded, self._memory = loaded, memory
        self._name_servers.use(loaded.servers)
        self._publish()
        self._pool.send_config(memory)
        policy, mode = self._config.policy, self._config.milter.mode
        self._sink.write(
            f"config reloaded: policy {policy.digest} with {len(policy.rules)} rules, mode {mode}", "notice"
        )
        self._exporter.try_listen(self._config.metrics.listen)
        self._log_warnings()
        self._counters.reloaded(True)
        if self._is_ready:
            self._notify_ready()

    def _check_resolv_conf(self) -> None:
        if self._name_servers.check_resolv_conf(self._config.dns.nameservers):
            self._loaded = replace(self._loaded, servers=self._name_servers.servers)  # for workers that start later
            self._publish()

    def _log_warnings(self) -> None:
        self._warned = date.today()
        for warning in warnings(self._config, self._warned):
            self._sink.write(warning, "warning")

    def _log_daily_warnings(self) -> None:
        """Log once a day which rules are about to end (`until`)."""
        if date.today() != self._warned:
            self._log_warnings()

    def remove_socket(self) -> None:
        """Remove the path of the socket."""
        self._gate.remove()

    def _stop(self) -> int:
        """Let the workers finish, and kill those that do not."""
        self._notifier.stopping()
        self._exporter.stop()
        if self._reader:
            self._reader.kill()
        os.close(self._listener)
        # Workers notice that this pipe is closed. A TERM might reach one of libmilter's threads instead of their main thread.
        os.close(self._lifeline[1])
        self._pool.wait_for_end(self._config.milter.deadline + _STOP_MARGIN)
        self.remove_socket()
        self._sink.write("stopped", "notice")
        self._sink.flush(1.0)
        return EX_OK


def run(loaded: LoadedConfig, memory: int, config_path: str | None, dry_run: bool, say: Callable[[str], None]) -> int:
    """Run the service. With `dry_run` only open the socket and report. `say` writes an error to standard error. Return the exit
    status."""
    target = "stderr" if dry_run else loaded.config.log.target
    workers = worker_count(loaded.config)  # once: the limits on CPUs may change while the service runs
    counters = ParentCounters(workers)
    sink = Sink(choose(target, NAME), line_dropped=counters.line_dropped)
    master = Master(loaded, memory, config_path, workers, sink, counters, Notifier(os.environ))
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # from here on a socket may have to be removed
    try:
        master.bind()
    except (CannotServe, LibmilterError) as error:
        say(f"libmilter: {error}" if isinstance(error, LibmilterError) else str(error))
        return EX_UNAVAILABLE
    if dry_run:
        master.remove_socket()
        return EX_OK
    return master.serve()
