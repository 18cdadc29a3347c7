"""Timers of equal length, which share one timer of the event loop.

Each query has a timer, and nearly all are cancelled within milliseconds. The event loop keeps its timers in a heap, cancelled ones
too; those of equal length expire in the order in which they were started, so that a queue is enough. Runs on the event loop's
thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

UNSEARCHED = 1000  # timers of a queue, cancelled ones included, that are kept without a search


class Timeout:
    """One timer. `when`: on the loop's clock."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call the callback any more."""
        self.callback = None


class Timeouts:
    """The timers of a resolver. Cancelled ones are dropped once they are the oldest, or once they may be the majority."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queues: dict[float, deque[Timeout]] = {}
        self._armed: dict[float, asyncio.TimerHandle] = {}
        self._limits: dict[float, int] = {}  # the lengths at which queues are searched for cancelled timers

    def start(self, seconds: float, callback: Callable[[], None]) -> Timeout:
        """Call the callback after so many seconds, unless the timer is cancelled."""
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        while queue and queue[0].callback is None:
            queue.popleft()
        if len(queue) >= self._limits.get(seconds, UNSEARCHED):
            queue = self._queues[seconds] = deque(each for each in queue if each.callback is not None)
            self._limits[seconds] = max(UNSEARCHED, 2 * len(queue))
        timeout = Timeout(self._loop.time() + seconds, callback)
        queue.append(timeout)
        if seconds not in self._armed:
            self._armed[seconds] = self._loop.call_at(timeout.when, self._expire, seconds)
        return timeout

    def close(self) -> None:
        """Cancel all timers."""
        for handle in self._armed.values():
            handle.cancel()
        self._armed.clear()
        self._queues.clear()
        self._limits.clear()

    def _expire(self, seconds: float) -> None:
        """Call the callbacks that are due, each as a callback of the loop."""
        queue, now = self._queues[seconds], self._loop.time()
        while queue and (queue[0].callback is None or queue[0].when <= now):
            timeout = queue.popleft()
            if timeout.callback is not None:
                self._loop.call_soon(_call, timeout)
        if queue:
            self._armed[seconds] = self._loop.call_at(queue[0].when, self._expire, seconds)
        else:
            del self._armed[seconds], self._queues[seconds]
            self._limits.pop(seconds, None)


def _call(timeout: Timeout) -> None:
    """Call the callback, unless the timer has been cancelled meanwhile."""
    if timeout.callback is not None:
        timeout.callback()
