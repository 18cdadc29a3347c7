"""The DNS answers of one SPF check: which are known, and which the evaluation misses and must be fetched.

Waits, through the Lookup, only for answers that the evaluation misses. Does not use pyspf and makes no decision.

RFC 7208 4.6.4 (limits on DNS lookups).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..net.mailboxes import Mailbox
from ..net.names import Address
from ..resolver.lookup import Answer, Lookup, Question, Type
from .spf_address_matcher import AddressMatcher
from .spf_macros import MESSAGE_SPECIFIC, macro_values
from .spf_prefetch import Prefetch

MAX_COMPARED = 40  # addresses of an answer that are compared outside an evaluation
# Values, and answers, of an ordinary check. With more of them an evaluation may end at a limit that the prefetch does not predict.
MAX_ORDINARY = 100
MAX_ORDINARY_ANSWERS = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """RFC 7208 4.6.4: terms that cause lookups, and lookups without a result. One more of either is `permerror`."""

    lookup_limit: int = 10
    void_limit: int = 2

    @property
    def questions(self) -> int:
        """The maximum number of questions of one check.

        The other limits keep a record below it (an `mx` takes eleven questions, the client's names too); it guards against errors
        in this code.
        """
        return 12 * self.lookup_limit + 30


class MissingAnswer(Exception):
    """An answer is not known yet."""


class RemainingHosts(NamedTuple):
    """The hosts that an `mx` mechanism has still to compare: the questions for their addresses, in order, and the prefix length of
    the mechanism.

    The evaluation stops at the first host that matches or whose answer is an error. Until it has found such a host, the next
    missing answer is known without another run."""

    questions: tuple[Question, ...]
    prefix: int


class SpfAnswers:
    """The answers of one check, and everything that stays the same when its record is evaluated again. Call `reset` before each
    evaluation.

    `macro_values`: the value of each macro letter; `letters`: the letters that were expanded; `read`, `question`: see Prefetch;
    `missing`: the questions without whose answers the last evaluation could not continue, at first the one for the domain's record;
    `remaining`: the hosts that the last evaluation would have compared next."""

    def __init__(self, address: Address, mailbox: Mailbox, helo: str, limits: Limits, receiver: str = "") -> None:
        self.address = address
        self.domain = mailbox.domain
        self.limits = limits
        # RFC 7208 4.3: a missing local part is replaced by "postmaster".
        self.macro_values = macro_values(address, mailbox.local or "postmaster", mailbox.domain, helo, receiver)
        self.matcher = AddressMatcher(address)
        self.letters: set[str] = set()
        self.missing = [Question(mailbox.domain, "TXT")]
        self.remaining = RemainingHosts((), 0)
        self._known: dict[Question, Answer] = {}
        self._asked: set[Question] = set()
        self._used: set[Question] = set()
        self._prefetch = Prefetch(address, self.matcher, mailbox.domain, self.macro_values, limits.lookup_limit)
        self.read = self._prefetch.read
        self.question = self._prefetch.question

    def answer(self, name: str, kind: Type) -> Answer | None:
        """Return the answer; None if the name cannot be asked. If the answer is not known, add its question to `missing` and raise
        MissingAnswer."""
        question = self.question(name, kind)
        if not question.name:
            return None
        answer = self._known.get(question)
        if answer is None:
            self.missing.append(question)
            raise MissingAnswer
        self._used.add(question)
        return answer

    def reset(self) -> None:
        """Forget what the last evaluation missed."""
        self.missing.clear()
        self.remaining = RemainingHosts((), 0)

    async def fetch_missing(self, lookup: Lookup) -> bool:
        """Wait until the missing answers are known, and prefetch more with each answer that arrives.

        Return False if too many questions would be needed, or if the Lookup returns nothing new."""
        while True:
            predicted = self._prefetch.wanted(self._known)
            missing = self._still_missing()
            if not missing and self._prefetch.needed is not None and self._is_ordinary():
                missing = [self._prefetch.needed]  # an evaluation would not get further than that
            if not missing:
                return True
            wanted = dict.fromkeys(missing)
            asked = self._asked
            asked.update(missing)
            if len(asked) > self.limits.questions:
                return False
            for question in predicted:
                if question in asked or len(asked) < self.limits.questions:
                    wanted[question] = None
                    asked.add(question)
            if not self._store(await lookup.first(tuple(wanted))):
                return False

    def _is_ordinary(self) -> bool:
        """Return whether the answers are so few that no evaluation can have reached a limit that the prefetch does not predict: the
        limits on void lookups, addresses and questions."""
        answers = self._known.values()
        return (
            len(answers) <= MAX_ORDINARY_ANSWERS
            and sum(not answer.values for answer in answers) <= self.limits.void_limit
            and sum(len(answer.values) for answer in answers) <= MAX_ORDINARY
        )

    def _still_missing(self) -> list[Question]:
        """Return the questions that an evaluation would miss now, as far as that is certain without running one.

        These are the questions that the last evaluation missed and that have no answer yet. If there are none, it is the question
        for the first remaining host without an answer, provided that no answer before it can end the comparison."""
        missing = [question for question in self.missing if question not in self._known]
        if missing:
            return missing
        for position, question in enumerate(self.remaining.questions):
            answer = self._known.get(question)
            if answer is None:
                self.remaining = RemainingHosts(self.remaining.questions[position:], self.remaining.prefix)
                return [question]
            if not self._is_certain_mismatch(answer):
                return []
        return []

    def _is_certain_mismatch(self, answer: Answer) -> bool:
        """Return whether the evaluation certainly continues with the next host after this answer."""
        if answer.status != "ok" or len(answer.values) > MAX_COMPARED:
            return False
        try:
            return not self.matcher.matches_any(answer, self.remaining.prefix)
        except ValueError:
            return False

    async def fetch_briefly(self, lookup: Lookup) -> None:
        """Ask for the missing answers, and wait for them only briefly. The record is asked for with them and declared to be enough:
        it is known, so the others get only the short time that `Lookup.ask` grants after an answer that is enough."""
        record = Question(self.domain, "TXT")
        questions = (record, *self.missing)
        self._asked.update(self.missing)
        self._store(await lookup.ask(questions, enough=lambda answer: answer.question == record))

    def _store(self, answers: Sequence[Answer]) -> bool:
        """Store the answers. Return whether any of them is new."""
        before = len(self._known)
        for answer in answers:
            self._known.setdefault(answer.question, answer)
        return before < len(self._known)

    def has_no_record(self) -> bool:
        """Return whether it is certain that the domain has no SPF record (RFC 7208 4.5), so that no evaluation is needed."""
        question = Question(self.domain, "TXT")
        answer = self._known.get(question)
        is_over_limit = answer is not None and not answer.values and not self.limits.void_limit
        if answer is None or answer.temporary or is_over_limit:
            return False
        if any(isinstance(value, bytes) and value[:6].lower() == b"v=spf1" for value in answer.values):
            return False
        self._used.add(question)
        return True

    @property
    def ttl(self) -> float:
        """Seconds for which all answers used by an evaluation are valid; infinite if there are none."""
        return min((self._known[question].ttl for question in self._used), default=math.inf)

    @property
    def unused(self) -> int:
        """The number of questions that were asked but not used."""
        return len(self._asked - self._used)

    @property
    def message_specific(self) -> bool:
        """Whether the result is valid for this message only."""
        return bool(self.letters & MESSAGE_SPECIFIC)
