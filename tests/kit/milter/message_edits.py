"""A message as the MTA leaves it after a milter's changes.

Postfix and Sendmail differ: Postfix really removes a header that is deleted, so that those below it get new numbers; Sendmail
keeps an empty place, and numbers stay. In both, CHANGE counts the headers of one name and passes over the MTA's own `Received`,
INSERT counts all headers with that one included. Not as Sendmail does it: INSERT at 2 and more, and CHANGE of a header that is not
there (it puts both elsewhere). Pure: bytes and sockets stay outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.kit.milter.packets import Change

RECEIVED = ("Received", "from the client by the MTA of tests.kit")


@dataclass(frozen=True, slots=True)
class Message:
    """Headers in order (the MTA's own `Received` among them), body, the quarantine's reason (None: not quarantined)."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    quarantined: str | None

    def values(self, name: str) -> list[str]:
        """Values of all headers of that name, from the top."""
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
    """The message of `headers` and `body` after `changes`, in their order, as `mta` ("postfix", "sendmail") applies them."""
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
