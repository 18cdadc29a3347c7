"""The contents of one DNS response, as resolver/plain_answer.py or resolver/wire.py has parsed it.

Plain data. Must never hold more than MAX_VALUES values.
"""

from __future__ import annotations

from typing import NamedTuple

from .lookup import Status, Value

MAX_VALUES = 1024  # of one response; more are not kept


class Reading(NamedTuple):
    """The contents of a response. `truncated`: send the query again over TCP. `without_edns`: send it again without EDNS. `chase`:
    the name to which a CNAME leads whose records are not in the response; "" if there is none. `ttl`: seconds."""

    status: Status
    values: tuple[Value, ...] = ()
    ttl: float = 0.0
    truncated: bool = False
    without_edns: bool = False
    chase: str = ""
