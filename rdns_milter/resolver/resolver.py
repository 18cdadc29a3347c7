"""DNS for real: concurrent, coalesced, cached, bounded. With resolver/wire.py the only one that knows dnspython.

Answers questions; never decides what an answer means for a client. No error of DNS leaves it as anything but an Answer
with a status. Lives on the event loop's thread, takes the loop's clock, keeps all state in its objects.

RFC 1035, 2308 (negative answers and failures are remembered, 7.1), 5452, 8767 5 (upper bound of what is remembered).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..net.endpoints import Endpoint
from .admission.asker import LEAST, NOBODY, Asker, capacity, sender_of
from .admission.fair_queue import FairQueue, Ticket
from .admission.silent_zones import Silence
from .cache import Cache
from .lookup import TEMPORARY, UNRESOLVED, Answer, Question, Status
from .query import GROWTH, UNREACHABLE, Flight, Try
from .reading import Reading
from .server_health import Health
from .tally import Tally
from .transport import Channels

PROBE = 1.0  # seconds from one probe of a silent server to the next
FAILURE_TTL = 30.0  # seconds for which a dead zone is not asked again
MAX_CHASE = 8  # CNAMEs followed from answer to answer
_UNSERVED = frozenset(("timeout", UNREACHABLE)) | UNRESOLVED  # what a server that serves does not say to a probe
_FAILURES = 10_000  # entries
_OCTETS = 1024  # of memory, for each entry that the cache may have
_OVERHEAD = 400  # octets that an entry costs beside its text


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that the option section [dns] sets; times in seconds."""

    timeout: float = 2.0
    tries: int = 2
    cache_entries: int = 100_000
    cache_min_ttl: float = 5.0
    cache_max_ttl: float = 86_400.0
    negative_ttl: float = 300.0
    max_outstanding: int = 1000


