"""What the milter did: the decisions of a log, counted.

A stream: memory does not grow with the log. Prints nothing, opens nothing, judges nothing; how it looks is
analysis/report_text.py's and
analysis/report_html.py's. Every number that they show comes out of `as_dict`.

DESIGN section 5 (the keys of a line).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from ..checks.evidence import FACTS, LOOKED_UP, TEMPERROR, UNKNOWN
from ..logs.decision import EXEMPT, evidence_of, parse
from ..logs.line_prefix import Beginnings
from ..monitoring.top_k import Entry, TopList
from ..policy.rules import ACTIONS, OBSERVE, QUARANTINE, REJECT, TEMPFAIL
from ..responses.advice import findings
from .replay import MAX_EXAMPLE, repeated, sender_domain, unread

KEPT_OUT = frozenset((TEMPFAIL, REJECT, QUARANTINE))
MAX_BARS = 60  # of the timeline
PERCENTILES = (50, 90, 95, 99)
_HOURS = (1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 2016, 8736)  # that a bar may span
_GAP = timedelta(days=30)
_STRAYS = 19  # decisions on the timeline for each that is left out
_MAX_HOURS = 100_000  # with mail in them: eleven years
_MAX_RULES = 200
_MAX_MS = 600_000
_MAX_COMBINATIONS = 20_000
_FACTS = itemgetter(*FACTS)

Clock = Callable[[str], datetime | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of the timeline: its beginning, and how many decisions of each action it has."""

    start: datetime
    counts: Mapping[str, int]


