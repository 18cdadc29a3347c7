"""The Lookup of one check: asks the resolver until a deadline, and answers the same question always in the same way.

Therefore no client can profit from an answer that changes during a check. Never raises for anything that DNS says. Runs on the
event loop's thread.

RFC 8601 and RFC 7208 set no time limit; the option `milter.deadline` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from .admission.requester import ANONYMOUS, Requester
from .lookup import Answer, Question, never_enough
from .resolver import Resolver
from .transport.timers import Timeout

GRACE = 0.1  # seconds that the other questions get once one answer is enough
MAX_AT_ONCE = 20  # queries of one check that may be under way at the same time
# Questions of one check whose answers are processed as they arrive. Two identities of an ordinary message ask a fourth or fifth of
# that. Answers to further questions are processed one at a time, when there is no other work.
ORDINARY = 15


class BoundedLookup:
    """A Lookup. `trail`: the answers in the order in which they arrived. The caller must close it: this withdraws the queries that
    have no answer yet."""

    __slots__ = (
        "_answers", "_asked", "_deadline", "_expires", "_is_wake_up_queued", "_joined", "_open", "_requester", "_resolver",
        "_seconds", "_timer", "_wake_up", "trail",
    )  # fmt: skip

    def __init__(self, resolver: Resolver, seconds: float, requester: Requester = ANONYMOUS) -> None:
        """Open a Lookup for so many seconds; its queries count for the requester."""
        self._resolver = resolver
        self._requester = requester
        self._open: set[Question] = set()
        self._seconds = seconds
        self._deadline = resolver.loop.time() + seconds
        self._answers: dict[Question, Answer] = {}
        self._asked: dict[Question, float] = {}
        self._joined: frozenset[Question] = frozenset()
        self._is_wake_up_queued = False
        self._wake_up: asyncio.Future[bool] | None = None
        self._timer: Timeout | None = None  # of the deadline
        self._expires = float("inf")  # when the first of the answers does, on the loop's clock
        self.trail: list[Answer] = []

    @property
    def ttl(self) -> float:
        """The seconds for which all answers so far are valid; 0 if one of them is temporary trouble."""
        if any(answer.temporary for answer in self.trail):
            return 0.0
        return self._expires - self._resolver.loop.time()

    def close(self) -> None:
        """Withdraw all queries that are under way."""
        if self._timer is not None:
            self._timer.cancel()
        for question in self._open:
            self._resolver.count_if_queued(question, self._requester)
        self._withdraw(self._open.copy())

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        self._submit(questions)
        answers, until = self._answers, self._deadline
        while any(question not in answers for question in questions):
            if until == self._deadline and any(enough(answers[q]) for q in questions if q in answers):
                until = min(until, self._resolver.loop.time() + GRACE)
            if not await self._wait(until):
                break
            self._submit(questions)
        return tuple(answers.get(question) or self._time_out(question) for question in questions)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        self._submit(questions)
        answers = self._answers
        while not (known := [answers[question] for question in questions if question in answers]) and questions:
            if not await self._wait(self._deadline):
                return tuple(map(self._time_out, questions))
            self._submit(questions)
        return tuple(known)

    def _submit(self, questions: Sequence[Question]) -> None:
        """Submit the questions that are new, or take their answers from the cache; at most MAX_AT_ONCE are under way."""
        resolver = self._resolver
        for question in questions:
            if question in self._asked:
                continue
            answer = resolver.cached(question)
            if (
                answer is None
                and len(self._open) >= MAX_AT_ONCE
                and not self._withdraw(self._open.difference(questions))
            ):
                return
            self._asked[question] = resolver.loop.time()
            if len(self._asked) > ORDINARY and not self._requester.low_priority:
                self._requester = self._requester._replace(low_priority=True)
            if answer is not None:
                self._keep(answer)
            elif resolver.loop.time() < self._deadline:
                self._open.add(question)
                if resolver.submit(question, self._deadline, self._on_answer, self._requester):
                    self._joined |= {question}

    def _withdraw(self, questions: set[Question]) -> bool:
        """Stop waiting for these questions. Return False if there are none."""
        for question in questions:
            self._resolver.withdraw(question, self._on_answer)
            del self._asked[question]
        self._open -= questions
        return bool(questions)

    def _on_answer(self, answer: Answer) -> None:
        question = answer.question
        self._open.discard(question)
        if question in self._answers:
            return
        ms = (self._resolver.loop.time() - self._asked[question]) * 1000
        self._keep(Answer(question, answer.status, answer.values, answer.ttl, ms, question in self._joined))
        if not self._requester.low_priority:
            self._wake(True)
        elif not self._is_wake_up_queued:
            self._is_wake_up_queued = True
            self._resolver.run_in_turn(self._wake_in_turn)

    def _wake_in_turn(self) -> None:
        """Wake the check for all answers that have arrived since this was queued."""
        self._is_wake_up_queued = False
        self._wake(True)

    def _keep(self, answer: Answer) -> None:
        self._answers[answer.question] = answer
        self.trail.append(answer)
        self._expires = min(self._expires, self._resolver.loop.time() + answer.ttl)

    def _time_out(self, question: Question) -> Answer:
        """Answer a question with `deadline`, because no time is left for it."""
        now = self._resolver.loop.time()
        answer = Answer(question, "deadline", ms=(now - self._asked.setdefault(question, now)) * 1000)
        self._keep(answer)
        return answer

    async def _wait(self, until: float) -> bool:
        """Wait for one more answer. Return False if none has arrived by `until`."""
        loop = self._resolver.loop
        if loop.time() >= until:
            return False
        self._wake_up = loop.create_future()
        timer = None
        if until < self._deadline:
            timer = loop.call_at(until, self._wake, False)
        elif self._timer is None:
            self._timer = self._resolver.deadlines.start(self._seconds, partial(self._wake, False))
        try:
            return await self._wake_up
        finally:
            self._wake_up = None
            if timer is not None:
                timer.cancel()

    def _wake(self, is_answer: bool) -> None:
        if self._wake_up is not None and not self._wake_up.done():
            self._wake_up.set_result(is_answer)
