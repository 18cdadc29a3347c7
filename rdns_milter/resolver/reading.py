"""The contents of one DNS response, as resolver/plain_answer.py or resolver/wire.py has parsed it.

Plain data. Must never hold more than MAX_VALUES values.
"""

from __future__ import annotations

from typing import NamedTuple

from .lookup import Status, Value

MAX_VALUES = 1024  # of one response; more are not kept


class Reading(NamedTuple):
    """The contents of a response. `truncated`: True if the query must be sent again over TCP. `without_edns`: True if it must be
    sent again without EDNS. `chase`: the name to which a CNAME leads, if the response lacks the records of that name; else "".
    `ttl`: seconds."""

    status: Status
    values: tuple[Value, ...] = ()
    ttl: float = 0.0
    truncated: bool = False
    without_edns: bool = False
    chase: str = ""
