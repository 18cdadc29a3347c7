"""The numbers of a report as records, and as JSON for programs.

Counts nothing itself and knows no presentation. Every number that the terminal or the page shows is in Summary.

RFC 8259 (JSON), RFC 3339 (dates).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

from ..checks.evidence import LOOKED_UP, SOURCES, TEMPERROR
from ..logs.decision_line import parse
from ..logs.logged_evidence import evidence_of
from ..monitoring.top_k import Entry
from ..policy.rules import ACTIONS, KEPT_OUT, OBSERVE
from ..responses.advice import advice
from ..text.numbers import minute
from .replay import MANY_CLIENTS_WARNING, unread
from .report import Bar, Report

PERCENTILES = (50, 90, 95, 99)
_MAX_RULES = 200
_MAX_FAULTS = 2  # of one client that are named
_OBSERVE_NOTE = "in observe mode, accept includes mail that the rule would have refused or deferred"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Decisions over time. `hours`: the length of each bar."""

    hours: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule and one of its actions."""

    rule: str
    action: str
    count: int


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """A shadow rule. `would`: its action; "" if that is not in the line."""

    rule: str
    would: str
    count: int


@dataclass(frozen=True, slots=True)
class Temperror:
    """Decisions with DNS trouble in them. `share`: their share of the decisions on clients that were not exempt, None if there are
    no such decisions; `facts`: by fact."""

    decisions: int
    share: float | None
    facts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """A client or sender domain whose mail was kept out. `fault`: what was wrong in `example`, a line of the log."""

    name: str
    count: int
    fault: str
    example: str


@dataclass(frozen=True, slots=True)
class MostRefused:
    """The clients and sender domains that had the most mail refused, deferred or quarantined."""

    clients: tuple[Refused, ...]
    senders: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class SourceCount:
    """A provider or an entry of a DNS list, as the log names it. `fact`: "client_spf" or "dnslist"."""

    fact: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class RelayCount:
    """A relay, by its address."""

    relay: str
    decisions: int


@dataclass(frozen=True, slots=True)
class ThroughRelays:
    """Decisions on mail that came through relays. `actions`: the number of decisions by the action that the rules called for.
    Reject and tempfail were not carried out: such a message was tagged."""

    relays: tuple[RelayCount, ...]
    actions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PolicyCount:
    """A policy, by its digest."""

    policy: str
    decisions: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All values of a report. The fields are the keys of its JSON, in this order.

    `first`, `last`: None if no line has a date; `kept_out`: decisions to refuse, defer or quarantine; `observed`: in observe mode,
    the action of enforcement; `waited_ms`, `dns_ms`: milliseconds by percentile; `waited`: decisions that waited for DNS."""

    lines: int
    decisions: int
    recipients: int
    first: datetime | None
    last: datetime | None
    actions: Mapping[str, int]
    kept_out: int
    timeline: Timeline
    rules: tuple[RuleCount, ...]
    exempt: Mapping[str, int]
    facts: Mapping[str, Mapping[str, int]]
    temperror: Temperror
    shadow: tuple[ShadowCount, ...]
    observed: Mapping[str, int]
    modes: Mapping[str, int]
    never_matched: tuple[str, ...]
    through_relays: ThroughRelays
    sources: tuple[SourceCount, ...]
    refused: MostRefused
    waited_ms: Mapping[str, int]
    waited: int
    dns_ms: Mapping[str, int]
    queries: int
    cached: int
    policies: tuple[PolicyCount, ...]
    warnings: tuple[str, ...]

    @property
    def judged(self) -> int:
        """The number of decisions on clients that were not exempt."""
        return sum(self.facts["iprev"].values())

    @property
    def period(self) -> str:
        """The dates of the first and the last decision; "" if no line has a date."""
        return f"{minute(self.first)} to {minute(self.last)}" if self.first and self.last else ""

    @property
    def rules_note(self) -> str:
        """A note on how to read `rules`, if their actions may be those of observe mode; else ""."""
        return _OBSERVE_NOTE if OBSERVE in self.modes else ""


