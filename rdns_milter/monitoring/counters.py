"""What a process counts: each event is a few additions in its row of the ledger.

Lies on the path that judges a client: no system call, no lock that another process could hold, one or two microseconds a
message. Must never raise for what an event holds: what has no place in the table of series is added up nowhere.

Why not prometheus-client's multiprocess mode: it writes a file for each process that was ever there, and the milter writes
nothing but its socket and its log; and for what a message adds here it takes some ten microseconds. What the library does well,
the text, it does (monitoring/exposition.py).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping

from ..checks.evidence import FACTS, LOOKED_UP, NOTHING_LATE, Cost, Evidence, Late
from ..policy.rules import ACTIONS, Verdict
from ..resolver.lookup import Type
from ..resolver.tally import Tally
from .alarms import Alarm
from .congestion import Congestion
from .definitions import ALIVE, BAD, CELLS, CONFIG, GOOD, MICRO, NOWHERE, OTHER, SERIES, STAGES
from .shared_memory import Board, Ledger

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
_LATE = {fact: CELLS[("late_facts_total", fact)] for fact in LOOKED_UP}
_RESTARTS = CELLS[("worker_restarts_total",)]
_FACTS: tuple[tuple[Callable[[Evidence], str], Mapping[str, int]], ...] = tuple(
    (fact.get, {word: CELLS[("facts_total", name, word)] for word in fact.words}) for name, fact in FACTS.items()
)


class Meter(Tally):
    """Counts for one process, in a row that no other process writes. From any thread, but for what says otherwise.
    `congestion`: whose questions and messages had no place and no time, which is no series: names are of the network."""

    def __init__(self, ledger: Ledger, row: int) -> None:
        self._ledger = ledger
        self._cells = ledger.rows[row]
        self._lock = threading.Lock()
        self.congestion = Congestion()
        self._decided: dict[str, dict[str, int]] = {}
        self._shadows: dict[str, int] = {}
        self._learn(ledger.board() or Board())

    def adopt(self) -> None:
        """Learn from the board which rules there are now."""
        board = self._ledger.board()
        if board is not None:
            self._learn(board)

    def _learn(self, board: Board) -> None:
        slots = {rule.name: slot for slot, rule in enumerate(board.rules)}
        self._decided = {
            name: {action: CELLS[("decisions_total", action, slot)] for action in ACTIONS}
            for name, slot in slots.items()
        }
        self._shadows = {name: CELLS[("shadow_hits_total", slot)] for name, slot in slots.items()}

    # What sessions tell.

    def judged(self, cost: Cost, forged: int, late: Late = NOTHING_LATE) -> None:
        """A message has been judged; `forged`: how many of its header fields claimed to be ours; `late`: facts that were not there
        in time."""
        self.congestion.judged(late)
        with self._lock:
            self._cells[_MESSAGES] += 1
            self._cells[_VAIN] += cost.unused
            self._cells[_FORGED] += forged
            for fact in late.facts:
                self._cells[_LATE.get(fact, NOWHERE)] += 1

    def decided(self, verdict: Verdict, evidence: Evidence) -> None:
        """One decision of a message."""
        cells = self._cells
        rule = self._decided.get(verdict.rule) or self._decided[OTHER]
        with self._lock:
            cells[rule[verdict.action]] += 1
            for get, words in _FACTS:
                cells[words.get(get(evidence), NOWHERE)] += 1
            if verdict.would or verdict.shadow_rules or verdict.softened:
                self._not_done(verdict)

    def _not_done(self, verdict: Verdict) -> None:
        cells = self._cells
        cells[_SOFTENED] += verdict.softened
        for action in verdict.would:
            cells[CELLS.get(("would_total", action), NOWHERE)] += 1
        for name in verdict.shadow_rules:
            cells[self._shadows.get(name, self._shadows[OTHER])] += 1

    def held(self, stage: str, seconds: float) -> None:
        """A message had to wait at this stage, for so long."""
        with self._lock:
            self._observe(_WAITS[stage], _WAIT_BUCKETS, seconds)

    def waited(self, stage: str, fact: str, ms: float) -> None:
        """For a fact it waited so many milliseconds."""
        with self._lock:
            self._cells[CELLS.get(("fact_waits_total", stage, fact), NOWHERE)] += 1
            self._cells[CELLS.get(("fact_wait_seconds_total", stage, fact), NOWHERE)] += int(ms * 1000)

    # What the resolver tells: from the event loop's thread alone, so without the lock.

    def landed(self, kind: Type, outcome: str, seconds: float) -> None:
        """See Tally."""
        self._cells[CELLS.get(("dns_queries_total", kind, outcome), NOWHERE)] += 1
        self._observe(_DNS, _DNS_BUCKETS, seconds)

    def remembered(self) -> None:
        """See Tally."""
        self._cells[_CACHE_HITS] += 1

    def joined(self) -> None:
        """See Tally."""
        self._cells[_COALESCED] += 1

    def crowded_out(self, client: str = "", sender: str = "") -> None:
        """See Tally."""
        self._cells[_CROWDED_OUT] += 1
        self.congestion.crowded_out(client, sender)

    def spared(self) -> None:
        """See Tally."""
        self._cells[_SPARED] += 1

    # What the process itself tells.

    def failed(self) -> None:
        """Something of ours is broken."""
        with self._lock:
            self._cells[_ERRORS] += 1

    def dropped(self) -> None:
        """A line of the log was lost."""
        with self._lock:
            self._cells[_DROPPED] += 1

    def alarmed(self, alarm: Alarm) -> bool:
        """An alarm went off: whether it is to be told, as the first of its name in all processes, or one that comes again. It
        counts only then."""
        cell = CELLS[("alarms_total", alarm.name)]
        with self._lock:
            if not alarm.again and self._ledger.total(cell):
                return False
            self._cells[cell] += 1
        return True

    def judges_by(self, number: int) -> None:
        """The worker judges by the configuration of that number. By one thread only."""
        self._cells[CONFIG] = number

    def alive(self, now: float) -> None:
        """The event loop lives; `now`: its clock. By one thread only."""
        self._cells[ALIVE] = int(now * 1000)

    def holds(self, outstanding: int, connections: int) -> None:
        """So many questions are under way, and so many connections open. By one thread only."""
        self._cells[_OUTSTANDING] = outstanding
        self._cells[_OPEN] = connections

    # What the parent tells.

    def restarted(self) -> None:
        """A worker has to be replaced."""
        self._cells[_RESTARTS] += 1

    def reloaded(self, good: bool) -> None:
        """The config was read again."""
        self._cells[CELLS[("reloads_total", GOOD if good else BAD)]] += 1

    def _observe(self, first: int, buckets: tuple[float, ...], seconds: float) -> None:
        cells = self._cells
        cells[first + bisect_left(buckets, seconds)] += 1
        cells[first + len(buckets) + 1] += max(0, int(seconds * MICRO))
