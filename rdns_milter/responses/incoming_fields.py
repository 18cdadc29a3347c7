"""Header fields that a message brings and that claim to be ours: which of them to remove.

Pure. Keeps numbers, never a field. The work for one message is bounded: the characters of a field and of all fields that are looked
at, and the number of removals, because each costs the MTA more than the one before it (Postfix's cleanup ends with a panic at
10,500). A field beyond a bound counts as forged: nobody could trust it.

RFC 8601 5 (Authentication-Results that claim our authserv-id), RFC 7208 9.1 (Received-SPF).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from ..policy.rules import MAX_FORGED
from .forged_results import claims, is_unsupported, views, without_comments
from .headers import AUTHENTICATION_RESULTS, RECEIVED_SPF

MAX_HEAD = 1024  # characters of an Authentication-Results field in which its authserv-id must end
MAX_FIELD = 4096  # characters of a Received-SPF field
MAX_CHARACTERS = 65_536  # characters of all fields of a message that are looked at

_NOT_A_WORD = r"(?![A-Za-z0-9._-])"
# An authserv-id that every reader reads alike: nothing decoded, quoted or left out before the semicolon.
_PLAIN_HEAD = re.compile(r"[A-Za-z0-9._ \t\r\n-]*;")
_BLANKS_AND_QUOTES = re.compile(r'[\s"\\]+')


@functools.lru_cache(maxsize=8)
def watched(tag: str) -> frozenset[str]:
    """The lower-case names of the fields that may claim to be ours. `tag`: the name of the tag field, or ""."""
    return frozenset(name.lower() for name in (AUTHENTICATION_RESULTS, RECEIVED_SPF, tag) if name)


class IncomingFields:
    """The watched fields of one message, added in their order. `forged`: how many of them claim to be ours; the count ends at
    MAX_FORGED + 1, where the message is to be refused. `ours`: every name under which we write results."""

    __slots__ = ("_characters", "_counts", "_found", "_ours", "_tag", "forged")

    def __init__(self, ours: Sequence[str], tag: str) -> None:
        self.forged = 0
        self._ours = tuple(ours)
        self._tag = tag
        self._characters = 0
        self._counts: dict[str, int] = {}
        self._found: list[tuple[str, int]] = []

    def add(self, name: str, value: str) -> None:
        """Take note of one field. `name`: in any case; one that is not watched is ignored."""
        if self.forged > MAX_FORGED or name.lower() not in watched(self._tag):
            return
        canonical = next(n for n in (AUTHENTICATION_RESULTS, RECEIVED_SPF, self._tag) if n.lower() == name.lower())
        number = self._counts[canonical] = self._counts.get(canonical, 0) + 1
        if self._is_forged(canonical, value):
            self.forged += 1
            self._found.append((canonical, number))

    def removals(self) -> tuple[tuple[str, int], ...]:
        """Name and number (from 1) of each field to remove: the last one first, because Postfix renumbers after each removal and
        Sendmail does not. None if they are too many."""
        return () if self.forged > MAX_FORGED else tuple(reversed(self._found))

    def _is_forged(self, name: str, value: str) -> bool:
        if name == self._tag:
            return True
        limit = MAX_FIELD if name == RECEIVED_SPF else MAX_HEAD
        head = value[:limit]
        if name != RECEIVED_SPF and (plain := _PLAIN_HEAD.match(head)):
            head = plain[0]
        self._characters += len(head)
        if self._characters > MAX_CHARACTERS:
            return True
        if name == RECEIVED_SPF:
            return len(value) > limit or any(names_receiver(head, receiver) for receiver in self._ours)
        if len(value) > limit and ";" not in without_comments(head, ""):
            return True
        return is_unsupported(head) or claims(head, *self._ours)


def names_receiver(value: str, receiver: str) -> bool:
    """Whether some reading of a Received-SPF value finds `receiver` as the host that wrote it: in the key `receiver`, or in
    front of the first colon of a comment (RFC 7208 9.1). Case, quotes, blanks and look-alike characters do not matter."""
    if not receiver:
        return False
    ours = re.escape(receiver.lower().strip("."))
    pattern = re.compile(rf"(?:receiver=|\(){ours}\.?{_NOT_A_WORD}")
    return any(pattern.search(_BLANKS_AND_QUOTES.sub("", view).lower()) for view in (value, *views(value)))
