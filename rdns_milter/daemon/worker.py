"""A worker process. Libmilter's threads serve the MTA, the pool waker's thread makes their pool grow, the event loop's thread asks
DNS, and the main thread adopts new configurations and finally drains the worker.

Must never read the configuration itself: the parent hands it over, so that all workers judge by the same. Must never stop
libmilter, which would cut all sessions and might remove the socket: the worker stops listening, waits, and ends the process.

packaging/doc/platform.md 1.2 to 1.4.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from types import TracebackType

from ..config.sections.log import LOGGED
from ..logs.decision_keys import Decision
from ..logs.decision_line import line
from ..logs.output import Sink
from ..monitoring.alarms import Alarm, Alarms
from ..monitoring.counters import Counters
from ..monitoring.help_pages import with_help
from ..net.accepted_connections import count_accepted
from ..net.endpoints import Endpoint
from ..net.listener import connect
from ..resolver.events import ResolverEvents
from ..resolver.lookup import Status
from ..resolver.nameservers import NoNameservers, SystemNameservers
from ..session.dns_thread import DnsThread
from ..session.service import Service, SessionEvents
from .callbacks import Callbacks, serve
from .configuration.shared_config import LoadedConfig, read
from .lost_connections import LostConnections
from .pool_waker import PoolWaker
from .quick_acks import QuickAcks
from .resources.cpus import pin_to_core
from .resources.memory import GarbageCollector, use_one_heap
from .resources.thread_limits import spare_threads

HEARTBEAT = 1.0  # seconds between two heartbeats to the parent
_IDLE_GRACE = 1.0  # seconds that connections without a message get to close before the worker ends
_POKE_TIMEOUT = 0.2  # seconds
_DRAIN_TICK = 0.02  # seconds
_INTERRUPT = signal.SIGUSR2  # interrupts the system call that a thread is in
_LOG_INTERVAL = 60.0  # seconds between two log lines that say the same
_MAX_MESSAGE = 64  # bytes of a message from the parent
_MAX_DESCRIPTORS = 8  # that it may send with it


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker gets from the parent.

    `listener`: the descriptor of the listening socket.
    `channel`: the connection to the parent.
    `lifeline`: a pipe that is closed when the parent ends or wants the worker to end.
    `number`: of this worker, from 0.
    `workers`: how many there are."""

    listener: int
    channel: socket.socket
    lifeline: int
    number: int
    workers: int


