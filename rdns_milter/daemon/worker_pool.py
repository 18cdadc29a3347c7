"""The workers as the parent sees them: started, heard, buried, replaced.

Never serves, never reads what a client sent; a worker that says nothing for long is killed, for nobody else would notice.

sysexits(3), PLATFORM 2.3.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from .worker import BEAT

# Seconds without a sign of life after which a worker is replaced: long, for a machine may be very busy.
_SILENT = 10 * BEAT
_SOON = 1.0  # seconds: a worker that ends sooner than this after its start is started anew with delay
_MIN_DELAY, _MAX_DELAY = 0.2, 10.0
_LONG = 1.0  # seconds: when it takes longer until the next worker comes, and none is left, MTAs are not to wait for it
_MAX_WORD = 4096  # octets of what a worker says at once
_NEW_CONFIG = b"c"  # goes with the descriptor of the memory

Say = Callable[[str, str], None]


@dataclass(slots=True)
class Child:
    """A worker. `number`: which of them it is, from 0; `channel`: the socket by which it speaks, and is handed configurations;
    `owed`: when it was to have one that it does not judge by yet, `sent`: whether it has been handed that; `down`: the name
    servers that do not answer it."""

    pid: int
    number: int
    began: float
    channel: socket.socket
    alive_at: float
    owed: float | None = None
    sent: bool = True
    heard: bytes = b""
    down: set[str] = field(default_factory=set)


class Crew:
    """So many workers. `be` is what one does with its number and its end of the channel: it never returns. `ended` is told the
    number of each that has ended."""

    def __init__(
        self, count: int, be: Callable[[int, socket.socket], None], ended: Callable[[int], None], say: Say
    ) -> None:
        self._be = be
        self._ended = ended
        self._say = say
        self._children: dict[int, Child] = {}
        self._delay = 0.0
        self._due = dict.fromkeys(range(count), time.monotonic())
        self._listened = 0.0
        self._memory = -1

    def __len__(self) -> int:
        return len(self._children)

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children.values())

    def pause(self) -> float:
        """Seconds until the next worker is due, or a sign of life is."""
        return min([BEAT, *(max(0.0, due - time.monotonic()) for due in self._due.values())])

    def is_gone_for_long(self) -> bool:
        """Nobody serves, and nobody will soon."""
        return not self._children and min(self._due.values()) - time.monotonic() > _LONG

    def due(self) -> list[int]:
        """Take the numbers of those whose time has come."""
        now = time.monotonic()
        numbers = [number for number, due in self._due.items() if due <= now]
        for number in numbers:
            del self._due[number]
        return numbers

    def start(self, number: int) -> None:
        """Start one; if that cannot be, it is due again later."""
        ends: tuple[socket.socket, ...] = ()
        try:
            ours, theirs = ends = socket.socketpair()
            pid = os.fork()
        except OSError as error:
            for end in ends:
                end.close()
            self._postpone(number, 0.0)
            self._say(f"cannot start a worker: {error.strerror}; next try in {self._delay:.1f} s", "err")
            return
        for end in ends:
            end.setblocking(False)
        if pid == 0:
            ours.close()
            self._be(number, theirs)
            os._exit(1)
        theirs.close()
        now = time.monotonic()
        self._children[pid] = Child(pid, number, now, ours, now)

    def let_go(self) -> None:
        """In a child: close what is the parent's alone."""
        for child in self._children.values():
            child.channel.close()

    def bury(self, pid: int, how: str) -> bool:
        """A child of the parent's has ended: whether it was a worker. It is replaced, at once, or with delay if it has not
        lasted."""
        child = self._children.pop(pid, None)
        if child is None:
            return False
        child.channel.close()
        lasted = time.monotonic() - child.began
        self._postpone(child.number, lasted)
        self._ended(child.number)
        after = f"after {lasted:.1f} s; next in {self._delay:.1f} s" if self._delay else "replaced"
        self._say(f"worker {pid} ended ({how}), {after}", "warning")
        return True

    def _postpone(self, number: int, lasted: float) -> None:
        """Say when the next worker is to come in the place of one that has lasted so many seconds."""
        self._delay = 0.0 if lasted > _SOON else min(_MAX_DELAY, max(_MIN_DELAY, self._delay * 2))
        self._due[number] = time.monotonic() + self._delay

    def listen(self, hear: Callable[[Child, str], None]) -> None:
        """Hear what the workers have to say, and have those replaced that have said nothing for long."""
        now = time.monotonic()
        we_were_away = now - self._listened > _SILENT / 2  # stopped, perhaps together with the workers
        self._listened = now
        for child in self._children.values():
            if we_were_away:
                child.alive_at = now
            try:
                octets = child.channel.recv(_MAX_WORD)
            except OSError:  # nothing, or it has just died
                octets = b""
            if octets:
                child.alive_at = now
                *words, rest = (child.heard + octets).split(b"\n")
                child.heard = rest[:_MAX_WORD]
                for word in words:
                    hear(child, word.decode("ascii", "replace"))
            if now - child.alive_at > _SILENT:
                self._replace(child, "gives no sign of life")
                child.alive_at = now
            self._see_to_config(child, now, we_were_away)

    def hand_over(self, memory: int) -> None:
        """Hand all of them the configuration that lies in that memory, as soon as they take it."""
        self._memory = memory
        now = time.monotonic()
        for child in self._children.values():
            child.owed, child.sent = now, False
            self._see_to_config(child, now, False)

    def judges_by(self, child: Child, told: str, wanted: str) -> None:
        """A worker has told by which configuration and policy it judges: the wanted one, or one that was overtaken."""
        if told == wanted:
            child.owed = None
        elif told.split(" ")[0] == wanted.split(" ")[0]:
            self._replace(child, f"judges by policy {told[:40]!a} instead of {wanted}")

    def _see_to_config(self, child: Child, now: float, we_were_away: bool) -> None:
        """Hand a worker the configuration that it is owed; replace one that does not adopt it."""
        if child.owed is None:
            return
        if we_were_away:
            child.owed = now
        if not child.sent:
            with suppress(OSError):  # its queue is full, or it has just died
                socket.send_fds(child.channel, [_NEW_CONFIG], [self._memory])
                child.sent = True
        if now - child.owed > _SILENT:
            self._replace(child, "does not adopt the configuration")
            child.owed = None

    def _replace(self, child: Child, why: str) -> None:
        self._say(f"worker {child.pid} {why}: killed", "err")
        os.kill(child.pid, signal.SIGKILL)

    def end(self, seconds: float) -> None:
        """Wait for all to leave; those that will not within so many seconds are killed."""
        until = time.monotonic() + seconds
        while self._children and time.monotonic() < until:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._children.pop(pid, None)
            else:
                signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
