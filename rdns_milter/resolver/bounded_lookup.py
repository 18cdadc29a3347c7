"""The door through which one check asks: a Lookup before the resolver.

Waits no longer than its deadline, and gives a question the same answer however often it is asked, so that no client can play
on an answer that changes meanwhile. Never raises for what comes from DNS. Lives on the event loop's thread.

RFC 8601 and 7208 set no time; the option `milter.deadline` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from .admission.asker import NOBODY, Asker
from .lookup import Answer, Question, never_enough
from .resolver import Resolver

GRACE = 0.1  # seconds that the others get once one answer is enough
MAX_AT_ONCE = 20  # questions of one check that are under way at a time
# Questions of one check whose answers are seen to as they come: for two identities four to five times what an ordinary message
# costs. The answers to all further ones are seen to when there is nothing else to do, one at a time.
ORDINARY = 15


class Inquiry:
    """A Lookup. `trail`: every answer that was asked for, in the order in which they came; `ends`: when the first of them
    ceases to hold (the loop's clock). To be closed: what is not answered by then is not needed."""

    __slots__ = (
        "_answers", "_asked", "_asker", "_deadline", "_expected", "_joined", "_news", "_open", "_resolver", "_wakes",
        "ends", "trail",
    )  # fmt: skip

    def __init__(self, resolver: Resolver, seconds: float, asker: Asker = NOBODY) -> None:
        """Open for so many seconds, on the asker's account."""
        self._resolver = resolver
        self._asker = asker
        self._open: set[Question] = set()
        self._deadline = resolver.loop.time() + seconds
        self._answers: dict[Question, Answer] = {}
        self._asked: dict[Question, float] = {}
        self._joined: frozenset[Question] = frozenset()
        self._expected: frozenset[Question] = frozenset()
        self._wakes = False
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
                self._resolver.fly(question, self._deadline, None, self._asker)

    def close(self) -> None:
        """The check is over, or nobody needs it any more."""
        for question in self._open:
            self._resolver.given_up(question, self._asker)
        self._leave(self._open.copy())
        for question in self._expected:
            self._resolver.leave(question)
        self._expected = frozenset()

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
            self._begin(questions)
        return tuple(answers.get(question) or self._late(question) for question in questions)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        self._begin(questions)
        answers = self._answers
        while not (known := [answers[question] for question in questions if question in answers]) and questions:
            if not await self._hear(self._deadline):
                return tuple(map(self._late, questions))
            self._begin(questions)
        return tuple(known)

    def _begin(self, questions: Sequence[Question]) -> None:
        """Put what has not been asked yet under way, or take it out of memory; as much of it as there may be at once."""
        resolver = self._resolver
        for question in questions:
            if question in self._asked:
                continue
            answer = resolver.remembered(question)
            if answer is None and len(self._open) >= MAX_AT_ONCE and not self._leave(self._open.difference(questions)):
                return
            self._asked[question] = resolver.loop.time()
            if len(self._asked) > ORDINARY and not self._asker.behind:
                self._asker = replace(self._asker, behind=True)
            if answer is not None:
                self._keep(answer)
            elif resolver.loop.time() < self._deadline:
                self._open.add(question)
                if resolver.fly(question, self._deadline, self._arrived, self._asker):
                    self._joined |= {question}

    def _leave(self, questions: set[Question]) -> bool:
        """Wait for these no longer; whether there are any."""
        for question in questions:
            self._resolver.leave(question, self._arrived)
            del self._asked[question]
        self._open -= questions
        return bool(questions)

    def _arrived(self, answer: Answer) -> None:
        question = answer.question
        self._open.discard(question)
        if question in self._answers:
            return
        ms = (self._resolver.loop.time() - self._asked[question]) * 1000
        self._keep(Answer(question, answer.status, answer.values, answer.ttl, ms, question in self._joined))
        if not self._asker.behind:
            self._wake(True)
        elif not self._wakes:
            self._wakes = True
            self._resolver.put_behind(self._wake_in_turn)

    def _wake_in_turn(self) -> None:
        """All answers that were in when the first was seen to are known by now: the check looks at them together."""
        self._wakes = False
        self._wake(True)

    def _keep(self, answer: Answer) -> None:
        self._answers[answer.question] = answer
        self.trail.append(answer)
        self.ends = min(self.ends, self._resolver.loop.time() + answer.ttl)

    def _late(self, question: Question) -> Answer:
        """What is said of a question for which there is no more time."""
        now = self._resolver.loop.time()
        answer = Answer(question, "deadline", ms=(now - self._asked.setdefault(question, now)) * 1000)
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
