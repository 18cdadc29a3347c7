"""The scenarios in which a milter is measured, and the figures of a scenario."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from tests.bench.clients import HOLES
from tests.bench.load import Load, Result
from tests.bench.peers import Peer
from tests.bench.stub_nameserver import StubProcess

WARM_CLIENTS = 100
WARM_UP = 8 * WARM_CLIENTS  # messages; enough that each worker has seen each client
AT_ONCE = 10
ANSWERED = frozenset(("accepted", "refused"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario. `delay`: milliseconds until DNS answers; `think`: milliseconds before each SMTP command."""

    name: str
    what: str
    warm: bool = False
    delay: int = 0
    think: int = 0


SCENARIOS = (
    Scenario("warm", f"{WARM_CLIENTS} clients again and again", warm=True),
    Scenario("cold", "every message from a client that was never seen"),
    Scenario("cold-20ms", "the same, and DNS takes 20 ms for each answer", delay=20),
    Scenario("cold-20ms-think", "the same, and so does the client for each SMTP command", delay=20, think=20),
)
BURST = "burst-silent"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one peer: messages per second; milliseconds that the MTA waited for it, median and 99th percentile;
    microseconds of CPU time per message, of all its processes and of the load generator; DNS questions per message."""

    messages: int
    rate: float
    wait_p50: float
    wait_p99: float
    cpu: float
    queries: float
    load_cpu: float
    failed: int = 0

    def ratios(self, floor: Figures) -> dict[str, float]:
        """Return the ratios to the floor's figures."""
        return {
            name: getattr(self, name) / max(getattr(floor, name), 1e-9)
            for name in ("rate", "wait_p50", "wait_p99", "cpu")
        }


@dataclass(frozen=True, slots=True)
class Burst:
    """The result of many conversations at the same time while DNS does not answer: their number; those answered, and those answered
    within the deadline plus one second; seconds that the last one waited; the milter's peak memory in megabytes."""

    conversations: int
    answered: int
    in_time: int
    deadline: float
    longest: float
    cpu: float
    peak_mb: float
    ended: dict[str, int]


class Bench:
    """Measure peers with one DNS stub. In cold scenarios each client is new to all peers."""

    def __init__(self, stub: StubProcess) -> None:
        self._stub = stub
        self._fresh = itertools.count(WARM_CLIENTS)

    def warm_up(self, peer: Peer) -> None:
        """Send messages of the warm clients, so that the peer has them in its cache."""
        Load(peer.path, _again(), AT_ONCE, messages=WARM_UP).run()

    def measure(self, peer: Peer, scenario: Scenario, seconds: float) -> Figures:
        """Return the peer's figures in a scenario, from one run of this many seconds."""
        self._stub.delay(scenario.delay)
        numbers = _again() if scenario.warm else self._fresh
        queries, cpu = self._stub.queries, peer.cpu
        result = Load(peer.path, numbers, AT_ONCE, seconds=seconds, think=scenario.think / 1000).run()
        cpu, queries = peer.cpu - cpu, self._stub.queries - queries
        self._stub.delay(0)
        peer.forget_log()
        return _figures(result, cpu, queries)

    def burst(self, peer: Peer, conversations: int, deadline: float) -> Burst:
        """Return the result of this many conversations at the same time while DNS does not answer."""
        cpu = peer.cpu
        result = Load(peer.path, itertools.count(HOLES), conversations, messages=conversations).run()
        cpu = peer.cpu - cpu
        peer.forget_log()
        return Burst(
            conversations=conversations,
            answered=result.messages,
            in_time=sum(wait <= deadline + 1 for wait in result.waits),
            deadline=deadline,
            longest=result.wait(1.0),
            cpu=cpu / conversations * 1e6,
            peak_mb=peer.peak,
            ended=dict(result.ended),
        )


def _again() -> Iterator[int]:
    return itertools.cycle(range(WARM_CLIENTS))


def _figures(result: Result, cpu: float, queries: int) -> Figures:
    messages = max(result.messages, 1)
    return Figures(
        messages=result.messages,
        rate=result.messages / result.seconds,
        wait_p50=result.wait(0.5) * 1e3,
        wait_p99=result.wait(0.99) * 1e3,
        cpu=cpu / messages * 1e6,
        queries=queries / messages,
        load_cpu=result.cpu / messages * 1e6,
        failed=sum(count for why, count in result.ended.items() if why not in ANSWERED),
    )


def median(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure over several runs; messages and failures are summed."""
    chosen = {each.name: statistics.median([getattr(run, each.name) for run in runs]) for each in fields(Figures)}
    chosen["messages"] = sum(run.messages for run in runs)
    chosen["failed"] = sum(run.failed for run in runs)
    return Figures(**chosen)


def as_json(figures: Figures | Burst) -> dict[str, object]:
    """Return the figures for the JSON file."""
    return asdict(figures)
