"""The queries that the tests' name server received, and how often: what tests check about a resolver."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator

import dns.rdatatype
from dns.name import Name
from dns.rdatatype import RdataType

from tests.kit.dns.zone_text import read_owner

KEPT = 200_000
FAULTS_KEPT = 100
POLL = 0.005


def question(name: Name, rdtype: RdataType) -> tuple[str, str]:
    """Return a question as it is stored: the name in lower case without the final dot, the type in upper case."""
    return name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(rdtype)


class Queries:
    """The queries since the last `reset`, oldest first. Safe to read from any thread.

    `counter`: by (name, type). `transports`: by "udp" and "tcp". `malformed`: the number of dropped messages that were no query.
    `unanswered`: the number without an answer. `outstanding`: late answers that are not sent yet, and the most there ever were at
    the same time. `faults`: exceptions while answering; a test may assert that there are none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.outstanding = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything except answers that are not sent yet."""
        with self._lock:
            self.log: deque[tuple[str, str]] = deque(maxlen=KEPT)
            self.counter: Counter[tuple[str, str]] = Counter()
            self.transports: Counter[str] = Counter()
            self.faults: deque[Exception] = deque(maxlen=FAULTS_KEPT)
            self.malformed = self.unanswered = 0
            self.outstanding_max = self.outstanding

    def __len__(self) -> int:
        return self.counter.total()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        with self._lock:
            return iter(tuple(self.log))

    def count(self, name: str | None = None, rdtype: str | None = None) -> int:
        """Return the number of queries for this name (an address: its reverse name) and type; None for any."""
        wanted = None if name is None else read_owner(name).to_text(omit_final_dot=True).lower()
        with self._lock:
            return sum(
                times for (one, kind), times in self.counter.items() if wanted in (None, one) and rdtype in (None, kind)
            )

    def wait(self, times: int = 1, name: str | None = None, rdtype: str | None = None, within: float = 5.0) -> bool:
        """Wait until so many such queries have arrived. Return False if they did not within so many seconds."""
        end = time.monotonic() + within
        while (enough := self.count(name, rdtype) >= times) is False and time.monotonic() < end:
            time.sleep(POLL)
        return enough

    def note(self, asked: tuple[str, str], tcp: bool) -> None:
        """Note a query."""
        with self._lock:
            self.log.append(asked)
            self.counter[asked] += 1
            self.transports["tcp" if tcp else "udp"] += 1

    def began(self) -> None:
        """Note an answer that will be sent later."""
        with self._lock:
            self.outstanding += 1
            self.outstanding_max = max(self.outstanding_max, self.outstanding)

    def ended(self) -> None:
        """Note that it was sent."""
        with self._lock:
            self.outstanding -= 1
