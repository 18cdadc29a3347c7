"""What one SPF check knows so far, and how it comes to know more: the answers that are in, the one that is missing, and what
is asked ahead meanwhile.

Waits, by way of the Lookup, for what the evaluation misses and for nothing else. Knows no pyspf, and decides nothing.

RFC 7208 4.6.4 (how much a record may ask).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..net.mailboxes import Mailbox
from ..net.names import Address
from ..resolver.lookup import Answer, Lookup, Question, Type
from .spf_macros import MESSAGE_SPECIFIC, values
from .spf_prefetch import Neighbours, Plan

MAX_PLAIN = 40  # addresses of an answer of which an evaluation is not needed to see that it goes on


@dataclass(frozen=True, slots=True)
class Limits:
    """RFC 7208 4.6.4: terms that look something up, and lookups that find nothing; one more is `permerror`."""

    lookup_limit: int = 10
    void_limit: int = 2

    @property
    def questions(self) -> int:
        """More than these limits let a record ask (an `mx`: eleven; the client's names: eleven): a bound for our mistakes."""
        return 12 * self.lookup_limit + 30


class Missing(Exception):
    """An answer is not there yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """Questions whose answers an evaluation compares one after the other with the client's network of that prefix length. It
    stops at the first that matches, or is no plain answer; to find the next that it misses it need not be repeated."""

    questions: tuple[Question, ...]
    prefix: int


class Knowledge:
    """The answers of one check, and what is the same however often its record is evaluated.

    `worth`: what the macro letters stand for. `letters`: those that were expanded. `read`: parses a record, `question`: the
    question about a name (Plan). `missing`: the questions that the last evaluation could not do without, at first the one for
    the domain's record; `row`: those that it would have compared next; `forget_missing` before each evaluation."""

    def __init__(self, address: Address, mailbox: Mailbox, helo: str, limits: Limits, receiver: str = "") -> None:
        self.address = address
        self.domain = mailbox.domain
        self.limits = limits
        # RFC 7208 4.3: without a local part it is "postmaster".
        self.worth = values(address, mailbox.local or "postmaster", mailbox.domain, helo, receiver)
        self.neighbours = Neighbours(address)
        self.letters: set[str] = set()
        self.missing = [Question(mailbox.domain, "TXT")]
        self.row = Row((), 0)
        self._known: dict[Question, Answer] = {}
        self._asked: set[Question] = set()
        self._used: set[Question] = set()
        self._plan = Plan(address, self.neighbours, mailbox.domain, self.worth, limits.lookup_limit)
        self.read = self._plan.read
        self.question = self._plan.question

    def answer(self, name: str, kind: Type) -> Answer | None:
        """The answer to a question, None if DNS cannot be asked that. Raises Missing, and notes what is."""
        question = self.question(name, kind)
        if not question.name:
            return None
        answer = self._known.get(question)
        if answer is None:
            self.missing.append(question)
            raise Missing
        self._used.add(question)
        return answer

    def forget_missing(self) -> None:
        """An evaluation begins."""
        self.missing.clear()
        self.row = Row((), 0)

    async def learn(self, lookup: Lookup) -> bool:
        """Wait until what is missing is known; meanwhile ask ahead, and look further ahead with each answer. False if that
        would be too much, or the Lookup gives nothing."""
        while missing := self._open():
            wanted = dict.fromkeys(missing)
            asked = self._asked.union(missing)
            if len(asked) > self.limits.questions:
                return False
            for question in self._plan.wanted(self._known):
                if question in asked or len(asked) < self.limits.questions:
                    wanted[question] = None
                    asked.add(question)
            if not self._take(wanted, await lookup.first(tuple(wanted))):
                return False
        return True

    def _open(self) -> list[Question]:
        """What an evaluation would miss, as far as that is known without one: what the last one missed, then the first in the
        row behind answers that neither match nor end it."""
        missing = [question for question in self.missing if question not in self._known]
        if missing:
            return missing
        for position, question in enumerate(self.row.questions):
            answer = self._known.get(question)
            if answer is None:
                self.row = Row(self.row.questions[position:], self.row.prefix)
                return [question]
            if not self._is_passed_over(answer):
                return []
        return []

    def _is_passed_over(self, answer: Answer) -> bool:
        """Whether an evaluation goes on to the next in the row. False where that is not plain."""
        if answer.status != "ok" or len(answer.values) > MAX_PLAIN:
            return False
        try:
            return not self.neighbours.has_any(answer, self.row.prefix)
        except ValueError:
            return False

    async def learn_shortly(self, lookup: Lookup) -> None:
        """Give what is missing a moment and no more: it is known that the domain's record is in, which is enough."""
        record = Question(self.domain, "TXT")
        questions = (record, *self.missing)
        self._take(self.missing, await lookup.ask(questions, enough=lambda answer: answer.question == record))

    def _take(self, questions: Iterable[Question], answers: Sequence[Answer]) -> bool:
        """Keep the answers; whether there was a new one."""
        self._asked.update(questions)
        before = len(self._known)
        for answer in answers:
            self._known.setdefault(answer.question, answer)
        return before < len(self._known)

    @property
    def ttl(self) -> float:
        """Seconds for which all answers that an evaluation has used hold; infinite without any."""
        return min((self._known[question].ttl for question in self._used), default=math.inf)

    @property
    def unused(self) -> int:
        """How many questions were asked and never used."""
        return len(self._asked - self._used)

    @property
    def message_specific(self) -> bool:
        """Whether the result belongs to this message alone."""
        return bool(self.letters & MESSAGE_SPECIFIC)
