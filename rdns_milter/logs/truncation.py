"""Shorten texts and addresses for a log line, whose length is bounded.

Pure. Must never turn an address into another valid one.

RFC 5321 section 4.5.3.1 (lengths of addresses).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..net.mailboxes import parse_mailbox
from ..text.escape import ELLIPSIS

MAX_ADDRESS = 320  # characters: 64 for the local part, 255 for the domain, and the "@"
# Characters at which a parser could divide a cut address.
_DIVIDING = re.compile(r'["\\@<\s]')


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text, with an ellipsis if there are more."""
    return text if len(text) <= limit else text[: limit - len(ELLIPSIS)] + ELLIPSIS


def cut_address(path: str, limit: int) -> str:
    """Return at most `limit` characters of an address. The local part is cut, because rules test the domain more often."""
    if len(path) <= limit:
        return path
    domain = parse_mailbox(path).domain
    room = limit - len(ELLIPSIS) - 1 - len(domain)
    if not domain or room < 1:
        return cut(path, limit)
    return _DIVIDING.sub("?", path[:room]) + ELLIPSIS + "@" + domain


def joined(rcpts: tuple[str, ...], limit: int, each: int) -> str | None:
    """Join as many addresses as fit into `limit` characters, each cut to `each` characters; None if there is no address. Commas and
    backslashes in an address are escaped with a backslash; logged_evidence.rcpts_of takes the text apart again."""
    taken: list[str] = []
    left = limit
    for rcpt in rcpts:
        text = cut_address(rcpt, each).replace("\\", "\\\\").replace(",", "\\,")
        left -= len(text) + 1
        if left < 0:
            break
        taken.append(text)
    return ",".join(taken) or None


def whole_items(items: Iterable[str], limit: int) -> str:
    """Join as many of the items as fit into `limit` characters, with an ellipsis as the last item if there are more. No item is
    cut."""
    text = ",".join(items)
    if len(text) <= limit:
        return text
    end = text.rfind(",", 0, limit - len(ELLIPSIS))
    return text[: end + 1] + ELLIPSIS