def _in_trouble(report: Report, facts: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    """Return, for each fact, in how many decisions it could not be looked up."""
    return {name: facts[name].get(TEMPERROR, 0) for name in LOOKED_UP} | {
        name: report.troubled[name] for name in SOURCES
    }


def summarize(report: Report, most: int, digest: str = "", troubles: Sequence[str] = ()) -> Summary:
    """Return the numbers of a report. `most`: how many clients, senders, relays and policies; `digest`: of the policy with whose
    rules `report` was made; `troubles`: sentences about the files, which follow the warnings."""
    hours, bars = report.timeline()
    facts = report.facts
    share = round(report.with_temperror / report.judged, 6) if report.judged else None
    return Summary(
        lines=report.lines,
        decisions=report.decisions,
        recipients=report.recipients,
        first=report.first,
        last=report.last,
        actions={action: report.actions[action] for action in ACTIONS},
        kept_out=sum(report.actions[action] for action in KEPT_OUT),
        timeline=Timeline(hours, tuple(bars)),
        rules=tuple(RuleCount(*entry.name, entry.count) for entry in report.rules.top(_MAX_RULES)),
        exempt=dict(report.exempt.most_common()),
        facts=facts,
        temperror=Temperror(report.with_temperror, share, _in_trouble(report, facts)),
        shadow=tuple(ShadowCount(*entry.name, entry.count) for entry in report.shadows.top(_MAX_RULES)),
        observed=dict(report.observed.most_common()),
        modes=dict(report.modes.most_common()),
        never_matched=tuple(report.unmatched),
        through_relays=ThroughRelays(
            tuple(RelayCount(entry.name, entry.count) for entry in report.relays.top(most)),
            {action: report.relayed[action] for action in ACTIONS if report.relayed[action]},
        ),
        sources=tuple(SourceCount(*entry.name, entry.count) for entry in report.sources.top(_MAX_RULES)),
        refused=MostRefused(_refused(report.clients.top(most)), _refused(report.senders.top(most))),
        waited_ms=percentiles(report.waited_ms),
        waited=sum(count for ms, count in report.waited_ms.items() if ms),
        dns_ms=percentiles(report.dns_ms),
        queries=report.queries,
        cached=report.cached,
        policies=tuple(PolicyCount(entry.name, entry.count) for entry in report.policies.top(most)),
        warnings=(*warnings(report, digest), *troubles),
    )


def _refused(top: Sequence[Entry[str, str]]) -> tuple[Refused, ...]:
    examples = ((entry, entry.example or "") for entry in top)
    return tuple(Refused(entry.name, entry.count, faults(example), example) for entry, example in examples)


def percentiles(counts: Counter[int]) -> dict[str, int]:
    """Return the values at PERCENTILES by nearest rank, and the maximum. All are 0 if there are no values. `counts`: how often each
    value occurs."""
    total, seen, found = counts.total(), 0, {f"p{rank}": 0 for rank in PERCENTILES}
    ranks = list(PERCENTILES)
    for value in sorted(counts):
        seen += counts[value]
        while ranks and seen * 100 >= ranks[0] * total:
            found[f"p{ranks.pop(0)}"] = value
    return found | {"max": max(counts, default=0)}


def faults(example: str) -> str:
    """Return what is wrong with the client of a log line, in the words of the advice; "" if nothing is wrong or the line is cut."""
    decision = parse(example)
    found = advice(evidence_of(decision)) if decision else ()
    return "; ".join(finding.fault for finding in found[:_MAX_FAULTS])


def warnings(report: Report, digest: str = "") -> Iterator[str]:
    """Yield what limits the numbers, one sentence each. `digest`: see summarize."""
    if not report.decisions and report.early:
        yield f"the log contains no decision since then, but {report.early:,} earlier ones"
        return
    if not report.decisions:
        yield unread(report.prefixes, "the log contains no decision")
        return
    if report.undated:
        left = "they are left out" if report.since is not None else "they are not on the timeline"
        yield f"{report.undated:,} decisions have no date: {left}"
    if stray := report.stray:
        yield f"{stray:,} decisions have a date far from all others, probably of a wrong clock: they are not on the timeline"
    if digest and digest not in {entry.name for entry in report.policies.top()}:
        yield f"no decision was made by the policy of the given config file, {digest}"
    if report.clients.missed:
        yield MANY_CLIENTS_WARNING


def as_dict(summary: Summary) -> dict[str, Any]:
    """Return the summary as values that `json.dumps` takes."""
    return {field.name: _plain(getattr(summary, field.name)) for field in fields(summary)}


def _plain(value: Any) -> Any:
    if isinstance(value, Bar):
        return {"start": _plain(value.start), **value.counts}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.isoformat(timespec="minutes") if isinstance(value, datetime) else value
