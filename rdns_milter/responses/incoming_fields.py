"""Find the header fields of an incoming message that falsely claim to be written by this host, so that they can be removed.

Pure. Stores the positions of fields, not their text. The work for one message is limited: characters examined per field and per
message, and the number of removals, because each costs the MTA more than the one before (Postfix's cleanup ends with a panic after
10,500). A field that exceeds a limit counts as forged.

RFC 8601 5 (Authentication-Results that claim our authserv-id), RFC 7208 9.1 (Received-SPF).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from ..policy.rules import MAX_FORGED
from .forged_results import claims, is_unsupported, views, without_comments
from .headers import AUTHENTICATION_RESULTS, RECEIVED_SPF

MAX_HEAD = 1024  # characters of an Authentication-Results field within which its authserv-id must end
MAX_FIELD = 4096  # characters of a Received-SPF field
MAX_CHARACTERS = 65_536  # characters examined in all fields of a message

_NOT_A_WORD = r"(?![A-Za-z0-9._-])"
# An unambiguous authserv-id: before the semicolon is nothing that a reader could decode, unquote or skip.
_PLAIN_HEAD = re.compile(r"[A-Za-z0-9._ \t\r\n-]*;")
_BLANKS_AND_QUOTES = re.compile(r'[\s"\\]+')


@functools.lru_cache(maxsize=8)
def watched(*others: str) -> frozenset[str]:
    """Return the lower-case names of the fields to examine. `others`: names of further fields, such as the tag field, or ""."""
    return frozenset(name.lower() for name in (AUTHENTICATION_RESULTS, RECEIVED_SPF, *others) if name)


class IncomingFields:
    """The watched fields of one message, added in order.

    `ours`: all authserv-ids of this host; `forged`: the number of forged fields. Counting stops at MAX_FORGED + 1, because then the
    message is refused.
    """

    __slots__ = ("_characters", "_counts", "_found", "_ours", "_tag", "forged")

    def __init__(self, ours: Sequence[str], tag: str) -> None:
        self.forged = 0
        self._ours = tuple(ours)
        self._tag = tag
        self._characters = 0
        self._counts: dict[str, int] = {}
        self._found: list[tuple[str, int]] = []

    def add(self, name: str, value: str) -> None:
        """Examine one field. `name`: in any case; a field that is not watched is ignored."""
        if self.forged > MAX_FORGED or name.lower() not in watched(self._tag):
            return
        canonical = next(n for n in (AUTHENTICATION_RESULTS, RECEIVED_SPF, self._tag) if n.lower() == name.lower())
        number = self._counts[canonical] = self._counts.get(canonical, 0) + 1
        if self._is_forged(canonical, value):
            self.forged += 1
            self._found.append((canonical, number))

    def removals(self) -> tuple[tuple[str, int], ...]:
        """Return name and number (from 1) of each field to remove; () if there are too many.

        The last field comes first, because Postfix renumbers the fields after each removal and Sendmail does not."""
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
    """Return whether a reader could take `receiver` for the host that wrote a Received-SPF value (RFC 7208 9.1). The host stands in
    the key `receiver`, or before the first colon of a comment. Case, quotes, blanks and look-alike characters are ignored."""
    if not receiver:
        return False
    ours = re.escape(receiver.lower().strip("."))
    pattern = re.compile(rf"(?:receiver=|\(){ours}\.?{_NOT_A_WORD}")
    return any(pattern.search(_BLANKS_AND_QUOTES.sub("", view).lower()) for view in (value, *views(value)))
