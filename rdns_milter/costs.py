"""What a message's facts cost: questions, and the time that they took.

Adds up only what it is given; never asks or waits for anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .evidence import Cost
from .findings import Pending


def cost_of(pendings: Sequence[Pending[Any]], waited_ms: float) -> Cost:
    """The cost of what has ended by now. `waited_ms`: milliseconds that the MTA was kept waiting."""
    trail = [answer for pending in pendings for answer in pending.trail]
    return Cost(
        queries=len(trail),
        cached=sum(answer.cached for answer in trail),
        vain=sum(pending.vain for pending in pendings),
        dns_ms=_span_ms([(pending.began, pending.ended) for pending in pendings if pending.trail]),
        waited_ms=waited_ms,
    )


def _span_ms(spans: list[tuple[float, float]]) -> float:
    """Milliseconds that lie within any of the spans."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return total * 1000
