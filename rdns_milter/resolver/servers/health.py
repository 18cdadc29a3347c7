"""Decide whether a name server works, from the queries and the probes that it does not resolve.

A server has not resolved a query if it is silent, cannot be reached, or answers with a referral or with nothing. Pure: sends
nothing, has no clock. A sender's dead or broken zone must never make a server look dead. So unresolved queries only make a server
suspect; it is down once it does not resolve probes either. Probes alternate between two kinds of question: one that the server has
answered before, which may be about a sender's zone, and one that depends on no sender's zone.

RFC 6761 6.3 (localhost); packaging/doc/failures.md (DNS).
"""

from __future__ import annotations

from collections import deque

from ..lookup import UNRESOLVED, Question, Status

SUSPECT = 2  # names not resolved, and nothing resolved since: a probe is due
MISSES = 2  # probes in a row that are not resolved: the server is down
_KNOWN = 4  # questions that are kept for probes
# Every resolver answers this by itself (RFC 6761 6.3).
LOCAL = Question("localhost", "A")
# Only a resolver answers this: a server without recursion may hold the zone "localhost", but refers for this one.
RECURSIVE = Question("in-addr.arpa", "PTR")


class ServerHealth:
    """What is known about one server. `down`: send it nothing but probes. `fault`: the status of the last query that it did not
    resolve."""

    __slots__ = ("_answered", "_missed", "_unanswered", "down", "fault")

    def __init__(self) -> None:
        self.down = False
        self.fault: Status = "timeout"
        self._missed = 0
        self._unanswered: set[str] = set()
        self._answered: deque[Question] = deque(maxlen=_KNOWN)

    def answered(self, question: Question) -> bool:
        """Note that the server has resolved a query, with whatever result. Return whether it was down until now."""
        self._missed = 0
        self.fault = "timeout"
        if self._unanswered:
            self._unanswered.clear()
        if question not in (LOCAL, RECURSIVE) and (not self._answered or self._answered[-1].name != question.name):
            self._answered.append(question)
        was_down, self.down = self.down, False
        return was_down

    def unanswered(self, question: Question, fault: Status = "timeout") -> bool:
        """Note that the server has not resolved a query. Return whether a probe is due."""
        self.fault = fault
        if len(self._unanswered) < SUSPECT:
            self._unanswered.add(question.name)
        return not self.down and len(self._unanswered) >= SUSPECT

    def missed(self) -> bool:
        """Note that the server has not resolved a probe. Return whether it is down from now on."""
        self._missed += 1
        if self.down or self._missed < MISSES:
            return False
        self.down = True
        return True

    @property
    def in_doubt(self) -> bool:
        """Whether the server needs further probes."""
        return self.down or self._missed > 0

    def probe(self) -> Question:
        """Return the question for the next probe. Every second one is a question that no sender can make fail. The others are
        questions that the server has answered before, in turn."""
        if not self._answered or self._missed % 2:
            return RECURSIVE if self.fault in UNRESOLVED else LOCAL
        self._answered.rotate(1)
        return self._answered[0]
