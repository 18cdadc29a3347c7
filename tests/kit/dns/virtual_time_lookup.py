"""A Lookup with the answers of a Zone, in virtual time. It never sleeps and sends nothing.

`now` is a clock that advances only when a check waits, so a test can count the round trips of a check. The coroutine of a check
never suspends on this Lookup: rdns_milter.resolver.instant_lookup.run runs it without an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dns.rdatatype
from dns.name import Name

from rdns_milter.resolver.lookup import Answer, Question, Status, Value, never_enough
from tests.kit.dns.entries import Behaviour, Found
from tests.kit.dns.zone import Zone

GRACE = 0.1
SILENCE = 4.0  # seconds after which a question without an answer has the status `timeout`
FAILURE_TTL = 30.0
_STATUS: Mapping[str, Status] = {"servfail": "servfail", "refused": "refused", "silent": "timeout"}
_RCODE: Mapping[int, Status] = {2: "servfail", 3: "nxdomain", 5: "refused"}


@dataclass
class VirtualTimeLookup:
    """The answers of a zone. Each arrives `delay` seconds after its question, or after the seconds that `delays` returns; the
    zone's behaviours DELAY and SILENT apply too. `statuses`: statuses that replace the zone's answers to these questions.

    `begun`: the questions asked, each once, in order. `waits`: the number of times that a check had to wait. `deadline`: seconds
    from the start; later answers do not arrive.
    """

    zone: Zone
    delay: float = 0.02
    delays: Callable[[Question], float | None] = lambda question: None
    statuses: Mapping[Question, Status] = field(default_factory=dict)
    deadline: float = 60.0
    now: float = 0.0
    waits: int = 0
    begun: dict[Question, float] = field(default_factory=dict)

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        due = {question: self._begin(question) for question in questions}
        end = max(due.values(), default=self.now)
        for question, time in due.items():
            if enough(self._answer(question)):
                end = min(end, max(time, self.now) + GRACE)
        self._wait_until(end)
        return tuple(self._answer_by_now(question) for question in questions)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        due = [self._begin(question) for question in questions]
        self._wait_until(min(due, default=self.now))
        over = self.now >= self.deadline
        return tuple(self._answer_by_now(each) for each in questions if over or self.begun[each] <= self.now)

    def _begin(self, question: Question) -> float:
        """Return the time at which the answer arrives."""
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
