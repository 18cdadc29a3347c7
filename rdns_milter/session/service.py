"""What the sessions of a process share: configuration, checks, clock, log and counters, each passed in by the process.

Plain data; does nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ..checks.evidence import Cost, Late
from ..config.load import Config
from ..logs.decision_keys import Decision
from .check_runner import CheckRunner
from .latch import Latch


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """Callbacks that count what sessions do.

    `waited_for(stage, fact, milliseconds)`: the MTA was kept waiting for a fact.
    `waited(stage, seconds)`: the total time that the MTA was kept waiting at one stage.
    `judged(cost, forged, late)`: once for each message: its cost, the number of its header fields that claimed to be ours, and the
    facts that came too late."""

    waited_for: Callable[[str, str, float], None] = lambda stage, fact, ms: None
    waited: Callable[[str, float], None] = lambda stage, seconds: None
    judged: Callable[[Cost, int, Late], None] = lambda cost, forged, late: None


@dataclass(slots=True)
class Service:
    """What the sessions of a process share. `config` may be replaced at any time: a message is judged by the one that was in force
    when it began. `record`: takes each decision; `wait`: waits for a latch, see Latch.wait."""

    config: Config
    check_runner: CheckRunner
    record: Callable[[Decision], None]
    today: Callable[[], date]
    clock: Callable[[], float]
    hostname: str
    wait: Callable[[Latch, float, Callable[[], bool]], bool] = Latch.wait
    events: SessionEvents = SessionEvents()
