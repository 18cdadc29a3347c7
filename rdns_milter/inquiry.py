"""The door through which one check asks: a Lookup before the resolver.

Waits no longer than its deadline, and gives a question the same answer however often it is asked, so that no client can play
on an answer that changes meanwhile. Never raises for what comes from DNS. Lives on the event loop's thread.

RFC 8601 and 7208 set no time; DESIGN's `deadline` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from .lookup import Answer, Question, never_enough
from .resolver import Resolver

GRACE = 0.1  # seconds that the others get once one answer is enough


class Inquiry:
    """A Lookup. `trail`: every answer that was asked for, in the order in which they came; `ends`: when the first of them
    ceases to hold (the loop's clock)."""

    __slots__ = ("_answers", "_asked", "_deadline", "_expected", "_joined", "_news", "_resolver", "ends", "trail")

    def __init__(self, resolver: Resolver, seconds: float) -> None:
        """Open for so many seconds."""
        self._resolver = resolver
        self._deadline = resolver.loop.time() + seconds
        self._answers: dict[Question, Answer] = {}
        self._asked: dict[Question, float] = {}
        self._joined: frozenset[Question] = frozenset()
        self._expected: frozenset[Question] = frozenset()
        self._news: asyncio.Future[bool] | None = None
        self.trail: list[Answer] = []
        self.ends = float("inf")

    def holds(self) -> float:
        """Seconds for which all answers so far hold; 0 if one of them is trouble, which may be over any moment."""
        if any(answer.temporary for answer in self.trail):
            return 0.0
        return self.ends - self._resolver.loop.time()

    def expect(self, questions: Sequence[Question]) -> None:
        """See Lookup.expect."""
        for question in questions:
            if question in self._asked or question in self._expected:
                continue
            self._expected |= {question}
            if self._resolver.remembered(question) is None:
                self._resolver.fly(question, self._deadline, None)

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        self._begin(questions)
        answers, until = self._answers, self._deadline
        while any(question not in answers for question in questions):
            if until == self._deadline and any(enough(answers[q]) for q in questions if q in answers):
                until = min(until, self._resolver.loop.time() + GRACE)
            if not await self._hear(until):
                break
        return tuple(answers.get(question) or self._late(question) for question in questions)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        self._begin(questions)
        answers = self._answers
        while not (known := [answers[question] for question in questions if question in answers]) and questions:
            if not await self._hear(self._deadline):
                return tuple(map(self._late, questions))
        return tuple(known)

    def _begin(self, questions: Sequence[Question]) -> None:
        """Put what has not been asked yet under way, or take it out of memory."""
        for question in questions:
            if question in self._asked:
                continue
            self._asked[question] = self._resolver.loop.time()
            answer = self._resolver.remembered(question)
            if answer is not None:
                self._keep(answer)
            elif self._resolver.loop.time() < self._deadline and self._resolver.fly(
                question, self._deadline, self._arrived
            ):
                self._joined |= {question}

    def _arrived(self, answer: Answer) -> None:
        question = answer.question
        if question in self._answers:
            return
        ms = (self._resolver.loop.time() - self._asked[question]) * 1000
        self._keep(Answer(question, answer.status, answer.values, answer.ttl, ms, question in self._joined))
        self._wake(True)

    def _keep(self, answer: Answer) -> None:
        self._answers[answer.question] = answer
        self.trail.append(answer)
        self.ends = min(self.ends, self._resolver.loop.time() + answer.ttl)

    def _late(self, question: Question) -> Answer:
        """What is said of a question for which there is no more time."""
        ms = (self._resolver.loop.time() - self._asked[question]) * 1000
        answer = Answer(question, "deadline", ms=ms)
        self._keep(answer)
        return answer

    async def _hear(self, until: float) -> bool:
        """Wait for one more answer; False if it is not in by then."""
        loop = self._resolver.loop
        self._news = loop.create_future()
        timer = loop.call_at(until, self._wake, False)
        try:
            return await self._news
        finally:
            timer.cancel()
            self._news = None

    def _wake(self, news: bool) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(news)
