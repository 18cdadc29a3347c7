"""The counters of one process: each event is a few additions in the process's row of the shared memory.

On the path that judges a client: no system call, no lock shared with another process, one or two microseconds per message. Must
never raise because of an event's content: label values that are not in the table of metrics are discarded.

Why not prometheus-client's multiprocess mode: it writes a file for every process that ever existed, while the milter writes nothing
but its socket and its log, and it takes about ten microseconds for what a message adds here. The library does produce the text
(monitoring/exposition.py).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping

from ..checks.evidence import FACTS, LOOKED_UP, NOTHING_LATE, SOURCES, Cost, Evidence, Late
from ..policy.rules import ACTIONS, Verdict
from ..resolver.lookup import Type
from .alarms import Alarm
from .congestion import Congestion
from .metric_definitions import (
    CELLS,
    CONFIG_NUMBER,
    DISCARDED,
    HEARTBEAT,
    LISTED,
    MICROSECONDS,
    OTHER,
    SERIES,
    SOURCE_VALUES,
    STAGES,
)
from .shared_memory import PolicySnapshot, SharedMemory

_WAIT_BUCKETS, _DNS_BUCKETS = SERIES["wait_seconds"].buckets, SERIES["dns_query_seconds"].buckets
_WAITS = {stage: CELLS[("wait_seconds", stage)] for stage in STAGES}
_DNS = CELLS[("dns_query_seconds",)]
_MESSAGES, _VAIN = CELLS[("messages_total",)], CELLS[("dns_vain_total",)]
_CACHE_HITS, _COALESCED = CELLS[("dns_cache_hits_total",)], CELLS[("dns_coalesced_total",)]
_SPARED = CELLS[("dns_spared_total",)]
_CROWDED_OUT, _OUTSTANDING = CELLS[("dns_crowded_out_total",)], CELLS[("dns_outstanding",)]
_SOFTENED, _OPEN = CELLS[("softened_total",)], CELLS[("connections_open",)]
_ERRORS, _DROPPED = CELLS[("internal_errors_total",)], CELLS[("log_lines_dropped_total",)]
_FORGED = CELLS[("forged_fields_total",)]
_LATE = {fact: CELLS[("late_facts_total", fact)] for fact in (*LOOKED_UP, *SOURCES)}
_SOURCES = {name: {word: CELLS[("facts_total", name, word)] for word in words} for name, words in SOURCE_VALUES.items()}
_FACTS: tuple[tuple[Callable[[Evidence], str], Mapping[str, int]], ...] = tuple(
    (fact.get, {word: CELLS[("facts_total", name, word)] for word in fact.words}) for name, fact in FACTS.items()
)


class Counters:
    """The counters of one process, in a row that no other process writes. Thread-safe except where noted. `congestion`: counts by
    client and sender domain, which must not become labels."""

    def __init__(self, memory: SharedMemory, row: int) -> None:
        self._memory = memory
        self._cells = memory.rows[row]
        self._lock = threading.Lock()
        self.congestion = Congestion()
        self._decisions: dict[str, dict[str, int]] = {}
        self._shadows: dict[str, int] = {}
        self._use(memory.snapshot() or PolicySnapshot())

    def load_rules(self) -> None:
        """Read the names of the current rules from the shared memory."""
        snapshot = self._memory.snapshot()
        if snapshot is not None:
            self._use(snapshot)

    def _use(self, snapshot: PolicySnapshot) -> None:
        slots = {rule.name: slot for slot, rule in enumerate(snapshot.rules)}
        self._decisions = {
            name: {action: CELLS[("decisions_total", action, slot)] for action in ACTIONS}
            for name, slot in slots.items()
        }
        self._shadows = {name: CELLS[("shadow_hits_total", slot)] for name, slot in slots.items()}

    # Reported by sessions.

    def judged(self, cost: Cost, forged: int, late: Late = NOTHING_LATE) -> None:
        """Count a judged message. `forged`: the number of its header fields that claimed to be ours; `late`: the facts that it was
        judged without."""
        self.congestion.judged(late)
        with self._lock:
            self._cells[_MESSAGES] += 1
            self._cells[_VAIN] += cost.unused
            self._cells[_FORGED] += forged
            for fact in late.facts:
                self._cells[_LATE.get(fact, DISCARDED)] += 1

    def decided(self, verdict: Verdict, evidence: Evidence) -> None:
        """Count a decision."""
        cells = self._cells
        rule = self._decisions.get(verdict.rule) or self._decisions[OTHER]
        with self._lock:
            cells[rule[verdict.action]] += 1
            for get, words in _FACTS:
                cells[words.get(get(evidence), DISCARDED)] += 1
            if evidence.client_spf or evidence.dnslist:
                self._count_sources(evidence)
            if verdict.would or verdict.shadow_rules or verdict.softened:
                self._count_not_done(verdict)

    def _count_sources(self, evidence: Evidence) -> None:
        """Count each provider and each DNS list that was asked."""
        for kind, found in zip(SOURCES, (evidence.client_spf, evidence.dnslist), strict=True):
            for value in dict(found or ()).values():
                self._cells[_SOURCES[kind].get(LISTED if "." in value else value, DISCARDED)] += 1

    def _count_not_done(self, verdict: Verdict) -> None:
        cells = self._cells
        cells[_SOFTENED] += verdict.softened
        for action in verdict.would:
            cells[CELLS.get(("would_total", action), DISCARDED)] += 1
        for name in verdict.shadow_rules:
            cells[self._shadows.get(name, self._shadows[OTHER])] += 1

    def waited(self, stage: str, seconds: float) -> None:
        """Count a message that waited at this stage, and the time."""
        with self._lock:
            self._observe(_WAITS[stage], _WAIT_BUCKETS, seconds)

    def waited_for(self, stage: str, fact: str, ms: float) -> None:
        """Count a wait for a fact, and the time."""
        with self._lock:
            self._cells[CELLS.get(("fact_waits_total", stage, fact), DISCARDED)] += 1
            self._cells[CELLS.get(("fact_wait_seconds_total", stage, fact), DISCARDED)] += int(ms * 1000)

    # Reported by the resolver, on the event loop's thread only: no lock is needed.

    def query_done(self, kind: Type, outcome: str, seconds: float) -> None:
        """Count a query that was answered or given up: see ResolverEvents."""
        self._cells[CELLS.get(("dns_queries_total", kind, outcome), DISCARDED)] += 1
        self._observe(_DNS, _DNS_BUCKETS, seconds)

    def cache_hit(self) -> None:
        """Count a question that was answered from the cache."""
        self._cells[_CACHE_HITS] += 1

    def joined(self) -> None:
        """Count a question that joined an equal query."""
        self._cells[_COALESCED] += 1

    def crowded_out(self, client: str, sender: str) -> None:
        """Count a question that found no place in time: see ResolverEvents."""
        self._cells[_CROWDED_OUT] += 1
        self.congestion.crowded_out(client, sender)

    def zone_skipped(self) -> None:
        """Count a question that was not sent because its zone does not answer."""
        self._cells[_SPARED] += 1

    # Reported by the process itself.

    def internal_error(self) -> None:
        """Count an error in the milter itself."""
        with self._lock:
            self._cells[_ERRORS] += 1

    def line_dropped(self) -> None:
        """Count a lost log line."""
        with self._lock:
            self._cells[_DROPPED] += 1

    def count_alarm(self, alarm: Alarm) -> bool:
        """Count an alarm, unless it does not repeat and a process has raised it already. Return True if it was counted: then it is
        to be logged."""
        cell = CELLS[("alarms_total", alarm.name)]
        with self._lock:
            if not alarm.repeats and self._memory.total(cell):
                return False
            self._cells[cell] += 1
        return True

    def set_config(self, number: int) -> None:
        """Record the number of the configuration that the worker uses. From a single thread."""
        self._cells[CONFIG_NUMBER] = number

    def heartbeat(self, now: float) -> None:
        """Record that the event loop is alive. `now`: the loop's clock. From a single thread."""
        self._cells[HEARTBEAT] = int(now * 1000)

    def set_gauges(self, outstanding: int, connections: int) -> None:
        """Record the DNS questions under way and the open connections. From a single thread."""
        self._cells[_OUTSTANDING] = outstanding
        self._cells[_OPEN] = connections

    def _observe(self, first: int, buckets: tuple[float, ...], seconds: float) -> None:
        cells = self._cells
        cells[first + bisect_left(buckets, seconds)] += 1
        cells[first + len(buckets) + 1] += max(0, int(seconds * MICROSECONDS))
