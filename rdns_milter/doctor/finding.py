"""One line of `rdns-milter doctor`: what was looked at, how it is, and the command or line that mends it.

Pure records. Looks at nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, BAD = LEVELS = ("ok", "warn", "bad")


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject`: what was looked at; `text`: the finding, one sentence without its full stop; `remedy`: commands and lines that
    mend it, each as it is to be typed or written, () if nothing needs to be done."""

    level: str
    subject: str
    text: str
    remedy: tuple[str, ...] = ()


def ok(subject: str, text: str) -> Finding:
    """Return a finding that needs no remedy."""
    return Finding(OK, subject, text)


def warn(subject: str, text: str, *remedy: str) -> Finding:
    """Return a finding on a fault that has a cost, but does not keep the milter from its work."""
    return Finding(WARN, subject, text, remedy)


def bad(subject: str, text: str, *remedy: str) -> Finding:
    """Return a finding on a fault that keeps the milter from its work."""
    return Finding(BAD, subject, text, remedy)
