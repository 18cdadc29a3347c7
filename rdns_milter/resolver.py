"""DNS for real: concurrent, coalesced, cached, bounded. With message.py the only one that knows dnspython.

Answers questions; never decides what an answer means for a client. No error of DNS leaves it as anything but an Answer
with a status. Lives on the event loop's thread, takes the loop's clock, keeps all state in its objects.

RFC 1035, 2308 (negative answers and failures are remembered, 7.1), 5452, 8767 5 (upper bound of what is remembered).
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .cache import Cache
from .channel import Channels
from .endpoints import Endpoint
from .flight import GROWTH, Flight, Try
from .health import Health
from .lookup import TEMPORARY, Answer, Question
from .message import Reading
from .tally import Tally

PROBE = 1.0  # seconds from one probe of a silent server to the next
FAILURE_TTL = 30.0  # seconds for which a dead zone is not asked again
MAX_CHASE = 8  # CNAMEs followed from answer to answer
_QUEUE = 10  # questions that may wait for a place, for each that may be under way
_FAILURES = 10_000  # entries
_OCTETS = 1024  # of memory, for each entry that the cache may have
_OVERHEAD = 400  # octets that an entry costs beside its text


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of DESIGN's section [dns]; times in seconds."""

    timeout: float = 2.0
    tries: int = 2
    cache_entries: int = 100_000
    cache_min_ttl: float = 5.0
    cache_max_ttl: float = 86_400.0
    negative_ttl: float = 300.0
    max_outstanding: int = 1000


class Resolver:
    """One engine of a worker: asks, remembers, and lets everyone with the same question wait for the same answer. `changed` is
    told when a server goes down or comes back."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        servers: Sequence[Endpoint],
        limits: Limits,
        changed: Callable[[Endpoint, bool], None] = lambda server, down: None,
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
        self._queue: list[tuple[float, int, Flight]] = []
        self._number = itertools.count()
        self._fills = False
        self._under_way = 0

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

    def fly(self, question: Question, until: float, waiter: Callable[[Answer], None] | None) -> bool:
        """See to it that the question is under way until then, and tell the waiter. True if it was already."""
        flight = self._flights.get(question)
        joined = flight is not None
        if flight is None:
            if self.is_down:
                if waiter is not None:
                    waiter(Answer(question, "resolver-down"))
                return False
            flight = self._flights[question] = self._flight(question)
        else:
            self._tally.joined()
        flight.until = max(flight.until, until)
        if waiter is not None:
            flight.waiters.append(waiter)
        if not joined:
            self._launch(flight)
        return joined

    def adopt(self, servers: Sequence[Endpoint], limits: Limits) -> None:
        """Ask other servers, within other bounds, from the next question on."""
        self._health = {server: self._health.get(server) or Health() for server in servers}
        self.limits = limits
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
        return Flight(self._channels, question, self._tries(), self._landed, self._heard)

    def _launch(self, flight: Flight) -> None:
        if self._under_way < self.limits.max_outstanding:
            self._under_way += 1
            flight.start()
            return
        # Whoever has begun first is helped first: what goes on with a check stands before what begins one.
        bisect.insort(self._queue, (flight.until, next(self._number), flight))
        if len(self._queue) > _QUEUE * self.limits.max_outstanding:
            _, _, last = self._queue.pop()
            self._tally.crowded_out()
            self._tell(last, Answer(last.question, "error"))

    def _tries(self) -> Iterator[Try]:
        """Each server in turn, `tries` rounds, each longer than the one before; those that are down are passed over while
        others are there. The last round goes without EDNS: some path or server may swallow it."""
        rounds = self.limits.tries
        for turn in range(rounds):
            for server, health in tuple(self._health.items()):
                if not health.down or self.is_down:
                    yield Try(server, self.limits.timeout * GROWTH**turn, edns=turn == 0 or turn < rounds - 1)

    def _heard(self, server: Endpoint, question: Question, answered: bool) -> None:
        health = self._health.get(server)
        if health is None:
            return  # a reload has taken it out
        if answered:
            if health.answered(question):
                self._failures.clear()  # they were the server's
                self._changed(server, False)
        elif health.unanswered(question):
            self._probe(server)

    def _probe(self, server: Endpoint) -> None:
        """Ask a server whether it is there; again and again while that is in doubt."""
        health = self._health.get(server)
        if health is None or server in self._probing:
            return
        self._probing.add(server)
        until = self.loop.time() + PROBE

        def heard(server: Endpoint, question: Question, answered: bool) -> None:
            if answered:
                self._heard(server, question, True)

        def landed(flight: Flight, reading: Reading) -> None:
            self._chasing.discard(flight)
            # An answer, even a bad one, has been heard by now.
            if reading.status == "timeout" and health.missed():
                self._changed(server, True)
                if self.is_down:
                    self._abandon()
            self.loop.call_at(until, again)

        def again() -> None:
            self._probing.discard(server)
            if health.in_doubt:
                self._probe(server)

        flight = Flight(self._channels, health.probe(), iter((Try(server, PROBE, True),)), landed, heard)
        self._chasing.add(flight)
        flight.start()

    def _abandon(self) -> None:
        """Nobody is there to answer: tell all who wait."""
        queued, self._queue = self._queue, []
        for _, _, flight in queued:
            self._tell(flight, Answer(flight.question, "resolver-down"))
        for flight in tuple(self._flights.values()):
            flight.give_up("resolver-down")

    def _landed(self, flight: Flight, reading: Reading) -> None:
        outcome = "cname" if reading.chase else reading.status
        self._tally.landed(flight.question.type, outcome, self.loop.time() - flight.started)
        if reading.chase:
            self._chase(flight, reading.chase)
            return
        self._make_room()
        ms = (self.loop.time() - flight.started) * 1000
        answer = Answer(flight.question, reading.status, reading.values, self._ttl(reading), ms)
        self._remember(answer)
        self._tell(flight, answer)

    def _make_room(self) -> None:
        self._under_way -= 1
        if self._fills:
            return  # a flight that could not even start: the loop below goes on with the next
        self._fills, now = True, self.loop.time()
        try:
            while self._queue and self._under_way < self.limits.max_outstanding:
                _, _, flight = self._queue.pop(0)
                if flight.until <= now:
                    self._tell(flight, Answer(flight.question, "deadline"))
                    continue
                self._under_way += 1
                flight.start()
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
            flight.chased = further.chased
            self._landed(flight, reading)

        flight.chased += 1
        further = Flight(self._channels, question, self._tries(), landed, self._heard)
        further.chased = flight.chased
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
