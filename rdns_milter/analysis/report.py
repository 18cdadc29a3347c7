"""Count what the milter did: the decisions of a log, by action, rule, fact, time and client.

A stream: memory does not grow with the log. Prints nothing, opens nothing, judges nothing. report_summary.py turns the counts
into records; report_text.py and report_html.py show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from ..checks.evidence import FACTS, LOOKED_UP, SOURCES, TEMPERROR, TROUBLES, UNKNOWN
from ..logs.decision_keys import EXEMPT
from ..logs.decision_line import parse
from ..logs.line_prefix import PrefixForms
from ..logs.logged_evidence import withheld_by_relay
from ..monitoring.top_k import TopList
from ..policy.rules import ACTIONS, KEPT_OUT, OBSERVE
from ..text.escape import ELLIPSIS
from .replay import MAX_EXAMPLE, repeated, sender_domain

MAX_BARS = 60  # of the timeline
_HOURS = (1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 2016, 8736)  # possible lengths of a bar
_GAP = timedelta(days=30)
_STRAYS = 19  # decisions that must remain on the timeline for each one that is left out
_MAX_HOURS = 100_000  # hours with mail in them: eleven years
_MAX_NUMBER = 600_000  # a larger count or time in a line is taken as this
_MAX_COMBINATIONS = 20_000
_FACTS = itemgetter(*FACTS)

Clock = Callable[[str], datetime | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the timeline: its start, and the number of decisions by action."""

    start: datetime
    counts: Mapping[str, int]


