"""Add up what the facts of a message cost, in queries and time. Name the facts that came too late.

Only counts what it is given: never looks anything up, never waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..checks.evidence import TEMPERROR, Cost
from .check_runner import PendingFact, ReverseName


def cost_of(facts: Sequence[PendingFact[Any]], waited_ms: float) -> Cost:
    """Return the cost of the checks that have ended. `waited_ms`: milliseconds that the MTA was kept waiting."""
    trail = [answer for fact in facts for answer in fact.trail]
    if not trail:  # all facts are from the cache, as for most messages
        return Cost(unused=sum([fact.unused for fact in facts]), waited_ms=waited_ms)
    return Cost(
        queries=len(trail),
        cached=sum(answer.cached for answer in trail),
        unused=sum(fact.unused for fact in facts),
        dns_ms=_covered_ms([(fact.started, fact.ended) for fact in facts if fact.trail]),
        waited_ms=waited_ms,
    )


def late_facts(facts: Mapping[str, PendingFact[Any]], given_up: Collection[str]) -> tuple[str, ...]:
    """Return the names of the facts that came too late: the message stopped waiting for them (`given_up`), or their check reached
    its own deadline. The name of a source is left out."""
    return tuple(name.partition(" ")[0] for name, fact in facts.items() if name in given_up or _is_late(fact))


def _is_late(fact: PendingFact[Any]) -> bool:
    if not fact.trail:
        return False
    value = fact.value.iprev if isinstance(fact.value, ReverseName) else fact.value
    is_trouble = TEMPERROR in value if isinstance(value, tuple) else value is not None and value.result == TEMPERROR
    return is_trouble and any(each.status == "deadline" for each in fact.trail)


def _covered_ms(spans: list[tuple[float, float]]) -> float:
    """Return the milliseconds that at least one of the spans covers. The spans are in seconds."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return total * 1000
