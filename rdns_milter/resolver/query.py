"""One DNS question under way: sent to one name server after the other until one has answered it.

Knows neither cache nor check. Ends exactly once, with a Reading, whatever the network does, and then holds no socket and no
timer. Lives on the event loop's thread.

RFC 7766 (TCP when the answer was cut), RFC 1035 4.2.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ..net.endpoints import Endpoint
from .admission.fair_queue import Ticket
from .lookup import Answer, Question, Status
from .reading import Reading
from .transport import Channel, Channels, exchange
from .wire import BadName, Query, decode, encode

GROWTH = 1.5  # how much longer each further round over the servers is than the one before
_LARGE = 4096  # octets; larger answers are parsed in a thread, so that nobody waits for them


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: at whom, for how many seconds, and whether with EDNS."""

    server: Endpoint
    seconds: float
    edns: bool


Tries = Iterator[Try]
Landed = Callable[["Flight", Reading], None]
Heard = Callable[[Endpoint, Question, Status], None]

UNREACHABLE: Status = "resolver-down"  # what `heard` is told of a server to which nothing can be sent
# Errors of a socket that are this host's: no descriptor, memory, port or room is left. All others are about the way to the server.
_OWN_ERRORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN))


class Flight:
    """A question under way. `landed` is called once with what came of it; `heard` for each try, with the status of what the server
    said: "timeout" for silence, or UNREACHABLE. `waiters` are told the answer by the resolver: without any there is no further try;
    `until`: when the last of them gives up; `chased`: how many CNAMEs led here; `tickets`: the resolver's, for a place; `waits`:
    whether it has none yet; `behind`: answers are read when the loop has seen to all else, one at a time."""

    __slots__ = (
        "_asked", "_channels", "_closed", "_heard", "_landed", "_last", "_loop", "_task", "_timer", "_tries",
        "behind", "chased", "question", "started", "tickets", "until", "waiters", "waits",
    )  # fmt: skip

    def __init__(self, channels: Channels, question: Question, tries: Tries, landed: Landed, heard: Heard) -> None:
        self.question = question
        self.waiters: list[Callable[[Answer], None]] = []
        self.started = channels.loop.time()
        self.until = self.started
        self.chased = 0
        self.behind = False
        self.tickets: list[Ticket[Flight]] = []
        self.waits = True
        self._channels = channels
        self._loop = channels.loop
        self._tries = tries
        self._landed = landed
        self._heard = heard
        self._asked: list[tuple[Channel, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._last: Status = "timeout"
        self._closed = False

    def start(self) -> None:
        """Send the first try."""
        self._next()

    def _next(self) -> None:
        """The next try, or the end if there is none left. Earlier tries stay open: a late answer is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for attempt in self._tries if self.waiters else ():
            if self._send(attempt):
                self._timer = self._loop.call_later(attempt.seconds, self._silent, attempt.server)
            if self._closed or self._timer is not None:
                return
        self._end(Reading(self._last))

    def _send(self, attempt: Try) -> bool:
        """Whether the question went out."""
        query: Query

        def heard(wire: bytes | None) -> None:
            if wire is not None and self.behind:
                self._channels.behind.take(partial(read, wire))
            else:
                read(wire)

        def read(wire: bytes | None) -> None:
            if self._closed:
                return
            # What comes late of an earlier try, and is no answer, must not end the present one.
            is_latest = self._asked[-1:] == [(channel, ident)]
            if wire is None:
                self._unreachable(attempt.server, is_latest)
            else:
                self._take(decode(wire, query, over_tcp=False), attempt, is_latest)

        try:
            channel = self._channels.to(attempt.server)
        except OSError as error:
            self._not_sent(attempt.server, error)
            return False
        ident = channel.reserve(heard)
        self._asked.append((channel, ident))
        try:
            query = encode(self.question, attempt.edns, ident)
            channel.send(query.wire)
        except BadName:
            self._end(Reading("bad-name"))
            return False
        except OSError as error:
            self._not_sent(attempt.server, error)
            return False
        return True

    def _not_sent(self, server: Endpoint, error: OSError) -> None:
        """The question could not be sent: this host's own trouble, or the server cannot be reached."""
        if error.errno in _OWN_ERRORS:
            self._last = "error"
            return
        self._last = "timeout"
        self._heard(server, self.question, UNREACHABLE)

    def _unreachable(self, server: Endpoint, is_latest: bool) -> None:
        """There is no use in waiting for this server."""
        self._heard(server, self.question, UNREACHABLE)
        if is_latest:
            self._last = "timeout"
            self._next()

    def _take(self, reading: Reading | None, attempt: Try, is_latest: bool = True) -> None:
        """Make use of what one server said; what is no answer is as if it had not come (a forger's guess, say)."""
        if self._closed or reading is None:
            return
        self._heard(attempt.server, self.question, reading.status)
        if reading.truncated and not self.waiters:
            self._end(Reading("error"))
        elif reading.truncated:
            self._fetch_by_tcp(attempt)
        elif reading.status in ("ok", "nxdomain", "nodata", "bogus"):
            self._end(reading)
        elif not is_latest:
            return
        elif reading.without_edns and attempt.edns:
            self._last = reading.status
            self._send(replace(attempt, edns=False))
        else:
            self._last = reading.status
            self._next()

    def _silent(self, server: Endpoint) -> None:
        self._heard(server, self.question, "timeout")
        self._last = "timeout"
        self._next()

    def _fetch_by_tcp(self, attempt: Try) -> None:
        if self._task is None:
            if self._timer is not None:
                self._timer.cancel()
            self._task = self._loop.create_task(self._by_tcp(attempt))

    async def _by_tcp(self, attempt: Try) -> None:
        """The whole answer over TCP; on any trouble on to the next try."""
        reading: Reading | None = None
        trouble: Status = "error"
        try:
            async with asyncio.timeout(attempt.seconds):
                reading = await self._converse(attempt)
        except TimeoutError:
            trouble = "timeout"
        except (OSError, EOFError):
            pass
        self._task = None
        if self._closed:
            return
        if reading is None:
            self._last = trouble
            self._next()
        else:
            self._take(reading, attempt)

    async def _converse(self, attempt: Try) -> Reading | None:
        query = encode(self.question, attempt.edns, self._channels.ids.next())
        wire = await exchange(self._loop, attempt.server, query.wire)
        if len(wire) > _LARGE:
            return await self._loop.run_in_executor(None, decode, wire, query, True)
        return decode(wire, query, over_tcp=True)

    def give_up(self, status: Status) -> None:
        """End it now, with such a status."""
        self._end(Reading(status))

    def _end(self, reading: Reading) -> None:
        if self._closed:
            return
        self.cancel()
        self._landed(self, reading)

    def cancel(self) -> None:
        """Let go of all that it holds; `landed` will not be called."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for channel, ident in self._asked:
            channel.forget(ident)
        self._asked.clear()
        if self._task is not None and self._task is not asyncio.current_task(self._loop):
            self._task.cancel()
