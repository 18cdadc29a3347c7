"""An event loop whose time is an argument: where a real one would sleep, its clock jumps. Nothing waits, and everything that
takes seconds (time-outs, deadlines, the life of a cached answer) can be tried in microseconds, in the same order each time.

Only for what lives on timers and futures: a socket that is not ready yet is never waited for.
"""

from __future__ import annotations

import asyncio
import selectors


class _Clock(selectors.SelectSelector):
    """Moves its time instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is left that could happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. Its clock begins at 0 seconds. To be closed by whoever made it."""

    def __init__(self) -> None:
        self._virtual = _Clock()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds of its own time."""
        return self._virtual.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, and all that is due in them happen."""
        self.run_until_complete(asyncio.sleep(seconds))
