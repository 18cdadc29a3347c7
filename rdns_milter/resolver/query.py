"""One DNS query: sent to one name server after the other until one of them has answered it.

Knows neither the cache nor checks. Ends exactly once, with a Reading, whatever the network does, and then holds no socket and no
timer. Runs on the event loop's thread.

RFC 7766 (TCP after a truncated response), RFC 1035 4.2.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from ..net.endpoints import Endpoint
from .admission.fair_queue import Ticket
from .lookup import Answer, Question, Status
from .reading import Reading
from .transport.sockets import SocketPool, UdpSocket, exchange
from .transport.timers import Timeout
from .wire import BadName, EncodedQuery, decode, encode

_LARGE = 4096  # bytes; a larger response is parsed in a thread, so that it does not delay others


class Attempt(NamedTuple):
    """One attempt: the server, the seconds that it gets, and whether the query has EDNS."""

    server: Endpoint
    seconds: float
    edns: bool


OnDone = Callable[["Query", Reading], None]
OnStatus = Callable[[Endpoint, Question, Status], None]

UNREACHABLE: Status = "resolver-down"  # status of a server to which nothing can be sent
# Socket errors of this host: out of descriptors, memory, ports or buffers. All others concern the path to the server.
_OWN_ERRORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN))


class Query:
    """A query, which may be under way. `on_done` is called once, with the result, unless the query is cancelled; `on_status` is
    called for each attempt, with the status of the server's response, "timeout" or UNREACHABLE.

    The rest is for the resolver. `waiters`: callbacks for the answer; without any, no further attempt is made. `deadline`: the time
    at which the last waiter stops waiting. `aliases`: the number of CNAMEs that led to this question. `tickets`: requests for a
    place. `is_queued`: the query has no place yet. `low_priority`: responses are read one at a time, when there is no other
    work."""

    __slots__ = (
        "_attempts", "_is_done", "_last_status", "_loop", "_on_done", "_on_status", "_sent", "_sockets", "_task", "_timer",
        "aliases", "deadline", "is_queued", "low_priority", "question", "started", "tickets", "waiters",
    )  # fmt: skip

    def __init__(
        self,
        sockets: SocketPool,
        question: Question,
        attempts: Iterator[Attempt],
        on_done: OnDone,
        on_status: OnStatus,
    ) -> None:
        self.question = question
        self.waiters: list[Callable[[Answer], None]] = []
        self.started = sockets.loop.time()
        self.deadline = self.started
        self.aliases = 0
        self.low_priority = False
        self.tickets: list[Ticket[Query]] = []
        self.is_queued = True
        self._sockets = sockets
        self._loop = sockets.loop
        self._attempts = attempts
        self._on_done = on_done
        self._on_status = on_status
        self._sent: list[tuple[UdpSocket, int]] = []
        self._timer: Timeout | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_status: Status = "timeout"
        self._is_done = False

    def start(self) -> None:
        """Make the first attempt."""
        self._try_next()

    def end(self, status: Status) -> None:
        """End the query now, with this status."""
        self._end(Reading(status))

    def cancel(self) -> None:
        """Release everything that the query holds. `on_done` will not be called."""
        self._is_done = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock, ident in self._sent:
            sock.release(ident)
        self._sent.clear()
        if self._task is not None and self._task is not asyncio.current_task(self._loop):
            self._task.cancel()

    def _try_next(self) -> None:
        """Make the next attempt, or end if there is none left. Earlier attempts stay open: a late response is accepted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for attempt in self._attempts if self.waiters else ():
            if self._send(attempt):
                self._timer = self._sockets.timeouts.start(attempt.seconds, partial(self._on_timeout, attempt.server))
            if self._is_done or self._timer is not None:
                return
        self._end(Reading(self._last_status))

    def _send(self, attempt: Attempt) -> bool:
        """Send the query. Return whether it could be sent."""
        query: EncodedQuery

        def on_response(wire: bytes | None) -> None:
            if wire is not None and self.low_priority:
                self._sockets.low_priority.add(partial(read, wire))
            else:
                read(wire)

        def read(wire: bytes | None) -> None:
            if self._is_done:
                return
            # A late response to an earlier attempt that is no answer must not end the current attempt.
            is_latest = self._sent[-1:] == [(sock, ident)]
            if wire is None:
                self._on_unreachable(attempt.server, is_latest)
            else:
                self._on_reading(decode(wire, query, over_tcp=False), attempt, is_latest)

        try:
            sock = self._sockets.to(attempt.server)
        except OSError as error:
            self._on_send_error(attempt.server, error)
            return False
        ident = sock.reserve(on_response)
        self._sent.append((sock, ident))
        try:
            query = encode(self.question, attempt.edns, ident)
            sock.send(query.wire)
        except BadName:
            self._end(Reading("bad-name"))
            return False
        except OSError as error:
            self._on_send_error(attempt.server, error)
            return False
        return True

    def _on_send_error(self, server: Endpoint, error: OSError) -> None:
        """Note why the query could not be sent: an error of this host, or the server cannot be reached."""
        if error.errno in _OWN_ERRORS:
            self._last_status = "error"
            return
        self._last_status = "timeout"
        self._on_status(server, self.question, UNREACHABLE)

    def _on_unreachable(self, server: Endpoint, is_latest: bool) -> None:
        """Stop waiting for this server, which cannot be reached."""
        self._on_status(server, self.question, UNREACHABLE)
        if is_latest:
            self._last_status = "timeout"
            self._try_next()

    def _on_timeout(self, server: Endpoint) -> None:
        self._on_status(server, self.question, "timeout")
        self._last_status = "timeout"
        self._try_next()

    def _on_reading(self, reading: Reading | None, attempt: Attempt, is_latest: bool = True) -> None:
        """Process a response. One that is no answer to this query is ignored, for it may be forged."""
        if self._is_done or reading is None:
            return
        self._on_status(attempt.server, self.question, reading.status)
        if reading.truncated and not self.waiters:
            self._end(Reading("error"))
        elif reading.truncated:
            self._start_tcp(attempt)
        elif reading.status in ("ok", "nxdomain", "nodata", "bogus"):
            self._end(reading)
        elif not is_latest:
            return
        elif reading.without_edns and attempt.edns:
            self._last_status = reading.status
            self._send(attempt._replace(edns=False))
        else:
            self._last_status = reading.status
            self._try_next()

    def _start_tcp(self, attempt: Attempt) -> None:
        if self._task is None:
            if self._timer is not None:
                self._timer.cancel()
            self._task = self._loop.create_task(self._try_tcp(attempt))

    async def _try_tcp(self, attempt: Attempt) -> None:
        """Get the whole response by TCP. On trouble make the next attempt."""
        reading: Reading | None = None
        trouble: Status = "error"
        try:
            async with asyncio.timeout(attempt.seconds):
                reading = await self._exchange(attempt)
        except TimeoutError:
            trouble = "timeout"
        except (OSError, EOFError):
            pass
        self._task = None
        if self._is_done:
            return
        if reading is None:
            self._last_status = trouble
            self._try_next()
        else:
            self._on_reading(reading, attempt)

    async def _exchange(self, attempt: Attempt) -> Reading | None:
        query = encode(self.question, attempt.edns, self._sockets.ids.next())
        wire = await exchange(self._loop, attempt.server, query.wire)
        if len(wire) > _LARGE:
            return await self._loop.run_in_executor(None, decode, wire, query, True)
        return decode(wire, query, over_tcp=True)

    def _end(self, reading: Reading) -> None:
        if self._is_done:
            return
        self.cancel()
        self._on_done(self, reading)
