"""Search a log for the newest decisions that match the argument WHAT of `why`.

A stream: keeps the newest matches only. Opens nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ...logs.decision_line import parse, parse_names
from .decision_filter import DecisionFilter


@dataclass(frozen=True, slots=True)
class Match:
    """One decision that was found. `moment`: the minute of the decision, None if the line has no date; `line`: the line of the
    log."""

    moment: datetime | None
    fields: Mapping[str, str]
    line: str


class Search:
    """Collects the newest `most` decisions that match. `count`: how many match in all; `undated`: how many lines are left out
    because `since` is set and they have no date."""

    def __init__(
        self, what: DecisionFilter, most: int, moment: Callable[[str], datetime | None], since: datetime | None = None
    ) -> None:
        self.count = self.undated = 0
        self._what = what
        self._most = most
        self._moment = moment
        self._since = since
        self._kept: list[tuple[float, int, datetime | None, str]] = []
        self._latest: datetime | None = None
        self._seconds = 0.0

    def add(self, line: str) -> None:
        """Take one line of the log."""
        if not self._what.may_match(line):
            return
        names = parse_names(line)
        if names is None or not self._what.matches(names):
            return
        moment = self._moment(line)
        if self._since is not None and (moment is None or moment < self._since):
            self.undated += moment is None
            return
        self.count += 1
        if moment is not self._latest:  # the reader of dates has one object for all lines of a minute
            self._latest, self._seconds = moment, moment.timestamp() if moment else 0.0
        entry = (self._seconds, self.count, moment, line)
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def newest(self) -> tuple[Match, ...]:
        """Return the matches, the newest first."""
        kept = sorted(self._kept, key=lambda entry: entry[:2], reverse=True)
        return tuple(Match(moment, fields, line) for _, _, moment, line in kept if (fields := parse(line)) is not None)
