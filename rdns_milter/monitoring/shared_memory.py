"""The memory shared by all processes of the service, created by the parent before it forks: a row of integer counters for each
worker, a row for the parent, and a snapshot of the policy that gives the counters their names.

The memory is anonymous: it leaves no file behind and outlives the workers, so that no count is lost when a worker is killed; its
successor continues in the same row. Must never need a lock between processes: each row is written by a single process in whole
words, and the snapshot only by the parent, with a checksum.
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
from .metric_definitions import CELLS, CONFIG_NUMBER, FIXED_RULES, HEARTBEAT, MAX_SERVERS, OTHER, ROW_CELLS, SLOTS

MAX_SILENCE = 3.0  # seconds since the last heartbeat within which an event loop counts as alive
_CELL_BYTES = 8
_SNAPSHOT_BYTES = 1 << 18  # room for the snapshot, with its head
_HEAD_BYTES = 8  # length and checksum
_READ_ATTEMPTS = 100  # while the parent is writing
_GAUGES = (CELLS[("dns_outstanding",)], CELLS[("connections_open",)])


@dataclass(frozen=True, slots=True)
class RuleName:
    """The name of a rule. `actions`: those that it can lead to; `shadow`: True if any rule of that name was a shadow rule."""

    name: str
    actions: tuple[str, ...] = ()
    shadow: bool = False


_ACTIONS = {OTHER: (), FORGED_RESULTS.name: (ACCEPT, REJECT), TOO_MANY_RECIPIENTS.name: (ACCEPT, TEMPFAIL)}
_FIXED = tuple(RuleName(name, _ACTIONS.get(name, (ACCEPT,))) for name in FIXED_RULES)


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """The state that the parent shares with the other processes. `number`: of the current configuration; `rules`: by slot, and the
    slot of a rule never changes; `servers`: the current name servers, each with True if it answers."""

    number: int = 0
    digest: str = ""
    mode: str = ENFORCE
    rules: tuple[RuleName, ...] = _FIXED
    servers: tuple[tuple[str, bool], ...] = ()

    def with_policy(self, policy: Policy, number: int = 0) -> PolicySnapshot:
        """Return a copy that has this policy. Known rules keep their slots; new rules get slots as long as there are any."""
        rules = {rule.name: rule for rule in self.rules}
        for rule in policy.rules:
            if rule.name in rules or len(rules) < SLOTS:
                rules[rule.name] = _merged(rules.get(rule.name, RuleName(rule.name)), rule, policy.mode)
        rule_names = tuple(rules.values())
        return replace(self, number=number, digest=policy.digest, mode=policy.mode, rules=rule_names)

    def with_servers(self, servers: Iterable[str], down: Iterable[str]) -> PolicySnapshot:
        """Return a copy that has these name servers (MAX_SERVERS at most). `down`: those that do not answer."""
        silent = frozenset(down)
        shown = tuple(dict.fromkeys(servers))[:MAX_SERVERS]
        return replace(self, servers=tuple((server, server not in silent) for server in shown))


def _merged(known: RuleName, rule: Rule, mode: str) -> RuleName:
    """Return `known` with the actions that this rule of the same name can lead to."""
    if rule.shadow:
        return replace(known, shadow=True)
    if not rule.action:
        return known
    actions = {*known.actions, rule.action if mode == ENFORCE or rule.action == TAG else ACCEPT}
    if mode == ENFORCE and rule.action in REFUSALS:
        actions.add(TEMPFAIL)
    return replace(known, actions=tuple(sorted(actions)))


class SharedMemory:
    """The shared memory. `rows`: a view of the cells of each process: of the workers by their numbers, then of the parent."""

    def __init__(self, workers: int) -> None:
        size = _CELL_BYTES * ROW_CELLS
        self._memory = mmap.mmap(-1, _SNAPSHOT_BYTES + (workers + 1) * size)
        whole = memoryview(self._memory)
        self._snapshot = whole[:_SNAPSHOT_BYTES]
        starts = [_SNAPSHOT_BYTES + number * size for number in range(workers + 1)]
        self.rows = tuple(whole[start : start + size].cast("Q") for start in starts)
        self.publish(PolicySnapshot())

    def total(self, cell: int) -> int:
        """Return the sum of a cell over all rows."""
        return sum(row[cell] for row in self.rows)

    def silence(self, now: float) -> list[float]:
        """Return the seconds since the last heartbeat of each worker; infinity if there was none. `now`: the system's monotonic
        clock."""
        beats = [row[HEARTBEAT] for row in self.rows[:-1]]
        return [max(0.0, now - beat / 1000) if beat else float("inf") for beat in beats]

    def count_outdated(self, number: int) -> int:
        """Return how many workers use another configuration than the one of that number. Workers that have not started do not
        count."""
        return sum(row[CONFIG_NUMBER] not in (0, number) for row in self.rows[:-1])

    def worker_ended(self, number: int) -> None:
        """Reset the gauges of a worker; its counters stay."""
        for cell in (*_GAUGES, CONFIG_NUMBER):
            self.rows[number][cell] = 0

    def publish(self, snapshot: PolicySnapshot) -> None:
        """Write the snapshot. Only in the parent."""
        text = json.dumps(_as_json(snapshot), separators=(",", ":")).encode()
        self._snapshot[: _HEAD_BYTES + len(text)] = _head(text) + text

    def snapshot(self) -> PolicySnapshot | None:
        """Return the snapshot; None if it is damaged because the parent died while it wrote."""
        for _ in range(_READ_ATTEMPTS):
            length = int.from_bytes(self._snapshot[:4], "big")
            text = bytes(self._snapshot[_HEAD_BYTES : _HEAD_BYTES + length])
            if bytes(self._snapshot[:_HEAD_BYTES]) == _head(text):
                return _from_json(json.loads(text))
        return None


def _head(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + zlib.crc32(text).to_bytes(4, "big")


def _as_json(snapshot: PolicySnapshot) -> dict[str, Any]:
    return {
        "number": snapshot.number,
        "digest": snapshot.digest,
        "mode": snapshot.mode,
        "rules": [(rule.name, rule.actions, rule.shadow) for rule in snapshot.rules],
        "servers": snapshot.servers,
    }


def _from_json(written: Any) -> PolicySnapshot:
    rules = tuple(RuleName(name, tuple(actions), shadow) for name, actions, shadow in written["rules"])
    servers = tuple((server, up) for server, up in written["servers"])
    return PolicySnapshot(written["number"], written["digest"], written["mode"], rules, servers)
