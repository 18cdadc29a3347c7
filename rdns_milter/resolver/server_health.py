"""Does a name server serve? Judged by what it does not resolve: different names, and questions that it has answered before.

A server that is silent, cannot be reached, or answers with a referral or with nothing has not resolved the name. Pure: sends
nothing, has no clock. A sender's dead or broken zone must never look like a dead server, so this alone only makes a server
suspect; it is taken as down when it does not resolve probes either: a question it has answered before, and one that hangs on
no sender's zone, for the former may be the sender's, too.

packaging/doc/failures.md (DNS).
"""

from __future__ import annotations

from collections import deque

from .lookup import UNRESOLVED, Question, Status

SUSPECT = 2  # names without an answer, and no answer to anything since: then a probe is due
MISSES = 2  # probes in a row without an answer that make a server down
_KNOWN = 4  # questions that are kept to probe with
# What every resolver answers by itself, whatever the answer is (RFC 6761 6.3).
LOCAL = Question("localhost", "A")
# What only a resolver answers: a server without recursion may well hold the zone "localhost", but refers for this one.
RECURSIVE = Question("in-addr.arpa", "PTR")


class Health:
    """What is known of one server. `down`: whether it is to be left alone, but for probes. `fault`: the last status of a question
    that it has not resolved."""

    __slots__ = ("_answered", "_missed", "_unanswered", "down", "fault")

    def __init__(self) -> None:
        self.down = False
        self.fault: Status = "timeout"
        self._missed = 0
        self._unanswered: set[str] = set()
        self._answered: deque[Question] = deque(maxlen=_KNOWN)

    def answered(self, question: Question) -> bool:
        """It has answered, whatever; True if that ends a time of being down."""
        self._missed = 0
        self.fault = "timeout"
        if self._unanswered:
            self._unanswered.clear()
        if question not in (LOCAL, RECURSIVE) and (not self._answered or self._answered[-1].name != question.name):
            self._answered.append(question)
        was_down, self.down = self.down, False
        return was_down

    def unanswered(self, question: Question, fault: Status = "timeout") -> bool:
        """It has not resolved a question; True if a probe is due."""
        self.fault = fault
        if len(self._unanswered) < SUSPECT:
            self._unanswered.add(question.name)
        return not self.down and len(self._unanswered) >= SUSPECT

    def missed(self) -> bool:
        """It has not resolved a probe; True if that makes it down just now."""
        self._missed += 1
        if self.down or self._missed < MISSES:
            return False
        self.down = True
        return True

    @property
    def in_doubt(self) -> bool:
        """Whether it has to be probed further."""
        return self.down or self._missed > 0

    def probe(self) -> Question:
        """The question to probe with: another one each time, every second one such that no sender can make it fail."""
        if not self._answered or self._missed % 2:
            return RECURSIVE if self.fault in UNRESOLVED else LOCAL
        self._answered.rotate(1)
        return self._answered[0]
