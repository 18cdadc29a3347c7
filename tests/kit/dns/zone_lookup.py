"""A Lookup without a network: answers out of a Zone, in a time of its own. Nothing sleeps, nothing is asked by wire.

`now` is a clock that moves only when a check waits, so a test can count the round trips that a check waited for. A check's
coroutine never really suspends on this Lookup: `run` drives it to its end without an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import dns.rdatatype
from dns.name import Name

from rdns_milter.resolver.lookup import Answer, Question, Status, Value, never_enough
from tests.kit.dns.entries import Behaviour, Found
from tests.kit.dns.zone import Zone

GRACE = 0.1
SILENCE = 4.0  # seconds after which a question without an answer is `timeout`
FAILURE_TTL = 30.0
_STATUS: Mapping[str, Status] = {"servfail": "servfail", "refused": "refused", "silent": "timeout"}
_RCODE: Mapping[int, Status] = {2: "servfail", 3: "nxdomain", 5: "refused"}

Result = TypeVar("Result")


def run(check: Coroutine[Any, Any, Result]) -> Result:
    """What a check on a DictLookup returns. RuntimeError if it waits for anything else."""
    try:
        check.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    check.close()
    raise RuntimeError("the check waits for something that is not the Lookup")


@dataclass
class DictLookup:
    """The answers of a zone, each `delay` seconds after its question (or what `delays` says of it; the zone's behaviours
    DELAY and SILENT hold too). `statuses`: answers that are nothing but a status, whatever the zone says.

    `begun`: the questions asked, once each, in order. `waits`: how often a check had to wait. `wanted`: those that
    somebody asked for (not only expected). `deadline`: seconds from the start after which nothing is answered.
    """

    zone: Zone
    delay: float = 0.02
    delays: Callable[[Question], float | None] = lambda question: None
    statuses: Mapping[Question, Status] = field(default_factory=dict)
    deadline: float = 60.0
    now: float = 0.0
    waits: int = 0
    begun: dict[Question, float] = field(default_factory=dict)
    wanted: set[Question] = field(default_factory=set)

    @property
    def vain(self) -> int:
        """Questions that were expected and never asked."""
        return len(self.begun.keys() - self.wanted)

    def expect(self, questions: Sequence[Question]) -> None:
        """See Lookup.expect."""
        for question in questions:
            self._begin(question)

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        self.wanted.update(questions)
        due = {question: self._begin(question) for question in questions}
        end = max(due.values(), default=self.now)
        for question, time in due.items():
            if enough(self._answer(question)):
                end = min(end, max(time, self.now) + GRACE)
        self._wait_until(end)
        return tuple(self._answer_by_now(question) for question in questions)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        self.wanted.update(questions)
        due = [self._begin(question) for question in questions]
        self._wait_until(min(due, default=self.now))
        over = self.now >= self.deadline
        return tuple(self._answer_by_now(each) for each in questions if over or self.begun[each] <= self.now)

    def _begin(self, question: Question) -> float:
        """When the answer is there."""
        if question not in self.begun:
            special = self.delays(question)
            delay = self.delay if special is None else special
            for each in self._found(question).behaviours:
                if each.word == "delay":
                    delay = float(str(each.argument))
                elif each.word == "silent":
                    delay = SILENCE
            self.begun[question] = self.now + delay
        return self.begun[question]

    def _wait_until(self, time: float) -> None:
        time = min(time, self.deadline)
        if time > self.now:
            self.now = time
            self.waits += 1

    def _answer_by_now(self, question: Question) -> Answer:
        if self.begun[question] > self.now or self.begun[question] > self.deadline:
            return Answer(question, "deadline")
        return self._answer(question)

    def _found(self, question: Question) -> Found:
        name = Name([*(label.encode("latin-1") for label in question.name.split(".")), b""])
        return self.zone.lookup(name, question.type)

    def _answer(self, question: Question) -> Answer:
        if question in self.statuses:
            return Answer(question, self.statuses[question])
        found = self._found(question)
        status = _trouble(found.behaviours)
        if status:
            return Answer(question, status, ttl=FAILURE_TTL)
        sets = [each for each in found.answer if each.rdtype == dns.rdatatype.from_text(question.type)]
        ttl = float(min([each.ttl for each in found.answer] or [found.soa.ttl]))
        if sets:
            return Answer(question, "ok", tuple(sorted({_value(rdata) for rdata in sets[0]})), ttl)
        if found.nxdomain:
            return Answer(question, "nxdomain", ttl=ttl)
        return Answer(question, "nodata", ttl=ttl) if found.nodata else Answer(question, "error", ttl=FAILURE_TTL)


def _trouble(behaviours: Sequence[Behaviour]) -> Status | None:
    for each in behaviours:
        if each.word == "rcode":
            return _RCODE.get(int(str(each.argument)), "error")
        if each.word != "delay":
            return _STATUS.get(each.word, "error")
    return None


def _value(rdata: Any) -> Value:
    kind = dns.rdatatype.to_text(rdata.rdtype)
    if kind == "TXT":
        return b"".join(rdata.strings)
    if kind == "MX":
        return int(rdata.preference), _name(rdata.exchange)
    return _name(rdata.target) if kind == "PTR" else str(rdata.address)


def _name(name: Name) -> str:
    return "" if len(name) <= 1 else name.to_text(omit_final_dot=True).lower()
