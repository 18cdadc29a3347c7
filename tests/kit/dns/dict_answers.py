"""DNS as a dict, for the checks' table tests: a Lookup that answers at once, and remembers what it was asked.

No loop, no socket, no clock: `run` drives a check to its end, for nothing in it ever waits.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar, cast

from rdns_milter.net.names import parse_address, reverse_name
from rdns_milter.resolver.lookup import TEMPORARY, Answer, Question, Status, Type, never_enough

Result = TypeVar("Result")
Entry = str | Sequence[str]


class Answers:
    """Answers by "NAME TYPE"; the owner of a PTR may be an address. An entry is a list of values, or a status such as
    "servfail"; a name with an entry of another type is `nodata`, one without any `nxdomain`."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries: dict[Question, Entry] = {}
        for key, entry in entries.items():
            owner, kind = key.split()
            address = parse_address(owner)
            name = reverse_name(address) if address and kind == "PTR" else owner
            self._entries[Question(name.lower(), cast(Type, kind))] = entry
        self._names = {question.name for question in self._entries}
        self.asked: list[Question] = []

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        self.asked += questions
        return tuple(map(self._answer, questions))

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        return await self.ask(questions)

    def expect(self, questions: Sequence[Question]) -> None:
        """See Lookup.expect."""

    def _answer(self, question: Question) -> Answer:
        entry = self._entries.get(question)
        if entry is None:
            return Answer(question, "nodata" if question.name in self._names else "nxdomain", ttl=300)
        if isinstance(entry, str):
            assert entry in TEMPORARY or entry in ("nxdomain", "nodata"), entry
            return Answer(question, cast(Status, entry), ttl=300)
        return Answer(question, "ok", tuple(entry), 300) if entry else Answer(question, "nodata", ttl=300)


def run(check: Coroutine[Any, Any, Result]) -> Result:
    """What a check returns that never has to wait."""
    try:
        check.send(None)
    except StopIteration as end:
        return cast(Result, end.value)
    raise AssertionError("the check waits for something")
