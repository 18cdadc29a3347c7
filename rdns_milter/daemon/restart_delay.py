"""How long to wait before a child process that has ended is started again: not at all if it lived long enough, otherwise longer
each time.

Pure. Must never exceed the upper bound.
"""

from __future__ import annotations


class RestartDelay:
    """Exponential back-off between `lower` and `upper` seconds, for a process that ends within `min_life` seconds of its start.
    `seconds`: the current delay."""

    def __init__(self, lower: float, upper: float, min_life: float) -> None:
        self._lower = lower
        self._upper = upper
        self._min_life = min_life
        self.seconds = 0.0

    def ended(self, lifetime: float) -> float:
        """Return the delay in seconds after a process that lived `lifetime` seconds; 0 for a process that could not be started."""
        is_short = lifetime <= self._min_life
        self.seconds = min(self._upper, max(self._lower, self.seconds * 2)) if is_short else 0.0
        return self.seconds
