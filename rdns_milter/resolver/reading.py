"""What one DNS response says, whichever reader has read it: resolver/plain_answer.py or resolver/wire.py.

A record, nothing else. Must never hold more values than MAX_VALUES.
"""

from __future__ import annotations

from dataclasses import dataclass

from .lookup import Status, Value

MAX_VALUES = 1024  # of one response; more are not kept


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response says. `truncated`: ask again by TCP. `without_edns`: ask again without EDNS. `chase`: the name behind
    a CNAME whose records the response does not hold; "" if there is none. `ttl`: seconds."""

    status: Status
    values: tuple[Value, ...] = ()
    ttl: float = 0.0
    truncated: bool = False
    without_edns: bool = False
    chase: str = ""
