"""The memory in which all processes count, made by the parent before it forks: a row of plain integers for each worker, one for
the parent, and a board on which the parent writes what the numbers stand for.

Anonymous memory: it leaves no file behind, and outlives its processes, so that a worker that is killed loses no count: the next
goes on in its row. Must never need a lock between processes: a row is written by one process only, in whole words, and the
board by the parent only, with a checksum.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..policy.rules import (
    ACCEPT,
    ENFORCE,
    FORGED_RESULTS,
    REFUSALS,
    REJECT,
    TAG,
    TEMPFAIL,
    TOO_MANY_RECIPIENTS,
    Policy,
    Rule,
)
from .definitions import ALIVE, CELLS, CONFIG, FIXED_RULES, MAX_SERVERS, OTHER, ROW, SLOTS

LATELY = 3.0  # seconds within which an event loop that lives has shown it
_OCTETS = 8  # of a cell
_BOARD = 1 << 18  # octets that the board may have, with its head
_HEAD = 8  # octets: length and checksum
_TRIES = 100  # a reader's, while the parent is just writing
_GAUGES = (CELLS[("dns_outstanding",)], CELLS[("connections_open",)])


@dataclass(frozen=True, slots=True)
class RuleName:
    """A rule's name, the actions to which it can lead, and whether it has been a shadow."""

    name: str
    actions: tuple[str, ...] = ()
    shadow: bool = False


_ACTIONS = {OTHER: (), FORGED_RESULTS.name: (ACCEPT, REJECT), TOO_MANY_RECIPIENTS.name: (ACCEPT, TEMPFAIL)}
_FIXED = tuple(RuleName(name, _ACTIONS.get(name, (ACCEPT,))) for name in FIXED_RULES)


@dataclass(frozen=True, slots=True)
class Board:
    """What the parent lets the others know. `number`: of the configuration in force; `rules`: each in its slot, which it keeps;
    `servers`: the name servers in force, and whether each answers."""

    number: int = 0
    digest: str = ""
    mode: str = ENFORCE
    rules: tuple[RuleName, ...] = _FIXED
    servers: tuple[tuple[str, bool], ...] = ()

    def with_policy(self, policy: Policy, number: int = 0) -> Board:
        """The same for other rules. Those that there were keep their slots; new ones get slots while there are any."""
        rules = {rule.name: rule for rule in self.rules}
        for rule in policy.rules:
            if rule.name in rules or len(rules) < SLOTS:
                rules[rule.name] = _also(rules.get(rule.name, RuleName(rule.name)), rule, policy.mode)
        rule_names = tuple(rules.values())
        return replace(self, number=number, digest=policy.digest, mode=policy.mode, rules=rule_names)

    def with_servers(self, servers: Iterable[str], down: Iterable[str]) -> Board:
        """The same for these name servers, of which those do not answer."""
        silent = frozenset(down)
        shown = tuple(dict.fromkeys(servers))[:MAX_SERVERS]
        return replace(self, servers=tuple((server, server not in silent) for server in shown))


def _also(known: RuleName, rule: Rule, mode: str) -> RuleName:
    """What is known of the name, and what this rule of that name can do."""
    if rule.shadow:
        return replace(known, shadow=True)
    if not rule.action:
        return known
    actions = {*known.actions, rule.action if mode == ENFORCE or rule.action == TAG else ACCEPT}
    if mode == ENFORCE and rule.action in REFUSALS:
        actions.add(TEMPFAIL)
    return replace(known, actions=tuple(sorted(actions)))


class Ledger:
    """The memory. `rows`: a view of the cells of each worker, by its number, and of the parent's at the end."""

    def __init__(self, workers: int) -> None:
        size = _OCTETS * ROW
        self._memory = mmap.mmap(-1, _BOARD + (workers + 1) * size)
        whole = memoryview(self._memory)
        self._board = whole[:_BOARD]
        starts = [_BOARD + number * size for number in range(workers + 1)]
        self.rows = tuple(whole[start : start + size].cast("Q") for start in starts)
        self.post(Board())

    def total(self, cell: int) -> int:
        """The sum of a cell over all rows."""
        return sum(row[cell] for row in self.rows)

    def silent_for(self, now: float) -> list[float]:
        """Seconds since the last sign of life of each worker; infinity for one that has given none. `now`: the system's
        monotonic clock."""
        signs = [row[ALIVE] for row in self.rows[:-1]]
        return [max(0.0, now - sign / 1000) if sign else float("inf") for sign in signs]

    def outdated(self, number: int) -> int:
        """How many workers do not judge by the configuration of that number; those that have not begun do not count."""
        return sum(row[CONFIG] not in (0, number) for row in self.rows[:-1])

    def vacate(self, number: int) -> None:
        """A worker has ended: what it held, it holds no more. What it counted stays."""
        for cell in (*_GAUGES, CONFIG):
            self.rows[number][cell] = 0

    def post(self, board: Board) -> None:
        """Write the board. By the parent only."""
        text = json.dumps(_told(board), separators=(",", ":")).encode()
        self._board[: _HEAD + len(text)] = _head(text) + text

    def board(self) -> Board | None:
        """The board; None if it cannot be read (the parent died while it wrote)."""
        for _ in range(_TRIES):
            length = int.from_bytes(self._board[:4], "big")
            text = bytes(self._board[_HEAD : _HEAD + length])
            if bytes(self._board[:_HEAD]) == _head(text):
                return _read(json.loads(text))
        return None


def _head(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + zlib.crc32(text).to_bytes(4, "big")


def _told(board: Board) -> dict[str, Any]:
    rules = [(rule.name, rule.actions, rule.shadow) for rule in board.rules]
    return {
        "number": board.number,
        "digest": board.digest,
        "mode": board.mode,
        "rules": rules,
        "servers": board.servers,
    }


def _read(told: Any) -> Board:
    rules = tuple(RuleName(name, tuple(actions), shadow) for name, actions, shadow in told["rules"])
    servers = tuple((server, up) for server, up in told["servers"])
    return Board(told["number"], told["digest"], told["mode"], rules, servers)