class Report:
    """Give it the lines of a log, one by one. `date_of`: when a line was written, if it tells; `since`: what was written before
    that does not count, and neither does what has no date; `rules`: the names of which `never` will hold those that did not
    match."""

    def __init__(self, date_of: Clock, since: datetime | None = None, rules: Collection[str] = ()) -> None:
        self._date_of = date_of
        self._since = since
        self.lines = self.decisions = self.recipients = self.earlier = self.undated = 0
        self.actions: Counter[str] = Counter()
        self.exempt: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.observed: Counter[str] = Counter()
        self.rules: TopList[tuple[str, str]] = TopList()
        self.shadows: TopList[tuple[str, str]] = TopList()
        self.policies: TopList[str] = TopList()
        self.clients: TopList[str] = TopList()
        self.senders: TopList[str] = TopList()
        self.waited: Counter[int] = Counter()
        self.dns: Counter[int] = Counter()
        self.queries = self.cached = 0
        self.never = dict.fromkeys(rules)
        self.beginnings = Beginnings()
        self._hours: Counter[tuple[datetime, str]] = Counter()
        self._spans: dict[datetime, tuple[datetime, datetime]] = {}  # of each hour: its first and last decision
        self._combinations: Counter[tuple[str, ...]] = Counter()
        self._facts: dict[str, Counter[str]] = {name: Counter() for name in FACTS}
        self.troubled = 0

    def add(self, line: str) -> None:
        """One more line of the log, whatever it is."""
        self.lines += 1
        fields = parse(line)
        if fields is not None:
            self.beginnings.last = line
            self._add(line, fields)
            return
        line, fields, times = repeated(line, self.beginnings)
        for _ in range(times):
            self._add(line, fields)

    def _add(self, line: str, fields: dict[str, str]) -> None:
        moment = self._date_of(line)
        if self._since is not None and (moment is None or moment < self._since):
            if moment is None:
                self.undated += 1
            else:
                self.earlier += 1
            return
        self.decisions += 1
        self._count(fields)
        self._count_time(moment, fields["action"])
        if fields["action"] in KEPT_OUT:
            example = line[:MAX_EXAMPLE]
            self.clients.add(fields.get("client", ""), 1, example)
            self.senders.add(sender_domain(fields.get("mailfrom", "")), 1, example)

    def _count(self, fields: dict[str, str]) -> None:
        action, rule, mode, would = fields["action"], fields["rule"], fields.get("mode", ""), fields.get("would", "")
        self.actions[action] += 1
        self.recipients += _whole(fields.get("nrcpt", ""))
        self.rules.add((rule, action))
        self.policies.add(fields.get("policy", ""))
        self.modes[mode if mode in ("enforce", OBSERVE) else ""] += 1
        self.never.pop(rule, None)
        shadows = fields.get("shadow_rule", "")
        if would:
            self._count_would(would, shadows, mode)
        if rule.startswith(EXEMPT):
            self.exempt[rule if rule.isascii() and len(rule) < 30 else EXEMPT] += 1
            return
        try:
            self._combinations[_FACTS(fields)] += 1
        except KeyError:
            self._combinations[tuple(fields.get(name, UNKNOWN) for name in FACTS)] += 1
        if len(self._combinations) > _MAX_COMBINATIONS:
            self._settle()
        self.waited[_whole(fields.get("waited_ms", ""))] += 1
        self.dns[_whole(fields.get("dns_ms", ""))] += 1
        self.queries += _whole(fields.get("queries", ""))
        self.cached += _whole(fields.get("cached", ""))

    def _count_would(self, would: str, shadows: str, mode: str) -> None:
        names, actions = shadows.split(",") if shadows else [], would.split(",")
        if len(names) == len(actions) and not (mode == OBSERVE and len(names) == 1 and not names[0]):
            for name, action in zip(names, actions, strict=True):
                self.shadows.add((name, action))
                self.never.pop(name, None)
            return
        if would in ACTIONS:
            self.observed[would] += 1
        for name in names:
            self.shadows.add((name, ""))
            self.never.pop(name, None)

    def _count_time(self, moment: datetime | None, action: str) -> None:
        if moment is None:
            self.undated += 1
            return
        hour = moment.replace(minute=0)
        if len(self._hours) >= _MAX_HOURS and (hour, action) not in self._hours:
            self.undated += 1
            return
        self._hours[hour, action] += 1
        first, last = self._spans.get(hour, (moment, moment))
        self._spans[hour] = (min(first, moment), max(last, moment))

    def _settle(self) -> None:
        """Count each fact by itself."""
        troubles = [index for index, name in enumerate(FACTS) if name in LOOKED_UP]
        for combination, count in self._combinations.items():
            for (name, fact), word in zip(FACTS.items(), combination, strict=True):
                self._facts[name][word if word in fact.words else UNKNOWN] += count
            if any(combination[index] == TEMPERROR for index in troubles):
                self.troubled += count
        self._combinations.clear()

    @property
    def facts(self) -> Mapping[str, Mapping[str, int]]:
        """How often each word of each fact was found, of clients that were judged; words in the order of the RFCs."""
        self._settle()
        return {
            name: {word: self._facts[name][word] for word in (*fact.words, UNKNOWN) if self._facts[name][word]}
            for name, fact in FACTS.items()
        }

    @property
    def judged(self) -> int:
        """Decisions on clients that were not exempt."""
        return self.decisions - self.exempt.total()

    @property
    def first(self) -> datetime | None:
        """When the first decision was made, of those on the timeline; None if no line has a date."""
        hours, _ = self._axis()
        return self._spans[hours[0]][0] if hours else None

    @property
    def last(self) -> datetime | None:
        """When the last one was made."""
        hours, _ = self._axis()
        return self._spans[hours[-1]][1] if hours else None

    @property
    def stray(self) -> int:
        """Decisions whose date is so far from all others that it must be wrong."""
        return self._axis()[1]

    def _axis(self) -> tuple[list[datetime], int]:
        """The hours with mail in them, and how many decisions lie outside: a few that would stretch the timeline out of
        all proportion. Some host's clock was wrong when they were made."""
        sizes: Counter[datetime] = Counter()
        for (hour, _), count in self._hours.items():
            sizes[hour] += count
        hours, stray = sorted(sizes), 0
        while (kept := _without_strays(hours, sizes)) != hours:
            stray += sum(sizes[hour] for hour in hours) - sum(sizes[hour] for hour in kept)
            hours = kept
        return hours, stray

    def timeline(self, most: int = MAX_BARS) -> tuple[int, list[Bar]]:
        """At most so many bars of equal length without a gap, and the hours that each spans; () if no line has a date."""
        hours, _ = self._axis()
        if not hours:
            return 1, []
        start, span = hours[0], (hours[-1] - hours[0]) / timedelta(hours=1) + 1
        step = next((step for step in _HOURS if span / step < most), _HOURS[-1])
        if step > 1:
            start = start.replace(hour=start.hour // step * step if step < 24 else 0)
        length = timedelta(hours=step)
        counts: dict[int, Counter[str]] = {}
        for (hour, action), count in self._hours.items():
            if hours[0] <= hour <= hours[-1]:
                counts.setdefault((hour - start) // length, Counter())[action] += count
        last = max(counts)
        empty: Counter[str] = Counter()
        first = max(0, last - most + 1)
        return step, [Bar(start + index * length, counts.get(index, empty)) for index in range(first, last + 1)]


def _without_strays(hours: list[datetime], sizes: Mapping[datetime, int]) -> list[datetime]:
    """The hours without those beyond the longest gap, if there are few decisions there and the gap is far longer than the time
    of all others."""
    if len(hours) < 2:
        return hours
    at = max(range(1, len(hours)), key=lambda index: hours[index] - hours[index - 1])
    gap = hours[at] - hours[at - 1]
    before, after = sum(sizes[hour] for hour in hours[:at]), sum(sizes[hour] for hour in hours[at:])
    kept = hours[:at] if before > after else hours[at:]
    few = min(before, after) * _STRAYS <= max(before, after)
    return kept if few and gap > max(_GAP, 10 * (kept[-1] - kept[0])) else hours


def _whole(text: str) -> int:
    return min(int(text), _MAX_MS) if len(text) < 10 and text.isascii() and text.isdecimal() else 0


def percentiles(counts: Counter[int]) -> dict[str, int]:
    """Nearest ranks of PERCENTILES, and the greatest; 0 where there is nothing."""
    total, seen, found = counts.total(), 0, {f"p{rank}": 0 for rank in PERCENTILES}
    ranks = list(PERCENTILES)
    for value in sorted(counts):
        seen += counts[value]
        while ranks and seen * 100 >= ranks[0] * total:
            found[f"p{ranks.pop(0)}"] = value
    return found | {"max": max(counts, default=0)}


def faults(example: str, most: int = 2) -> str:
    """What is wrong with the client of a line, in the words of responses/advice.py; "" if the line does not tell."""
    fields = parse(example)
    found = findings(evidence_of(fields)) if fields else ()
    return "; ".join(finding.fault for finding in found[:most])


def warnings(report: Report, digest: str = "") -> Iterator[str]:
    """What one should know before believing the numbers. `digest`: of the policy whose rules were asked for."""
    if not report.decisions:
        yield unread(report.beginnings, "there is no decision to report on")
        return
    if report.undated:
        left = ", and so are left out" if report._since is not None else ", and are not on the timeline"
        yield f"{report.undated:,} decisions have no date{left}"
    if stray := report.stray:
        yield f"{stray:,} decisions have a date far from all others', and are not on the timeline: some clock was wrong"
    if digest and digest not in {entry.name for entry in report.policies.top()}:
        yield f"no decision is by the policy that was asked for, {digest}"
    if report.clients.missed:
        yield "there are so many clients that the counts of single ones may be a little too low"


def as_dict(report: Report, most: int, digest: str = "", troubles: Sequence[str] = ()) -> dict[str, Any]:
    """All of it for programs. `most`: how many clients, senders and policies; `digest`: of the policy whose rules were asked for;
    `troubles`: of the files."""
    step, bars = report.timeline()
    facts = report.facts
    return {
        "lines": report.lines,
        "decisions": report.decisions,
        "recipients": report.recipients,
        "first": _iso(report.first),
        "last": _iso(report.last),
        "actions": {action: report.actions[action] for action in ACTIONS},
        "kept_out": sum(report.actions[action] for action in KEPT_OUT),
        "timeline": {
            "hours": step,
            "bars": [
                {"start": _iso(bar.start), **{action: bar.counts.get(action, 0) for action in ACTIONS}} for bar in bars
            ],
        },
        "rules": [{"rule": e.name[0], "action": e.name[1], "count": e.count} for e in report.rules.top(_MAX_RULES)],
        "exempt": dict(report.exempt.most_common()),
        "facts": facts,
        "temperror": {
            "decisions": report.troubled,
            "share": round(report.troubled / report.judged, 6) if report.judged else None,
            "facts": {name: facts[name].get(TEMPERROR, 0) for name in LOOKED_UP},
        },
        "shadow": [{"rule": e.name[0], "would": e.name[1], "count": e.count} for e in report.shadows.top(_MAX_RULES)],
        "observed": dict(report.observed.most_common()),
        "modes": dict(report.modes.most_common()),
        "never_matched": list(report.never),
        "refused": {"clients": _entries(report.clients.top(most)), "senders": _entries(report.senders.top(most))},
        "waited_ms": percentiles(report.waited),
        "waited": sum(count for ms, count in report.waited.items() if ms),
        "dns_ms": percentiles(report.dns),
        "queries": report.queries,
        "cached": report.cached,
        "policies": [{"policy": entry.name, "decisions": entry.count} for entry in report.policies.top(most)],
        "warnings": [*warnings(report, digest), *troubles],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="minutes")


def _entries(top: Sequence[Entry[str]]) -> list[dict[str, Any]]:
    return [
        {"name": entry.name, "count": entry.count, "fault": faults(entry.example), "example": entry.example}
        for entry in top
    ]
