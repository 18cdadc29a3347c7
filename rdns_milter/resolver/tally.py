"""What a resolver tells whoever counts.

Counts nothing itself: this one forgets what it is told at once. Called on the event loop's thread only.
"""

from __future__ import annotations

from .lookup import Type


class Tally:
    """To be derived from; as it is, nothing is counted."""

    def landed(self, kind: Type, outcome: str, seconds: float) -> None:
        """A query had its answer, or was given up: the answer's status, or "cname" if it led to another name only."""

    def remembered(self) -> None:
        """A question was answered from memory."""

    def joined(self) -> None:
        """A question joined an equal one that was under way."""

    def crowded_out(self, client: str = "", sender: str = "") -> None:
        """A question found no place while it was needed. `client`: for which one, or network of some; `sender`: for SPF of which
        domain, or ""."""

    def spared(self) -> None:
        """A question was not asked because its zone does not answer."""
