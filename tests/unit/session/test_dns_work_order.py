"""Answers to a check that asks more than an ordinary one are read one at a time, and others' work comes between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver import bounded_lookup
from rdns_milter.resolver.admission.asker import Asker
from rdns_milter.resolver.bounded_lookup import Inquiry
from rdns_milter.resolver.lookup import Answer, Question
from rdns_milter.resolver.query import Flight, Try
from rdns_milter.resolver.transport import Turns
from rdns_milter.resolver.wire import Ids


@dataclass
class Accounts:
    """A resolver that notes for each question whether its work comes after all else."""

    loop: asyncio.AbstractEventLoop
    behind: list[bool] = field(default_factory=list)

    def remembered(self, question: Question) -> None:
        """Nothing."""

    def fly(self, question: Question, until: float, waiter: Callable[[Answer], None], asker: Asker) -> bool:
        """Take it."""
        self.behind.append(asker.behind)
        self.loop.call_soon(waiter, Answer(question, "ok", ("192.0.2.1",), 60.0))
        return False

    def leave(self, question: Question, waiter: Callable[[Answer], None]) -> None:
        """As if it had gone."""

    def put_behind(self, work: Callable[[], None]) -> None:
        """In its turn."""
        self.loop.call_soon(work)


def test_questions_beyond_those_of_an_ordinary_check() -> None:
    async def scene() -> None:
        accounts = Accounts(asyncio.get_running_loop())
        questions = [Question(f"h{number}.example", "A") for number in range(60)]
        answers = await Inquiry(cast(Any, accounts), 10.0).ask(questions)
        assert {answer.status for answer in answers} == {"ok"}
        assert accounts.behind == [False] * bounded_lookup.ORDINARY + [True] * (60 - bounded_lookup.ORDINARY)

    asyncio.run(scene())


@dataclass
class Wire:
    """Channels and channel in one, that keep who is to hear an answer."""

    loop: asyncio.AbstractEventLoop
    behind: Turns
    ids: Ids = field(default_factory=Ids)
    hear: list[tuple[int, Callable[[bytes | None], None]]] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)

    def to(self, server: Endpoint) -> Wire:
        """Itself."""
        return self

    def reserve(self, heard: Callable[[bytes | None], None]) -> int:
        """An id."""
        self.hear.append((self.ids.next(), heard))
        return self.hear[-1][0]

    def send(self, wire: bytes) -> None:
        """Keep it."""
        self.asked.append(wire)

    def forget(self, ident: int) -> None:
        """Nothing to let go."""


def answer_all(behind: bool) -> list[str]:
    """What happens in which order: fifty answers are there at once, and one more piece of work is."""
    done: list[str] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        wire = Wire(loop, Turns(loop))
        for number in range(50):
            tries = iter((Try(Endpoint("127.0.0.1", 53), 5.0, False),))
            question = Question(f"h{number}.example", "A")
            flight = Flight(cast(Any, wire), question, tries, lambda *landed: done.append("heavy"), lambda *heard: None)
            flight.behind = behind
            flight.waiters.append(lambda answer: None)
            flight.start()
        loop.call_soon(done.append, "other")
        for (_, hear), query in zip(tuple(wire.hear), tuple(wire.asked), strict=True):
            # The query as its own answer: NXDOMAIN, with an authority that is responsible.
            hear(query[:2] + b"\x85\x83" + query[4:])
        while len(done) < 51:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scene(), 10))
    return done


def test_other_work_comes_between() -> None:
    assert answer_all(behind=True).index("other") <= 1
    assert answer_all(behind=False).index("other") == 50
