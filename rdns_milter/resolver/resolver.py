"""Resolve DNS questions: concurrent, coalesced, cached, and bounded.

Answers questions; never decides what an answer means for a client. Every error of DNS is an Answer with a status of its own. Runs
on the event loop's thread, uses the loop's clock, and keeps all state in its objects.

RFC 1035, RFC 2308 (negative answers and failures are cached, 7.1), RFC 5452.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ..net.endpoints import Endpoint
from .admission.fair_queue import FairQueue, Ticket
from .admission.requester import ANONYMOUS, Requester, sender_of
from .admission.shares import LEAST, capacity
from .admission.silent_zones import SilentZones
from .cache import ANSWER_OVERHEAD, ENTRY_BYTES, MAX_FAILURES, Cache, answer_lifetime
from .events import NO_EVENTS, ResolverEvents
from .limits import MAX_ALIASES, ResolverLimits
from .lookup import Answer, Question
from .query import Attempt, Query
from .reading import Reading
from .servers.pool import ServerPool
from .transport.sockets import SocketPool
from .transport.timers import Timeouts

Waiter = Callable[[Answer], None]


class Resolver:
    """The resolver of a process. Equal questions that are asked at the same time share one query. `deadlines`: the timers of the
    checks that wait for answers; they go on when the resolver is closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        servers: Sequence[Endpoint],
        limits: ResolverLimits,
        events: ResolverEvents = NO_EVENTS,
    ) -> None:
        self.loop = loop
        self.limits = limits
        self.deadlines = Timeouts(loop)
        self._events = events
        self._cache: Cache[Question, Answer] = Cache(limits.cache_entries, limits.cache_entries * ENTRY_BYTES)
        self._failures: Cache[Question, Answer] = Cache(MAX_FAILURES, MAX_FAILURES * ENTRY_BYTES)
        self._sockets = SocketPool(loop)
        self._servers = ServerPool(self._sockets, servers, events, self._forget_failures, self._end_all)
        self._queries: dict[Question, Query] = {}
        self._alias_queries: set[Query] = set()
        self._queue: FairQueue[Query] = FairQueue(capacity(limits.max_outstanding))
        self._is_starting_queued = False
        self._silent_zones = SilentZones()

    @property
    def is_down(self) -> bool:
        """Whether no server answers."""
        return self._servers.are_down

    @property
    def outstanding(self) -> int:
        """The number of queries that are under way or wait for a place."""
        return len(self._queries)

    def cached(self, question: Question) -> Answer | None:
        """Return the answer from the cache, with the rest of its TTL; None if there is none."""
        now = self.loop.time()
        kept = self._cache.get(question, now) or self._failures.get(question, now)
        if kept is None:
            return None
        self._events.cache_hit()
        expires, answer = kept
        return Answer(question, answer.status, answer.values, expires - now, 0.0, True)

    def submit(self, question: Question, deadline: float, waiter: Waiter, requester: Requester = ANONYMOUS) -> bool:
        """Send a query, or join an equal one that has no answer yet. The query counts for the requester. The waiter is called with
        the answer, perhaps before this returns, unless it is withdrawn. After the deadline the query is not sent any more. Return
        True if an equal query was joined."""
        query = self._queries.get(question)
        if query is not None:
            self._events.joined()
            query.deadline = max(query.deadline, deadline)
            query.waiters.append(waiter)
            query.low_priority = query.low_priority and requester.low_priority
            if query.is_queued:
                self._enter(query, requester)
            return True
        if self.is_down:
            waiter(Answer(question, "resolver-down"))
            return False
        if self._silent_zones and self._silent_zones.covers(question.name, self.loop.time()):
            self._events.zone_skipped()
            waiter(Answer(question, "timeout"))
            return False
        query = self._queries[question] = self._create(question)
        query.deadline = deadline
        query.low_priority = requester.low_priority
        query.waiters.append(waiter)
        self._enter(query, requester)
        return False

    def withdraw(self, question: Question, waiter: Waiter) -> None:
        """Remove a waiter. A queued query without waiters is dropped. One that is under way gets no further attempt; if its answer
        arrives, it is cached."""
        query = self._queries.get(question)
        if query is None or waiter not in query.waiters:
            return
        query.waiters.remove(waiter)
        if not query.waiters and query.is_queued:
            self._drop_tickets(query)
            del self._queries[question]

    def count_if_queued(self, question: Question, requester: Requester) -> None:
        """Count the question as crowded out if it is still queued, now that the requester stops waiting."""
        query = self._queries.get(question)
        if query is not None and query.is_queued:
            self._events.crowded_out(requester.client, requester.sender)

    def run_in_turn(self, job: Callable[[], None]) -> None:
        """Run a job of low priority: after all other work, one in each iteration of the loop."""
        self._sockets.low_priority.add(job)

    def reconfigure(self, servers: Sequence[Endpoint], limits: ResolverLimits) -> None:
        """Use these servers and limits from the next query on."""
        self._servers.replace(servers)
        self.limits = limits
        self._queue.capacity = capacity(limits.max_outstanding)
        self._cache.max_entries = limits.cache_entries
        self._cache.max_bytes = limits.cache_entries * ENTRY_BYTES

    def close(self) -> None:
        """Close all sockets and cancel all timers. No waiter is called any more."""
        for query in (*self._queries.values(), *self._alias_queries):
            query.cancel()
        self._queries.clear()
        self._queue.clear()
        self._servers.close()
        self._sockets.close()

    def _create(self, question: Question) -> Query:
        return Query(self._sockets, question, self._attempts(question), self._on_done, self._servers.on_status)

    def _attempts(self, question: Question) -> Iterator[Attempt]:
        return self._servers.attempts(self.limits.timeout, self.limits.tries, lambda: self._makes_way(question))

    def _makes_way(self, question: Question) -> bool:
        """Return whether a query must stop after a round of attempts. It must if other queries wait for a place, and a client
        that waits for this one holds more than LEAST places."""
        query = self._queries.get(question)
        tickets = query.tickets if query is not None and self._queue.waiting else ()
        return any(self._queue.held_by(ticket.client) > LEAST for ticket in tickets)

    def _enter(self, query: Query, requester: Requester) -> None:
        """Start the query, or queue it. If several clients wait for one query, it is started in the first turn of any of them."""
        ticket = Ticket(requester.client, partial(requester.owners_of, query.question.name), query)
        if self._queue.enter(ticket):
            self._start(ticket)
            return
        query.tickets.append(ticket)
        evicted = self._queue.overflow(requester.client)
        if evicted is not None:
            evicted.task.tickets.remove(evicted)
            self._events.crowded_out(evicted.client, sender_of(evicted.owners))
            if not evicted.task.tickets:
                self._deliver(evicted.task, Answer(evicted.task.question, "error"))

    def _start(self, ticket: Ticket[Query]) -> None:
        query = ticket.task
        self._drop_tickets(query)
        query.tickets.append(ticket)
        query.is_queued = False
        query.start()

    def _start_queued(self) -> None:
        """Start queued queries as long as there are free places."""
        if self._is_starting_queued:
            return  # a query ended while it was started; the loop below goes on
        self._is_starting_queued, now = True, self.loop.time()
        try:
            while (ticket := self._queue.next()) is not None:
                if ticket.task.deadline > now:
                    self._start(ticket)
                    continue
                self._queue.leave(ticket)
                self._drop_tickets(ticket.task)
                self._deliver(ticket.task, Answer(ticket.task.question, "deadline"))
        finally:
            self._is_starting_queued = False

    def _drop_tickets(self, query: Query) -> None:
        for ticket in query.tickets:
            self._queue.withdraw(ticket)
        query.tickets.clear()

    def _free_places(self, query: Query) -> None:
        for ticket in query.tickets:
            self._queue.leave(ticket)
        query.tickets.clear()
        if self._queue.waiting:
            self._start_queued()

    def _on_done(self, query: Query, reading: Reading) -> None:
        outcome = "cname" if reading.chase else reading.status
        self._events.query_done(query.question.type, outcome, self.loop.time() - query.started)
        if not query.aliases:
            self._note_zone(query.question, reading, query.started)
        if reading.chase and query.waiters:
            self._follow_alias(query, reading.chase)
            return
        self._free_places(query)
        ms = (self.loop.time() - query.started) * 1000
        answer = Answer(query.question, reading.status, reading.values, answer_lifetime(reading, self.limits), ms)
        if query.waiters or not (answer.temporary or reading.chase):
            self._store(answer)  # a failure is cached only if all attempts were made
        self._deliver(query, answer)

    def _note_zone(self, question: Question, reading: Reading, began: float) -> None:
        """Learn which zones are silent. A time-out counts only while the servers answer other queries."""
        if reading.status in ("ok", "nxdomain", "nodata"):
            if self._silent_zones:
                self._silent_zones.answered(question.name)
        elif reading.status == "timeout" and self.loop.time() - self._servers.last_answer < self.limits.timeout:
            self._silent_zones.unanswered(question.name, began, self.loop.time())

    def _follow_alias(self, query: Query, name: str) -> None:
        """Send a query for the name to which a CNAME leads. It takes over the place of the query that found the CNAME. It is not
        coalesced, because two CNAMEs that lead to each other would wait for each other."""
        if query.aliases >= MAX_ALIASES:
            self._on_done(query, Reading("error"))
            return
        question = Question(name, query.question.type)

        def on_done(further: Query, reading: Reading) -> None:
            self._alias_queries.discard(further)
            self._note_zone(question, reading, further.started)
            query.aliases = further.aliases
            self._on_done(query, reading)

        query.aliases += 1
        further = Query(self._sockets, question, self._attempts(query.question), on_done, self._servers.on_status)
        further.aliases = query.aliases
        further.low_priority = query.low_priority
        further.waiters = query.waiters
        self._alias_queries.add(further)
        further.start()

    def _deliver(self, query: Query, answer: Answer) -> None:
        self._queries.pop(query.question, None)
        for waiter in query.waiters:
            waiter(answer)
        query.waiters.clear()

    def _forget_failures(self) -> None:
        """Forget failures that may have been the servers' fault."""
        self._failures.clear()
        self._silent_zones.clear()

    def _end_all(self) -> None:
        """Answer all questions, now that no server is left."""
        self._queue.clear()
        for query in tuple(self._queries.values()):
            if query.is_queued:
                self._deliver(query, Answer(query.question, "resolver-down"))
            else:
                query.end("resolver-down")

    def _store(self, answer: Answer) -> None:
        if answer.status in ("deadline", "resolver-down"):
            return
        cache = self._failures if answer.temporary else self._cache
        size = ANSWER_OVERHEAD + len(answer.question.name) + sum(len(value) + 60 for value in answer.values)
        cache.put(answer.question, answer, self.loop.time() + answer.ttl, size)
