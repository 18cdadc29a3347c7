"""Apply a milter's changes to a message as Postfix or Sendmail do.

They differ: Postfix removes a header that is deleted, so that those below it get new numbers; Sendmail keeps an empty place, and
the numbers stay. In both, CHANGE counts the headers of one name without the MTA's own `Received`, and INSERT counts all headers
with it. Not modelled for Sendmail: INSERT at 2 and more, and CHANGE of a header that does not exist (it puts both elsewhere). No
I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.kit.milter.packets import Change

RECEIVED = ("Received", "from the client by the MTA of tests.kit")


@dataclass(frozen=True, slots=True)
class Message:
    """Headers in order (with the MTA's own `Received`), body, and the reason of the quarantine (None: not quarantined)."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    quarantined: str | None

    def values(self, name: str) -> list[str]:
        """Return the values of all headers of that name, from the top."""
        return [value for found, value in self.headers if found.lower() == name.lower()]


@dataclass(slots=True)
class _Field:
    name: str
    value: str
    own: bool = False
    gone: bool = False


def edited(
    headers: Sequence[tuple[str, str]], body: bytes, changes: Iterable[Change], *, mta: str = "postfix"
) -> Message:
    """Return the message of `headers` and `body` after `changes`, applied in order as `mta` ("postfix", "sendmail") does."""
    fields = [_Field(*RECEIVED, own=True), *(_Field(name, value) for name, value in headers)]
    chunks: list[bytes] = []
    quarantined = None
    for change in changes:
        if change.kind == "add":
            fields.append(_Field(change.name, change.value))
        elif change.kind == "insert":
            fields.insert(change.index, _Field(change.name, change.value))
        elif change.kind == "change":
            _change(fields, change, renumbers=mta == "postfix")
        elif change.kind == "quarantine":
            quarantined = change.value
        elif change.kind == "replace_body":
            chunks.append(change.chunk)
    kept = tuple((field.name, field.value) for field in fields if not field.gone)
    return Message(kept, b"".join(chunks) if chunks else body, quarantined)


def _change(fields: list[_Field], change: Change, *, renumbers: bool) -> None:
    same = [field for field in fields if field.name.lower() == change.name.lower() and not field.own]
    index = max(change.index, 1)
    if index > len(same):
        if change.value:
            fields.append(_Field(change.name, change.value))
        return
    field = same[index - 1]
    if not change.value and renumbers:
        fields[:] = [other for other in fields if other is not field]
    elif not change.value:
        field.gone = True
    else:
        field.name, field.value, field.gone = change.name, change.value, False
