"""The parent's part in what is counted: it makes the memory, writes the board, and counts what only it sees.

Forks nothing and serves nothing (monitoring/exporter.py does).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..policy.rules import Policy
from .counters import Meter
from .shared_memory import Board, Ledger


class Books:
    """`ledger`: for the processes that are to come; `meter`: the parent's own."""

    def __init__(self, workers: int) -> None:
        self.ledger = Ledger(workers)
        self.meter = Meter(self.ledger, workers)
        self._board = Board()

    def in_force(self, policy: Policy, servers: Iterable[object], down: Iterable[str], number: int = 0) -> None:
        """These are the rules and the name servers, of which those do not answer; `number`: of the configuration. Before a worker
        hears of it."""
        board = self._board.with_policy(policy, number).with_servers(map(str, servers), down)
        if board != self._board:
            self._board = board
            self.ledger.post(board)

    def ended(self, worker: int) -> None:
        """A worker has ended, and the next one takes its place."""
        self.ledger.vacate(worker)
        self.meter.restarted()
