"""Responses for a check that sends more queries than an ordinary one are processed one at a time, with other work in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver import bounded_lookup
from rdns_milter.resolver.admission.requester import Requester
from rdns_milter.resolver.bounded_lookup import BoundedLookup
from rdns_milter.resolver.lookup import Answer, Question
from rdns_milter.resolver.query import Attempt, Query
from rdns_milter.resolver.transport.sockets import WorkQueue
from rdns_milter.resolver.transport.timers import Timeouts
from rdns_milter.resolver.wire import Ids


@dataclass
class FakeResolver:
    """A resolver that notes the priority of each question. `low_priority`: the priority of each question, in order."""

    loop: asyncio.AbstractEventLoop
    low_priority: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deadlines = Timeouts(self.loop)

    def cached(self, question: Question) -> None:
        """Return None: the cache is empty."""

    def submit(
        self, question: Question, deadline: float, waiter: Callable[[Answer], None], requester: Requester
    ) -> bool:
        """Answer in the next iteration of the loop."""
        self.low_priority.append(requester.low_priority)
        self.loop.call_soon(waiter, Answer(question, "ok", ("192.0.2.1",), 60.0))
        return False

    def withdraw(self, question: Question, waiter: Callable[[Answer], None]) -> None:
        """Do nothing."""

    def run_in_turn(self, job: Callable[[], None]) -> None:
        """Run the job in the next iteration of the loop."""
        self.loop.call_soon(job)


def test_questions_beyond_those_of_an_ordinary_check() -> None:
    async def scene() -> None:
        resolver = FakeResolver(asyncio.get_running_loop())
        questions = [Question(f"h{number}.example", "A") for number in range(60)]
        answers = await BoundedLookup(cast(Any, resolver), 10.0).ask(questions)
        assert {answer.status for answer in answers} == {"ok"}
        ordinary = bounded_lookup.ORDINARY
        assert resolver.low_priority == [False] * ordinary + [True] * (60 - ordinary)

    asyncio.run(scene())


@dataclass
class FakeSockets:
    """A socket pool and its only socket in one. `callbacks`: the id and the callback of each query; `sent`: the queries."""

    loop: asyncio.AbstractEventLoop
    low_priority: WorkQueue
    ids: Ids = field(default_factory=Ids)
    callbacks: list[tuple[int, Callable[[bytes | None], None]]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timeouts = Timeouts(self.loop)

    def to(self, server: Endpoint) -> FakeSockets:
        """Return the fake itself as the socket."""
        return self

    def reserve(self, on_response: Callable[[bytes | None], None]) -> int:
        """Return an id, and store the callback."""
        self.callbacks.append((self.ids.next(), on_response))
        return self.callbacks[-1][0]

    def send(self, wire: bytes) -> None:
        """Store the query."""
        self.sent.append(wire)

    def release(self, ident: int) -> None:
        """Do nothing."""


def order_of_work(low_priority: bool) -> list[str]:
    """Return the order of work if fifty responses and one other job arrive at the same time."""
    done: list[str] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        sockets = FakeSockets(loop, WorkQueue(loop))
        for number in range(50):
            attempts = iter((Attempt(Endpoint("127.0.0.1", 53), 5.0, False),))
            query = Query(
                cast(Any, sockets),
                Question(f"h{number}.example", "A"),
                attempts,
                lambda *result: done.append("response"),
                lambda *status: None,
            )
            query.low_priority = low_priority
            query.waiters.append(lambda answer: None)
            query.start()
        loop.call_soon(done.append, "other")
        for (_, on_response), wire in zip(tuple(sockets.callbacks), tuple(sockets.sent), strict=True):
            # The query, made into its own response: NXDOMAIN, with the SOA record of a zone above the name.
            on_response(wire[:2] + b"\x85\x83" + wire[4:])
        while len(done) < 51:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scene(), 10))
    return done


def test_other_work_runs_in_between() -> None:
    assert order_of_work(low_priority=True).index("other") <= 1
    assert order_of_work(low_priority=False).index("other") == 50
