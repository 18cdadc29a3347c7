"""Is a name server there? Judged by its silence: towards different names, and towards questions that it has answered before.

Pure: sends nothing, has no clock. A sender's dead zone must never look like a dead server, so silence alone only makes a
server suspect; it is taken as down when it does not answer probes either: a question it has answered before, and one that
hangs on nobody's zone, for the former may be the sender's, too.

DESIGN section 1, promise 1.
"""

from __future__ import annotations

from collections import deque

from .lookup import Question

SUSPECT = 2  # names without an answer, and no answer to anything since: then a probe is due
MISSES = 2  # probes in a row without an answer that make a server down
_KNOWN = 4  # questions that are kept to probe with
# What every resolver answers by itself, whatever the answer is (RFC 6761 6.3).
LOCAL = Question("localhost", "A")


class Health:
    """What is known of one server. `down`: whether it is to be left alone, but for probes."""

    __slots__ = ("_answered", "_missed", "_unanswered", "down")

    def __init__(self) -> None:
        self.down = False
        self._missed = 0
        self._unanswered: set[str] = set()
        self._answered: deque[Question] = deque(maxlen=_KNOWN)

    def answered(self, question: Question) -> bool:
        """It has answered, whatever; True if that ends a time of being down."""
        self._missed = 0
        if self._unanswered:
            self._unanswered.clear()
        if not self._answered or self._answered[-1].name != question.name:
            self._answered.append(question)
        was_down, self.down = self.down, False
        return was_down

    def unanswered(self, question: Question) -> bool:
        """It has not answered a question; True if a probe is due."""
        if len(self._unanswered) < SUSPECT:
            self._unanswered.add(question.name)
        return not self.down and len(self._unanswered) >= SUSPECT

    def missed(self) -> bool:
        """It has not answered a probe; True if that makes it down just now."""
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
            return LOCAL
        self._answered.rotate(1)
        return self._answered[0]
