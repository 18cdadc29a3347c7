"""A worker process: four kinds of thread, and a main thread that keeps an eye on them.

libmilter's threads serve the MTA, the kicker's keeps them coming, the engine's asks DNS, the main thread adopts a new
configuration that the parent hands over, or finishes what is under way and leaves. Never reads the configuration itself: all
workers judge by the same. Never stops libmilter, which would cut every session and might
remove the socket: it takes the listener away, waits, and ends the process.

PLATFORM 0.2 to 0.4.
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

from ..logs.decision import Decision, line
from ..logs.output import Sink
from ..monitoring.alarms import Alarm, Alarms
from ..monitoring.counters import Meter
from ..net.accepted_connections import count_accepted, shut_down, unread_bytes
from ..net.endpoints import Endpoint
from ..net.listener import connect
from ..policy.rules import REFUSALS, TAG, TEMPFAIL
from ..resolver.lookup import Status
from ..resolver.nameservers import NoNameservers, SystemNameservers
from ..session.dns_thread import Engine
from ..session.session import Service
from .callbacks import Callbacks, serve
from .memory import collect, pin, share_memory
from .pool_waker import Kicker
from .shared_config import LoadedConfig, read
from .thread_limits import spare_threads

BEAT = 1.0  # seconds between two signs of life to the parent
_AFTER_BUSY = 1.0  # seconds that connections without a message get to end by themselves
_TAP_SECONDS = 0.2
_MOMENT = 0.02  # seconds
_WAKE_UP = signal.SIGUSR2  # for a thread: interrupts the system call that it is in, and nothing else
_LOST = 3  # looks, a second apart, at which a connection has as much to read as before, and nobody reads it
_SAMPLES = 30  # looks in a row that are to make sure of it
_QUIET = 60.0  # seconds between two lines that say the same
_MAX_WORD = 64  # octets of what the parent says at once
_MAX_CONFIGS = 8  # that it may hand over with that
# Which actions (or would-be actions) each setting of log.decisions lets through.
_LOGGED = {
    "all": None,
    "not-accepted": frozenset((TAG, TEMPFAIL, *REFUSALS)),
    "refused": frozenset((TEMPFAIL, *REFUSALS)),
}


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands: the listener's descriptor, the channel to the parent, the pipe by whose end it knows that the parent
    is gone, its number, and how many workers there are."""

    listener: int
    channel: socket.socket
    parent: int
    number: int
    workers: int