class Resolver:
    """One engine of a worker: asks, remembers, and lets everyone with the same question wait for the same answer. `changed` is
    told when a server goes down, with the status that it was found with, or comes back, with "ok"."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        servers: Sequence[Endpoint],
        limits: Limits,
        changed: Callable[[Endpoint, Status], None] = lambda server, status: None,
        tally: Tally | None = None,
    ) -> None:
        self.loop = loop
        self._changed = changed
        self._health = {server: Health() for server in servers}
        self._probing: set[Endpoint] = set()
        self.limits = limits
        self._tally = tally or Tally()
        self._cache: Cache[Question, Answer] = Cache(limits.cache_entries, limits.cache_entries * _OCTETS)
        self._failures: Cache[Question, Answer] = Cache(_FAILURES, _FAILURES * _OCTETS)
        self._channels = Channels(loop)
        self._flights: dict[Question, Flight] = {}
        self._chasing: set[Flight] = set()
        self.put_behind = self._channels.behind.take  # work that comes after all else
        self._queue: FairQueue[Flight] = FairQueue(capacity(limits.max_outstanding))
        self._fills = False
        self._silence = Silence()
        self._heard_at = float("-inf")  # when a server last answered anything

    @property
    def is_down(self) -> bool:
        """Whether no server answers."""
        return all(health.down for health in self._health.values())

    @property
    def outstanding(self) -> int:
        """Questions that are under way or wait for a place."""
        return len(self._flights)

    def remembered(self, question: Question) -> Answer | None:
        """The answer out of memory, its `ttl` what is left of it; None if there is none."""
        now = self.loop.time()
        kept = self._cache.get(question, now) or self._failures.get(question, now)
        if kept is None:
            return None
        self._tally.remembered()
        ends, answer = kept
        return Answer(question, answer.status, answer.values, ends - now, 0.0, True)

    def fly(
        self, question: Question, until: float, waiter: Callable[[Answer], None] | None, asker: Asker = NOBODY
    ) -> bool:
        """See to it that the question is under way until then, on the asker's account, and tell the waiter. True if it was
        already."""
        flight = self._flights.get(question)
        waiter = waiter or _nobody
        if flight is not None:
            self._tally.joined()
            flight.until = max(flight.until, until)
            flight.waiters.append(waiter)
            flight.behind = flight.behind and asker.behind
            if flight.waits:
                self._launch(flight, asker)
            return True
        if self.is_down:
            waiter(Answer(question, "resolver-down"))
            return False
        if self._silence and self._silence.covers(question.name, self.loop.time()):
            self._tally.spared()
            waiter(Answer(question, "timeout"))
            return False
        flight = self._flights[question] = self._flight(question)
        flight.until = until
        flight.behind = asker.behind
        flight.waiters.append(waiter)
        self._launch(flight, asker)
        return False

    def leave(self, question: Question, waiter: Callable[[Answer], None] | None = None) -> None:
        """The waiter does not need the answer any more. A question that nobody waits for is not asked; if it is under way, its
        answer is remembered if one comes, but it is not asked again."""
        flight = self._flights.get(question)
        if flight is None or (waiter or _nobody) not in flight.waiters:
            return
        flight.waiters.remove(waiter or _nobody)
        if not flight.waiters and flight.waits:
            self._withdraw(flight)
            del self._flights[question]

    def given_up(self, question: Question, asker: Asker) -> None:
        """The asker has no more time, or has gone: whether the question had found a place by then is counted."""
        flight = self._flights.get(question)
        if flight is not None and flight.waits:
            self._tally.crowded_out(asker.client, asker.sender)

    def adopt(self, servers: Sequence[Endpoint], limits: Limits) -> None:
        """Ask other servers, within other bounds, from the next question on."""
        self._health = {server: self._health.get(server) or Health() for server in servers}
        self.limits = limits
        self._queue.capacity = capacity(limits.max_outstanding)
        self._cache.max_entries = limits.cache_entries
        self._cache.max_octets = limits.cache_entries * _OCTETS

    def close(self) -> None:
        """Let go of all sockets and timers; nobody is told any more."""
        for flight in (*self._flights.values(), *self._chasing):
            flight.cancel()
        self._flights.clear()
        self._queue.clear()
        self._channels.close()

    def _flight(self, question: Question) -> Flight:
        return Flight(self._channels, question, self._tries(question), self._landed, self._heard)

    def _launch(self, flight: Flight, asker: Asker) -> None:
        """Start the flight, or let it wait for its turn; for the second of two clients that want the same it may come earlier."""
        ticket = Ticket(asker.client, asker.owners_of(flight.question.name), flight)
        if self._queue.enter(ticket):
            self._start(ticket)
            return
        flight.tickets.append(ticket)
        turned_away = self._queue.overflow(asker.client)
        if turned_away is not None:
            last = turned_away.task
            last.tickets.remove(turned_away)
            self._tally.crowded_out(turned_away.client, sender_of(turned_away.owners))
            if not last.tickets:
                self._tell(last, Answer(last.question, "error"))

    def _start(self, ticket: Ticket[Flight]) -> None:
        flight = ticket.task
        self._withdraw(flight)
        flight.tickets.append(ticket)
        flight.waits = False
        flight.start()

    def _withdraw(self, flight: Flight) -> None:
        for ticket in flight.tickets:
            self._queue.withdraw(ticket)
        flight.tickets.clear()

    def _tries(self, question: Question) -> Iterator[Try]:
        """Each server in turn, `tries` rounds, each longer than the one before; those that are down are passed over while
        others are there. The last round goes without EDNS: some path or server may swallow it. While others wait for a place, a
        client with many has one round."""
        rounds = self.limits.tries
        for turn in range(rounds):
            if turn and self._makes_way(question):
                return
            for server, health in tuple(self._health.items()):
                if not health.down or self.is_down:
                    yield Try(server, self.limits.timeout * GROWTH**turn, edns=turn == 0 or turn < rounds - 1)

    def _makes_way(self, question: Question) -> bool:
        flight = self._flights.get(question)
        tickets = flight.tickets if flight is not None and self._queue.waiting else ()
        return any(self._queue.held_by(ticket.client) > LEAST for ticket in tickets)

    def _heard(self, server: Endpoint, question: Question, status: Status) -> None:
        health = self._health.get(server)
        if health is None:
            return  # a reload has taken it out
        if status in _UNSERVED:
            if health.unanswered(question, status):
                self._probe(server)
            return
        self._heard_at = self.loop.time()
        was_unreachable = health.fault == UNREACHABLE  # which no sender can bring about
        was_down = health.answered(question)
        if was_down or was_unreachable:
            self._failures.clear()  # they were the server's
            self._silence.clear()
        if was_down:
            self._changed(server, "ok")

    def _probe(self, server: Endpoint) -> None:
        """Ask a server whether it is there; again and again while that is in doubt."""
        health = self._health.get(server)
        if health is None or server in self._probing:
            return
        self._probing.add(server)
        until = self.loop.time() + PROBE

        def heard(server: Endpoint, question: Question, status: Status) -> None:
            if status not in _UNSERVED:
                self._heard(server, question, status)

        def landed(flight: Flight, reading: Reading) -> None:
            self._chasing.discard(flight)
            # An answer, even a bad one, has been heard by now.
            if reading.status in _UNSERVED and health.missed():
                self._changed(server, health.fault)
                if self.is_down:
                    self._abandon()
            self.loop.call_at(until, again)

        def again() -> None:
            self._probing.discard(server)
            if health.in_doubt:
                self._probe(server)

        flight = Flight(self._channels, health.probe(), iter((Try(server, PROBE, True),)), landed, heard)
        flight.waiters.append(_nobody)
        self._chasing.add(flight)
        flight.start()

    def _abandon(self) -> None:
        """Nobody is there to answer: tell all who wait."""
        self._queue.clear()
        for flight in tuple(self._flights.values()):
            if flight.waits:
                self._tell(flight, Answer(flight.question, "resolver-down"))
            else:
                flight.give_up("resolver-down")

    def _landed(self, flight: Flight, reading: Reading) -> None:
        outcome = "cname" if reading.chase else reading.status
        self._tally.landed(flight.question.type, outcome, self.loop.time() - flight.started)
        if not flight.chased:
            self._learn(flight.question, reading, flight.started)
        if reading.chase and flight.waiters:
            self._chase(flight, reading.chase)
            return
        self._make_room(flight)
        ms = (self.loop.time() - flight.started) * 1000
        answer = Answer(flight.question, reading.status, reading.values, self._ttl(reading), ms)
        if flight.waiters or not (answer.temporary or reading.chase):
            self._remember(answer)  # one try without an answer says too little
        self._tell(flight, answer)

    def _learn(self, question: Question, reading: Reading, began: float) -> None:
        """Which zones answer. Silence counts only while the servers answer other questions: else it may be theirs."""
        if reading.status in ("ok", "nxdomain", "nodata"):
            if self._silence:
                self._silence.answered(question.name)
        elif reading.status == "timeout" and self.loop.time() - self._heard_at < self.limits.timeout:
            self._silence.unanswered(question.name, began, self.loop.time())

    def _make_room(self, flight: Flight) -> None:
        for held in flight.tickets:
            self._queue.leave(held)
        flight.tickets.clear()
        if self._fills:
            return  # a flight that could not even start: the loop below goes on with the next
        self._fills, now = True, self.loop.time()
        try:
            while (ticket := self._queue.next()) is not None:
                if ticket.task.until > now:
                    self._start(ticket)
                    continue
                self._queue.leave(ticket)
                self._withdraw(ticket.task)
                self._tell(ticket.task, Answer(ticket.task.question, "deadline"))
        finally:
            self._fills = False

    def _chase(self, flight: Flight, name: str) -> None:
        """Ask on for the name behind a CNAME, in the place of the flight that met it. Not coalesced: two CNAMEs that point
        at each other would wait for each other."""
        if flight.chased >= MAX_CHASE:
            self._landed(flight, Reading("error"))
            return
        question = Question(name, flight.question.type)

        def landed(further: Flight, reading: Reading) -> None:
            self._chasing.discard(further)
            self._learn(question, reading, further.started)
            flight.chased = further.chased
            self._landed(flight, reading)

        flight.chased += 1
        further = Flight(self._channels, question, self._tries(flight.question), landed, self._heard)
        further.chased = flight.chased
        further.behind = flight.behind
        further.waiters = flight.waiters
        self._chasing.add(further)
        further.start()

    def _tell(self, flight: Flight, answer: Answer) -> None:
        self._flights.pop(flight.question, None)
        for waiter in flight.waiters:
            waiter(answer)
        flight.waiters.clear()

    def _ttl(self, reading: Reading) -> float:
        limits = self.limits
        if reading.status in TEMPORARY:
            return FAILURE_TTL
        longest = limits.cache_max_ttl if reading.status == "ok" else limits.negative_ttl
        return max(limits.cache_min_ttl, min(reading.ttl, longest))

    def _remember(self, answer: Answer) -> None:
        if answer.status in ("deadline", "resolver-down"):
            return
        memory = self._failures if answer.temporary else self._cache
        size = _OVERHEAD + len(answer.question.name) + sum(len(value) + 60 for value in answer.values)
        memory.put(answer.question, answer, self.loop.time() + answer.ttl, size)


def _nobody(answer: Answer) -> None:
    """Who asks ahead, and does not wait."""
