"""One line of `rdns-milter doctor`: what was looked at, how it is, and the command or line that mends it.

Pure records. Looks at nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, BAD = LEVELS = ("ok", "warn", "bad")


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject`: what was looked at; `text`: how it is, one sentence without its full stop; `remedy`: commands and lines that mend
    it, each a line to be typed or written as it stands, () where nothing needs to be done."""

    level: str
    subject: str
    text: str
    remedy: tuple[str, ...] = ()


def ok(subject: str, text: str) -> Finding:
    """Return a finding with nothing to mend."""
    return Finding(OK, subject, text)


def warn(subject: str, text: str, *remedy: str) -> Finding:
    """Return a finding that costs something and stops nothing."""
    return Finding(WARN, subject, text, remedy)


def bad(subject: str, text: str, *remedy: str) -> Finding:
    """Return a finding without whose remedy the milter does not do its work."""
    return Finding(BAD, subject, text, remedy)
