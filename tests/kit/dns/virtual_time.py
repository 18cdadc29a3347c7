"""An event loop with a virtual clock: where a real loop would sleep, the clock jumps. So time-outs, deadlines and the lives of
cached answers can be tested in microseconds, in the same order each time.

Only for timers and futures: a socket that is not ready is never waited for.
"""

from __future__ import annotations

import asyncio
import selectors


class _Clock(selectors.SelectSelector):
    """A selector that advances its clock instead of waiting."""

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
    """The loop. Its clock starts at 0 seconds. The caller closes it."""

    def __init__(self) -> None:
        self._virtual = _Clock()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, with everything that is due in them."""
        self.run_until_complete(asyncio.sleep(seconds))