class Worker:
    """One process's service. `run` never returns."""

    def __init__(
        self,
        loaded: LoadedConfig,
        callbacks: Callbacks,
        post: Post,
        sink: Sink,
        meter: Meter,
    ) -> None:
        config = loaded.config
        self._callbacks = callbacks
        self._post = post
        self._sink = sink
        self._meter = meter
        sink.lost = meter.dropped
        self._alarms = Alarms(time.time(), time.monotonic())
        self._alarms_lock = threading.Lock()
        self._engine = Engine(config, loaded.servers, self._bug, self._server_changed, meter)
        self._place = place = config.milter.socket
        parent = os.getppid()
        self._kicker = Kicker(
            tap=lambda: connect(place, _TAP_SECONDS).close(),
            steps=lambda: callbacks.steps,
            processes=post.workers,
            spare=lambda: spare_threads(post.workers, parent),
            crowded=self._crowded,
        )
        self._service = Service(
            config=config,
            finder=self._engine.finder,
            record=self._record,
            today=date.today,
            clock=time.monotonic,
            hostname=socket.gethostname(),
            wait=self._kicker.wait,
            waited=meter.waited,
            held=meter.held,
            judged=meter.judged,
        )
        self._servers = loaded.servers
        self._system_servers = SystemNameservers()
        self._quiet_until = 0.0
        self._given_up = False
        self._outdated = False
        self._unread: dict[int, tuple[int, int]] = {}
        self._lost = 0
        # Had from the start: later no descriptor may be left.
        self._nowhere = _dead_listener()
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._tell_config(loaded)

    def run(self) -> None:
        """Serve until TERM, or until the parent or libmilter is gone; then end the process."""
        pin(self._post.number, self._post.workers)
        share_memory()
        gc.disable()
        wake, channel = self._take_signals(), self._post.channel.fileno()
        sys.excepthook = self._untranslated
        self._callbacks.service = self._service
        self._callbacks.bug = self._bug
        with self._engine:
            libmilter = serve(self._libmilter_ended)
            self._engine.loop.call_soon_threadsafe(self._beat)
            self._kicker.start()
            while not self._given_up:
                ready, _, _ = select.select([wake, self._post.parent, channel], [], [], BEAT)
                if self._post.parent in ready:
                    break
                self._kicker.look_after(count_accepted(self._place) - len(self._callbacks.open))
                received = os.read(wake, 64) if wake in ready else b""
                if channel in ready and not self._take_config():
                    break
                if self._has_lost_connections():
                    break
                if signal.SIGTERM in received or signal.SIGINT in received:
                    break
            if not self._given_up:
                self._drain(libmilter)
        self._sink.flush(1.0)
        os._exit(1 if self._given_up or self._outdated or self._lost else 0)

    def _take_signals(self) -> int:
        """Signals as octets in a pipe that the main thread reads."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        taken = (signal.SIGTERM, signal.SIGINT)
        for number in (*taken, _WAKE_UP):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*taken, signal.SIGHUP, signal.SIGCHLD))
        return reading

    def _untranslated(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Take what pymilter prints of a callback that it could not make. Octets that are no UTF-8 are not logged, because each
        client could fill the log with them."""
        if isinstance(error, UnicodeDecodeError):
            self._callbacks.unreadable(error.object)
        else:
            self._bug("pymilter", error)

    def _libmilter_ended(self) -> None:
        self._given_up = True

    def _beat(self) -> None:
        """Tell the parent, again and again, that the event loop is alive: on the loop itself, for without it nothing else that
        lives is of any use."""
        self._tell_parent("alive")
        collect()
        self._meter.alive(self._engine.loop.time())
        self._meter.holds(self._engine.resolver.outstanding, len(self._callbacks.open))
        self._sound(self._alarms.looked(time.time(), time.monotonic()))
        for alarm in self._meter.congestion.looked(time.monotonic()):
            self._sound(alarm)
        self._look_at_resolv_conf()
        self._engine.loop.call_later(BEAT, self._beat)

    def _look_at_resolv_conf(self) -> None:
        """Ask the system's new name servers when resolv.conf has changed. The parent says so, and why if they are not usable."""
        config = self._service.config
        with suppress(NoNameservers):
            servers = self._system_servers.look(config.dns.nameservers)
            if servers is not None and servers != self._servers:
                self._servers = servers
                self._engine.adopt(config, servers)

    def _server_changed(self, server: Endpoint, status: Status) -> None:
        self._tell_parent(f"{status} {server}")

    def _tell_parent(self, word: str) -> None:
        with suppress(OSError):
            self._post.channel.send(f"{word}\n".encode())

    def _tell_config(self, loaded: LoadedConfig) -> None:
        """Tell by which configuration this worker judges."""
        self._meter.judges_by(loaded.number)
        self._tell_parent(f"config {loaded.number} {loaded.config.policy.digest}")

    def _take_config(self) -> bool:
        """Adopt the configuration that the parent hands over. False if that cannot be: another worker has to take our place, for
        nobody may judge by an old one."""
        os.close(self._spare)
        memories: list[int] = []
        try:
            word, memories, _, _ = socket.recv_fds(self._post.channel, _MAX_WORD, _MAX_CONFIGS)
            if not word:
                return True  # the parent is gone, and its pipe says the same
            self._adopt(read(memories[-1]))
        except BlockingIOError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever is wrong, a new worker will do better
            self._outdated = True
            self._sink.write(f"worker cannot adopt the configuration, and leaves: {ascii(error)[:300]}", "err")
        finally:
            for memory in memories:
                os.close(memory)
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return not self._outdated

    def _adopt(self, loaded: LoadedConfig) -> None:
        self._meter.adopt()
        self._service.config = loaded.config
        self._servers = loaded.servers
        self._system_servers = SystemNameservers()
        self._engine.adopt(loaded.config, loaded.servers)
        self._tell_config(loaded)

    def _drain(self, libmilter: threading.Thread) -> None:
        """Take no new connection, let messages under way come to their end, within the deadline: those too that begin now, of
        an MTA that has just been let in."""
        os.dup2(self._nowhere.fileno(), self._post.listener)
        # Its poll would hold the old listener for some seconds, and clients in the queue there would wait for nothing.
        signal.pthread_kill(libmilter.ident or 0, _WAKE_UP)
        until = time.monotonic() + self._service.config.milter.deadline
        idle_until = 0.0
        while (now := time.monotonic()) < until:
            if self._callbacks.busy or not idle_until:
                idle_until = now + _AFTER_BUSY
            elif now > idle_until or not count_accepted(self._place):
                break
            time.sleep(_MOMENT)

    def _record(self, decision: Decision) -> None:
        self._meter.decided(decision.verdict, decision.evidence)
        with self._alarms_lock:
            alarm = self._alarms.heard(decision.evidence, time.monotonic())
        self._sound(alarm)
        log = self._service.config.log
        wanted = _LOGGED[log.decisions]
        verdict = decision.verdict
        if wanted is None or verdict.action in wanted or not wanted.isdisjoint(verdict.would):
            self._sink.write(line(decision, log.format))

    def _sound(self, alarm: Alarm | None) -> None:
        """Tell the admin what seems to be wrong with the set-up: one worker, once; of floods each worker, again."""
        if alarm is not None and self._meter.alarmed(alarm):
            self._sink.write(f"{alarm.name}: {alarm.text}", "warning")

    def _has_lost_connections(self) -> bool:
        """Whether there are connections that libmilter does not serve, for want of a thread when they came: it never will. They are
        shut, so that the MTA need not wait, and a new worker has to take our place."""
        looks = {}
        for inode, octets in unread_bytes(self._place).items():
            before, seen = self._unread.get(inode, (octets, 0))
            looks[inode] = (octets, seen + 1 if octets == before else 1)
        self._unread = looks if self._kicker.is_anybody_idle() else {}
        left = [inode for inode, (_, seen) in self._unread.items() if seen >= _LOST]
        # A session that waits does not read either, when its MTA has gone.
        if len(left) <= self._kicker.waiting:
            return False
        left = self._still_unread(left)
        if len(left) <= self._kicker.waiting:
            return False
        self._lost = len(left)
        self._sink.write(
            f"{self._lost} connections got no thread of libmilter's and are cut: this worker leaves, and another takes its place."
            " See TasksMax=, and ulimit -u and -v",
            "err",
        )
        shut_down(self._place, left)
        return True

    def _still_unread(self, inodes: list[int]) -> list[int]:
        """Those of these where nothing at all is read: of a busy one there may have been as much to read at each look by chance."""
        for _ in range(_SAMPLES):
            if not inodes:
                break
            time.sleep(_MOMENT)
            octets = unread_bytes(self._place)
            inodes = [inode for inode in inodes if octets.get(inode) == self._unread[inode][0]]
        return inodes

    def _crowded(self, most: int) -> None:
        """A client's answer cannot be waited for: told once a minute."""
        now = time.monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + _QUIET
        self._sink.write(
            f"{most} sessions wait for DNS, and there are threads for no more: further clients are judged by what is known, and"
            " none is refused for it. See TasksMax=, and ulimit -u and -v",
            "warning",
        )

    def _bug(self, where: str, error: BaseException) -> None:
        """Something of ours is broken: one line for the admin, with the place in the code."""
        self._meter.failed()
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
        self._sink.write(f"internal error in {where} at {place}: {ascii(error)[:300]}; please report it", "err")


def _dead_listener() -> socket.socket:
    """A listener to which nobody will ever connect: its abstract name is known to nobody (unix(7), autobind)."""
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    dead.bind("")
    dead.listen(1)
    return dead