class Report:
    """Counts over the lines of a log, which are given one by one.

    `date_of`: returns when a line was written; None if the line has no date.
    `since`: if it is set, older lines (`early`) and lines without a date (`undated`) do not count.
    `rules`: names of rules. `unmatched`: those that have not matched."""

    def __init__(self, date_of: Clock, since: datetime | None = None, rules: Collection[str] = ()) -> None:
        self.since = since
        self.lines = self.decisions = self.recipients = self.undated = self.early = 0
        self.actions: Counter[str] = Counter()
        self.exempt: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.observed: Counter[str] = Counter()
        self.rules: TopList[tuple[str, str], None] = TopList()
        self.shadows: TopList[tuple[str, str], None] = TopList()
        self.policies: TopList[str, None] = TopList()
        self.relays: TopList[str, None] = TopList()
        self.sources: TopList[tuple[str, str], None] = TopList()
        self.troubled: Counter[str] = Counter()
        self.relayed: Counter[str] = Counter()
        self.clients: TopList[str, str] = TopList()
        self.senders: TopList[str, str] = TopList()
        self.waited_ms: Counter[int] = Counter()
        self.dns_ms: Counter[int] = Counter()
        self.queries = self.cached = self.with_temperror = 0
        self.unmatched = dict.fromkeys(rules)
        self.prefixes = PrefixForms()
        self._date_of = date_of
        self._hours: Counter[tuple[datetime, str]] = Counter()
        self._spans: dict[datetime, tuple[datetime, datetime]] = {}  # of each hour: its first and last decision
        self._combinations: Counter[tuple[tuple[str, ...], bool]] = Counter()
        self._facts: dict[str, Counter[str]] = {name: Counter() for name in FACTS}

    def add(self, line: str) -> None:
        """Count one line of the log, of whatever form."""
        self.lines += 1
        fields = parse(line)
        if fields is not None:
            self.prefixes.last = line
            self._add(line, fields)
            return
        line, fields, times = repeated(line, self.prefixes)
        for _ in range(times):
            self._add(line, fields)

    def _add(self, line: str, fields: dict[str, str]) -> None:
        moment = self._date_of(line)
        if self.since is not None and (moment is None or moment < self.since):
            self.undated += moment is None
            self.early += moment is not None
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
        self.recipients += _number(fields.get("nrcpt", ""))
        self.rules.add((rule, action))
        self.policies.add(fields.get("policy", ""))
        self.modes[mode if mode in ("enforce", OBSERVE) else ""] += 1
        self.unmatched.pop(rule, None)
        withheld = withheld_by_relay(fields)
        if would:
            self._count_would("" if withheld else would, fields.get("shadow_rule", ""), mode)
        if relay := fields.get("via"):
            self.relays.add(relay)
            self.relayed[withheld if withheld in ACTIONS else action] += 1
        troubles = [self._count_sources(key, fields.get(key, "")) for key in SOURCES]
        if rule.startswith(EXEMPT):
            self.exempt[rule if rule.isascii() and len(rule) < 30 else EXEMPT] += 1
            return
        try:
            self._combinations[_FACTS(fields), any(troubles)] += 1
        except KeyError:
            self._combinations[tuple(fields.get(name, UNKNOWN) for name in FACTS), any(troubles)] += 1
        if len(self._combinations) > _MAX_COMBINATIONS:
            self._settle()
        self.waited_ms[_number(fields.get("waited_ms", ""))] += 1
        self.dns_ms[_number(fields.get("dns_ms", ""))] += 1
        self.queries += _number(fields.get("queries", ""))
        self.cached += _number(fields.get("cached", ""))

    def _count_sources(self, key: str, sources: str) -> bool:
        """Count the providers, or the DNS lists, that a line names. Return whether one of them was in trouble."""
        if not sources:
            return False
        items = [item for item in sources.split(",") if item and item != ELLIPSIS]
        for item in items:
            self.sources.add((key, item))
        has_trouble = any(item.partition(":")[2] in TROUBLES for item in items)
        self.troubled[key] += has_trouble
        return has_trouble

    def _count_would(self, would: str, shadows: str, mode: str) -> None:
        """Count `would` for the shadow rules. In observe mode it may be the action of enforcement instead: then the actions of the
        shadow rules are not known, and they are counted under ""."""
        names, actions = shadows.split(",") if shadows else [], would.split(",")
        if would and len(names) == len(actions) and not (mode == OBSERVE and len(names) == 1 and not names[0]):
            for name, action in zip(names, actions, strict=True):
                self.shadows.add((name, action))
                self.unmatched.pop(name, None)
            return
        if would in ACTIONS:
            self.observed[would] += 1
        for name in names:
            self.shadows.add((name, ""))
            self.unmatched.pop(name, None)

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
        """Count the facts in the combinations one by one, then discard the combinations."""
        looked_up = [index for index, name in enumerate(FACTS) if name in LOOKED_UP]
        for (combination, has_trouble), count in self._combinations.items():
            for (name, fact), word in zip(FACTS.items(), combination, strict=True):
                self._facts[name][word if word in fact.words else UNKNOWN] += count
            if has_trouble or any(combination[index] == TEMPERROR for index in looked_up):
                self.with_temperror += count
        self._combinations.clear()

    @property
    def facts(self) -> Mapping[str, Mapping[str, int]]:
        """The number of decisions by fact and value, without exempt clients; values in the order of the RFCs."""
        self._settle()
        return {
            name: {word: self._facts[name][word] for word in (*fact.words, UNKNOWN) if self._facts[name][word]}
            for name, fact in FACTS.items()
        }

    @property
    def judged(self) -> int:
        """The number of decisions on clients that were not exempt."""
        return self.decisions - self.exempt.total()

    @property
    def first(self) -> datetime | None:
        """The time of the first decision on the timeline; None if no line has a date."""
        hours, _ = self._axis()
        return self._spans[hours[0]][0] if hours else None

    @property
    def last(self) -> datetime | None:
        """The time of the last decision on the timeline; None if no line has a date."""
        hours, _ = self._axis()
        return self._spans[hours[-1]][1] if hours else None

    @property
    def stray(self) -> int:
        """The number of decisions that are left out of the timeline because their date must be wrong."""
        return self._axis()[1]

    def _axis(self) -> tuple[list[datetime], int]:
        """Return the hours of the timeline that have mail in them, and the number of decisions outside of the timeline.

        A few decisions far from all others come from a host whose clock was wrong. With them the timeline would be too long."""
        sizes: Counter[datetime] = Counter()
        for (hour, _), count in self._hours.items():
            sizes[hour] += count
        hours, stray = sorted(sizes), 0
        while (kept := _without_strays(hours, sizes)) != hours:
            stray += sum(sizes[hour] for hour in hours) - sum(sizes[hour] for hour in kept)
            hours = kept
        return hours, stray

    def timeline(self, most: int = MAX_BARS) -> tuple[int, list[Bar]]:
        """Return how many hours each bar spans, and the bars: at most `most`, without gaps. There are no bars if no line has a
        date."""
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
        first = max(0, last - most + 1)
        empty: Counter[str] = Counter()
        return step, [
            Bar(start + index * length, {action: counts.get(index, empty)[action] for action in ACTIONS})
            for index in range(first, last + 1)
        ]


def _without_strays(hours: list[datetime], sizes: Mapping[datetime, int]) -> list[datetime]:
    """Split the hours at the longest gap, and return the part with more decisions. Return all hours if the other part has too many
    decisions, or if the gap is not much longer than the part that would be returned."""
    if len(hours) < 2:
        return hours
    at = max(range(1, len(hours)), key=lambda index: hours[index] - hours[index - 1])
    gap = hours[at] - hours[at - 1]
    before, after = sum(sizes[hour] for hour in hours[:at]), sum(sizes[hour] for hour in hours[at:])
    kept = hours[:at] if before > after else hours[at:]
    few = min(before, after) * _STRAYS <= max(before, after)
    return kept if few and gap > max(_GAP, 10 * (kept[-1] - kept[0])) else hours


def _number(text: str) -> int:
    return min(int(text), _MAX_NUMBER) if len(text) < 10 and text.isascii() and text.isdecimal() else 0