class Worker:
    """One worker process. `run` never returns."""

    def __init__(
        self,
        loaded: LoadedConfig,
        callbacks: Callbacks,
        context: WorkerContext,
        sink: Sink,
        counters: Counters,
    ) -> None:
        config = loaded.config
        self._callbacks = callbacks
        self._context = context
        self._sink = sink
        self._counters = counters
        self._alarms = Alarms(time.time(), time.monotonic())
        self._alarms_lock = threading.Lock()
        self._dns_thread = DnsThread(config, loaded.servers, self._report_error, self._resolver_events(counters))
        # The socket that this process serves, whatever a later configuration says: changing it takes a restart.
        self._place = place = config.milter.socket
        parent = os.getppid()
        self._waker = PoolWaker(
            poke=lambda: connect(place, _POKE_TIMEOUT).close(),
            steps=lambda: callbacks.steps,
            processes=context.workers,
            spare=lambda: spare_threads(context.workers, parent),
            limit_reached=self._log_limit,
        )
        self._lost_connections = LostConnections(place, self._waker)
        self._service = Service(
            config=config,
            check_runner=self._dns_thread.check_runner,
            record=self._record,
            today=date.today,
            clock=time.monotonic,
            hostname=socket.gethostname(),
            wait=self._waker.wait,
            events=SessionEvents(counters.waited_for, counters.waited, counters.judged),
        )
        self._servers = loaded.servers
        self._system_servers = SystemNameservers()
        self._limit_logged = float("-inf")
        self._libmilter_has_ended = False
        self._has_failed = False
        self._garbage = GarbageCollector()
        # Opened now, because there may be no descriptor left later.
        self._dead_listener = _dead_listener()
        self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._confirm_config(loaded)

    def run(self) -> None:
        """Serve until TERM, or until the parent or libmilter has ended. Then end the process."""
        pin_to_core(self._context.number, self._context.workers)
        use_one_heap()
        gc.disable()
        wakeup, channel = self._take_signals(), self._context.channel.fileno()
        sys.excepthook = self._handle_uncaught
        self._callbacks.attach(self._service, self._place, self._report_error, QuickAcks(self._place))
        with self._dns_thread:
            libmilter = serve(self._note_libmilter_end)
            self._dns_thread.loop.call_soon_threadsafe(self._heartbeat)
            self._waker.start()
            self._watch(wakeup, channel)
            if not self._libmilter_has_ended:
                self._drain(libmilter)
        self._sink.flush(1.0)
        os._exit(1 if self._libmilter_has_ended or self._has_failed else 0)

    def _watch(self, wakeup: int, channel: int) -> None:
        """Do what the main thread has to do until the worker has to leave."""
        while not self._libmilter_has_ended:
            ready, _, _ = select.select([wakeup, self._context.lifeline, channel], [], [], HEARTBEAT)
            if self._context.lifeline in ready:
                return
            self._waker.poke_for(count_accepted(self._place) - len(self._callbacks.open))
            received = os.read(wakeup, 64) if wakeup in ready else b""
            if channel in ready:
                self._receive_config()
            self._shut_lost_connections()
            if self._has_failed or signal.SIGTERM in received or signal.SIGINT in received:
                return

    def _take_signals(self) -> int:
        """Return a pipe from which the main thread reads the numbers of signals as bytes."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        handled = (signal.SIGTERM, signal.SIGINT)
        for number in (*handled, _INTERRUPT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*handled, signal.SIGHUP, signal.SIGCHLD))
        return reading

    def _handle_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Handle an exception for which pymilter could not call a callback. Bytes that are not UTF-8 are not logged: any client
        could fill the log with them."""
        if isinstance(error, UnicodeDecodeError):
            self._callbacks.undecodable(error.object)
        else:
            self._report_error("pymilter", error)

    def _note_libmilter_end(self) -> None:
        self._libmilter_has_ended = True

    def _heartbeat(self) -> None:
        """Tell the parent that the event loop is alive, and do what is due once a second. Runs on the loop, because without it a
        worker is of no use."""
        self._tell_parent("alive")
        outstanding = self._dns_thread.resolver.outstanding
        self._garbage.run(is_idle=not outstanding and not self._callbacks.busy)
        self._counters.heartbeat(self._dns_thread.loop.time())
        self._counters.set_gauges(outstanding, len(self._callbacks.open))
        self._log_alarm(self._alarms.check_clock(time.time(), time.monotonic()))
        for alarm in self._counters.congestion.due_alarms(time.monotonic()):
            self._log_alarm(alarm)
        self._check_resolv_conf()
        self._dns_thread.loop.call_later(HEARTBEAT, self._heartbeat)

    def _check_resolv_conf(self) -> None:
        """Use the system's new name servers if resolv.conf has changed. The parent logs the change, or why the servers cannot be
        used."""
        config = self._service.config
        with suppress(NoNameservers):
            servers = self._system_servers.poll(config.dns.nameservers)
            if servers is not None and servers != self._servers:
                self._servers = servers
                self._dns_thread.reconfigure(config, servers)

    def _resolver_events(self, counters: Counters) -> ResolverEvents:
        return ResolverEvents(
            server_changed=self._server_changed,
            query_done=counters.query_done,
            cache_hit=counters.cache_hit,
            joined=counters.joined,
            crowded_out=counters.crowded_out,
            zone_skipped=counters.zone_skipped,
        )

    def _server_changed(self, server: Endpoint, status: Status) -> None:
        self._tell_parent(f"{status} {server}")

    def _tell_parent(self, message: str) -> None:
        with suppress(OSError):
            self._context.channel.send(f"{message}\n".encode())

    def _confirm_config(self, loaded: LoadedConfig) -> None:
        """Tell the parent which configuration this worker uses."""
        self._counters.set_config(loaded.number)
        self._tell_parent(f"config {loaded.number} {loaded.config.policy.digest}")

    def _receive_config(self) -> None:
        """Adopt the configuration that the parent sends. If that fails, this worker has to be replaced: no worker may judge by an
        old one."""
        os.close(self._spare_fd)
        memories: list[int] = []
        try:
            message, memories, _, _ = socket.recv_fds(self._context.channel, _MAX_MESSAGE, _MAX_DESCRIPTORS)
            if message:  # else the parent has ended, which the lifeline tells as well
                self._adopt(read(memories[-1]))
        except BlockingIOError:
            pass
        except Exception as error:  # noqa: BLE001 - a new worker will do better, whatever it is
            self._has_failed = True
            self._sink.write(f"worker cannot adopt the new config and will be replaced: {ascii(error)[:300]}", "err")
        finally:
            for memory in memories:
                os.close(memory)
            with suppress(OSError):
                self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _adopt(self, loaded: LoadedConfig) -> None:
        self._counters.load_rules()
        self._service.config = loaded.config
        self._servers = loaded.servers
        self._system_servers = SystemNameservers()
        self._dns_thread.reconfigure(loaded.config, loaded.servers)
        self._confirm_config(loaded)

    def _drain(self, libmilter: threading.Thread) -> None:
        """Stop accepting connections, and let messages end within the deadline. A message may still begin on a connection that has
        just been accepted."""
        os.dup2(self._dead_listener.fileno(), self._context.listener)
        # Otherwise its poll would keep the old listener for some seconds, and connections in the queue there would wait in vain.
        signal.pthread_kill(libmilter.ident or 0, _INTERRUPT)
        ends = time.monotonic() + self._service.config.milter.deadline
        idle_ends = 0.0
        while (now := time.monotonic()) < ends:
            if self._callbacks.busy or not idle_ends:
                idle_ends = now + _IDLE_GRACE
            elif now > idle_ends or not count_accepted(self._place):
                break
            time.sleep(_DRAIN_TICK)

    def _record(self, decision: Decision) -> None:
        """Count a decision and log it, if log.decisions wants it."""
        verdict = decision.verdict
        self._counters.decided(verdict, decision.evidence)
        with self._alarms_lock:
            alarm = self._alarms.decided(decision.evidence, time.monotonic())
        self._log_alarm(alarm)
        log = self._service.config.log
        wanted = LOGGED[log.decisions]
        if wanted is None or verdict.action in wanted or not wanted.isdisjoint(verdict.would):
            self._sink.write(line(decision, log.format))

    def _log_alarm(self, alarm: Alarm | None) -> None:
        """Log an alarm, unless another worker has logged it already."""
        if alarm is not None and self._counters.count_alarm(alarm):
            self._sink.write(f"{alarm.name}: {with_help(alarm.name, alarm.text)}", "warning")

    def _shut_lost_connections(self) -> None:
        """Shut down connections that libmilter does not serve. They show that the worker is short of threads, so it has to be
        replaced."""
        lost = self._lost_connections.shut_down()
        if lost:
            self._has_failed = True
            self._sink.write(
                f"libmilter could not start a thread for {lost} connections: they are closed, and this worker is"
                " replaced. Raise the limits on threads (TasksMax=, ulimit -u, ulimit -v)",
                "err",
            )

    def _log_limit(self, limit: int) -> None:
        """Log that a session may not wait for DNS, at most once a minute."""
        now = time.monotonic()
        if now < self._limit_logged + _LOG_INTERVAL:
            return
        self._limit_logged = now
        self._sink.write(
            f"{limit} sessions wait for DNS, and no more threads can be started: further clients are judged by what is"
            " known, and none is refused because of that. Raise the limits on threads (TasksMax=, ulimit -u, ulimit -v)",
            "warning",
        )

    def _report_error(self, where: str, error: BaseException) -> None:
        """Count and log a bug, with its place in the code."""
        self._counters.internal_error()
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
        self._sink.write(f"internal error in {where} at {place}: {ascii(error)[:300]}; please report it", "err")


def _dead_listener() -> socket.socket:
    """Return a listening socket to which no process can connect, because its abstract name is not known (unix(7), autobind)."""
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    dead.bind("")
    dead.listen(1)
    return dead
