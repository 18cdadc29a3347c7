"""The counters of the parent process, which creates the shared memory, publishes the policy in it, and counts what only the parent
sees.

Must never fork or serve anything: the exporter does (daemon/exporter.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..policy.rules import Policy
from .counters import Counters
from .metric_definitions import BAD, CELLS, GOOD
from .shared_memory import PolicySnapshot, SharedMemory

_RESTARTS = CELLS[("worker_restarts_total",)]


class ParentCounters(Counters):
    """The parent's counters. `memory`: for the processes that it starts."""

    def __init__(self, workers: int) -> None:
        self.memory = SharedMemory(workers)
        self._published = PolicySnapshot()
        super().__init__(self.memory, workers)

    def publish(self, policy: Policy, servers: Iterable[object], down: Iterable[str], number: int = 0) -> None:
        """Publish the current rules and name servers. `down`: the name servers that do not answer; `number`: of the configuration.
        To be called before a worker gets that configuration."""
        snapshot = self._published.with_policy(policy, number).with_servers(map(str, servers), down)
        if snapshot != self._published:
            self._published = snapshot
            self.memory.publish(snapshot)

    def worker_ended(self, number: int) -> None:
        """Count a worker that ended and is replaced."""
        self.memory.worker_ended(number)
        self._cells[_RESTARTS] += 1

    def reloaded(self, is_good: bool) -> None:
        """Count a reload of the configuration."""
        self._cells[CELLS[("reloads_total", GOOD if is_good else BAD)]] += 1
