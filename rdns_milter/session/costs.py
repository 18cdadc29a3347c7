"""What a message's facts cost: questions, and the time that they took; and which took too long.

Adds up only what it is given; never asks or waits for anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..checks.evidence import TEMPERROR, Cost
from .check_runner import Pending, ReverseName


def cost_of(pendings: Sequence[Pending[Any]], waited_ms: float) -> Cost:
    """The cost of what has ended by now. `waited_ms`: milliseconds that the MTA was kept waiting."""
    trail = [answer for pending in pendings for answer in pending.trail]
    return Cost(
        queries=len(trail),
        cached=sum(answer.cached for answer in trail),
        unused=sum(pending.vain for pending in pendings),
        dns_ms=_span_ms([(pending.began, pending.ended) for pending in pendings if pending.trail]),
        waited_ms=waited_ms,
    )


def late_facts(pendings: Mapping[str, Pending[Any]], given_up: Collection[str]) -> tuple[str, ...]:
    """The names of the facts that were not there in time: the message waited for them no longer, or their check had no more
    time."""
    return tuple(name for name, pending in pendings.items() if name in given_up or _is_late(pending))


def _is_late(pending: Pending[Any]) -> bool:
    value = pending.value
    found = value.iprev if isinstance(value, ReverseName) else value
    return found is not None and found.result == TEMPERROR and any(each.status == "deadline" for each in pending.trail)


def _span_ms(spans: list[tuple[float, float]]) -> float:
    """Milliseconds that lie within any of the spans."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return total * 1000
