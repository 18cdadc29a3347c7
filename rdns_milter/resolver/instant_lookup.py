"""Look up from memory: a Lookup whose answers are all there at once, and a way to run a check on it without an event loop.

The parent process warms up with it before it forks; the tests' look-ups are built on it. Sends nothing and never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from .lookup import Answer, Question, never_enough

Result = TypeVar("Result")


class InstantLookup:
    """A Lookup that answers each question with what `answer` returns for it. `asked`: the questions in the order in which they were
    asked."""

    def __init__(self, answer: Callable[[Question], Answer]) -> None:
        self.asked: list[Question] = []
        self._answer = answer

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        self.asked += questions
        return tuple(map(self._answer, questions))

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        return await self.ask(questions)


def run(check: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of a check whose Lookup never waits. Raises RuntimeError if the check waits for anything."""
    try:
        check.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    check.close()
    raise RuntimeError("the check waits for something that is not its Lookup")
