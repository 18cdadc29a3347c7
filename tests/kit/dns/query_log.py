"""Which questions came to the tests' name server, and how often: what tests assert about a resolver's manners."""

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
    """How a question is kept: the name in lower case without the last dot, the type in upper case."""
    return name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(rdtype)


class Queries:
    """The questions since the last `reset`, oldest first; safe to read from any thread.

    `counter`: by (name, type). `transports`: by "udp" and "tcp". `malformed`: what was no query and was dropped.
    `unanswered`: for which nothing was or will be sent. `outstanding`: answers on their way (late ones), and the most
    there ever were at once. `faults`: exceptions while answering; a test may hold that there are none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.outstanding = 0
        self.reset()

    def reset(self) -> None:
        """Forget all but the answers that are on their way."""
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
        """How many questions came for this name (an address: its reverse name) and type; None: any."""
        wanted = None if name is None else read_owner(name).to_text(omit_final_dot=True).lower()
        with self._lock:
            return sum(
                times for (one, kind), times in self.counter.items() if wanted in (None, one) and rdtype in (None, kind)
            )

    def wait(self, times: int = 1, name: str | None = None, rdtype: str | None = None, within: float = 5.0) -> bool:
        """Wait until so many such questions have come; False: they did not within so many seconds."""
        end = time.monotonic() + within
        while (enough := self.count(name, rdtype) >= times) is False and time.monotonic() < end:
            time.sleep(POLL)
        return enough

    def note(self, asked: tuple[str, str], tcp: bool) -> None:
        """A question came."""
        with self._lock:
            self.log.append(asked)
            self.counter[asked] += 1
            self.transports["tcp" if tcp else "udp"] += 1

    def began(self) -> None:
        """An answer is on its way and will take time."""
        with self._lock:
            self.outstanding += 1
            self.outstanding_max = max(self.outstanding_max, self.outstanding)

    def ended(self) -> None:
        """It has been sent."""
        with self._lock:
            self.outstanding -= 1
