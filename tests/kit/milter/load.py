"""Send messages without a pause from several clients at once until the context ends, and count the results.

with Load(lambda n: deliver(spec, client=CLIENTS[n % 9]).verdict.code) as load:
    load.wait(50)
    ...  # something happens
    load.wait(50)
assert load.lost == [] and set(load.codes) == {0}
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

PATIENCE = 60.0
POLL = 0.005


class Load:
    """`send` gets the message's number and returns the reply code; what it raises is kept in `lost`. At the end of the context,
    messages under way are waited for. `pause`: seconds that a client waits after each message."""

    def __init__(self, send: Callable[[int], int], clients: int = 4, pause: float = 0.0) -> None:
        self.codes: Counter[int] = Counter()
        self.lost: list[Exception] = []
        self._send = send
        self._pause = pause
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, name="load", daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert error is not None or not any(thread.is_alive() for thread in self._threads), "a message does not end"

    @property
    def sent(self) -> int:
        """Messages that have ended, with a reply or an error."""
        return self.codes.total() + len(self.lost)

    def wait(self, count: int) -> None:
        """Wait until this many more messages have ended. Raises TimeoutError."""
        wanted, end = self.sent + count, time.monotonic() + PATIENCE
        while self.sent < wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"{wanted - self.sent} messages have not ended")
            time.sleep(POLL)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers)
            try:
                code = self._send(number)
            except Exception as error:  # noqa: BLE001 - for any error the message is lost
                with self._lock:
                    self.lost.append(error)
                self._stop.wait(max(self._pause, POLL))
            else:
                with self._lock:
                    self.codes[code] += 1
                self._stop.wait(self._pause)
