"""Clients that come all the time, each with a whole message, and count what befalls them.

with Visitors(spec, 4, client=GOOD, code=550) as visitors:
    ...            # restart the milter
    visitors.more(50)
assert visitors.failed == []
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from tests.kit.daemon import until
from tests.kit.mta import deliver

PATIENCE = 60.0


class Visitors:
    """`count` of them at a time. `served`: how many were answered with `code` (0: taken) at RCPT; `failed`: what befell the
    others."""

    def __init__(self, spec: str, count: int, code: int, **message: Any) -> None:
        self.served = 0
        self.failed: list[str] = []
        self._spec, self._code, self._message = spec, code, message
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._visit) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> None:
        """Wait until so many more have been served, or one has not. Raises TimeoutError."""
        goal = self.served + count
        until(lambda: self.served >= goal or self.failed, PATIENCE)

    def _visit(self) -> None:
        while not self._over.is_set():
            try:
                reply = deliver(self._spec, timeout=PATIENCE, **self._message).rcpts[0]
                wrong = "" if reply.code == self._code else str(reply)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                wrong = repr(error)
            with self._lock:
                if wrong:
                    self.failed.append(wrong)
                else:
                    self.served += 1
