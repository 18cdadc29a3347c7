"""Show a report on a terminal.

Counts nothing: every number is in report_summary.Summary. All text from the log is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ..checks.evidence import SOURCES
from ..policy.rules import ACCEPT, ACTIONS, TAG
from ..text.escape import escaped
from ..text.numbers import duration, minute, number, percent
from ..text.terminal import STYLES, bar, heading, stacked, table, word
from .report import Bar
from .report_summary import Refused, Summary

_MAX_BARS = 30  # lines of the timeline
_COLOURS = {ACCEPT: "green", TAG: "yellow", "tempfail": "magenta", "reject": "red", "quarantine": "blue"}


def show(summary: Summary, console: Console) -> None:
    """Print the report."""
    width = min(40, max(10, console.width - 50))
    _show_head(summary, console)
    _show_actions(summary, width, console)
    _show_timeline(summary, console)
    _show_rules(summary, width, console)
    _show_trials(summary, console)
    _show_relays(summary, console)
    _show_facts(summary, console)
    _show_dns(summary, console)
    _show_refused("Refused or deferred most: clients", summary.refused.clients, console)
    _show_refused("Refused or deferred most: sender domains", summary.refused.senders, console)
    if summary.warnings:
        heading(console, "Warnings")
        for warning in summary.warnings:
            console.print(Text(f"  - {escaped(warning)}", style="yellow"), soft_wrap=True)


def _show_head(summary: Summary, console: Console) -> None:
    console.print(Text(f"rdns-milter, {summary.period or 'undated'}", style="bold"), soft_wrap=True)
    policies = ", ".join(escaped(each.policy) for each in summary.policies[:5])
    modes = ", ".join(mode or "unknown" for mode in summary.modes)
    console.print(
        Text(
            f"  {number(summary.decisions)} decisions on {number(summary.recipients)} recipients in {number(summary.lines)}"
            f" lines; policy {policies}; mode {modes}"
        ),
        soft_wrap=True,
    )


def _show_actions(summary: Summary, width: int, console: Console) -> None:
    counts = [(action, count) for action, count in summary.actions.items() if count]
    if not counts:
        return
    heading(console, "Verdicts")
    most = max(count for _, count in counts)
    rows = [
        (
            word(action),
            number(count),
            percent(count, summary.decisions),
            Text(bar(count, most, width), style=_COLOURS[action]),
        )
        for action, count in counts
    ]
    table(console, rows, bars=True)


def _show_timeline(summary: Summary, console: Console) -> None:
    size = -(-len(summary.timeline.bars) // _MAX_BARS)
    bars = _merged(summary.timeline.bars, size)
    if len(bars) < 2:
        return
    present = (action for action in ACTIONS if any(each.counts[action] for each in bars))
    legend = ", ".join(f"{action} {_COLOURS[action]}" for action in present)
    heading(console, "Over time", f"each line {duration(summary.timeline.hours * size)}; {legend}")
    most = max(sum(each.counts.values()) for each in bars)
    room = min(60, max(10, console.width - 40))
    for each in bars:
        line = Text(f"  {minute(each.start)}  {number(sum(each.counts.values())):>9}  ")
        cells = stacked([each.counts[action] for action in ACTIONS], most, room)
        for action, width in zip(ACTIONS, cells, strict=True):
            line.append("█" * width, style=_COLOURS[action])
        console.print(line, soft_wrap=True)


def _merged(bars: Sequence[Bar], size: int) -> list[Bar]:
    """Return bars that each add up `size` neighbours."""
    groups = [bars[at : at + size] for at in range(0, len(bars), size or 1)]
    return [
        Bar(group[0].start, {action: sum(each.counts[action] for each in group) for action in ACTIONS})
        for group in groups
    ]


def _show_rules(summary: Summary, width: int, console: Console) -> None:
    if not summary.rules:
        return
    heading(console, "By rule", summary.rules_note)
    most = summary.rules[0].count
    rows = [
        (
            escaped(each.rule, 60),
            word(each.action),
            number(each.count),
            percent(each.count, summary.decisions),
            Text(bar(each.count, most, width), style=_COLOURS[each.action]),
        )
        for each in summary.rules
    ]
    table(console, rows, left=2, bars=True)


def _show_trials(summary: Summary, console: Console) -> None:
    """Show the shadow rules, the observe mode, and the rules that have not matched."""
    if summary.shadow:
        heading(console, "Shadow rules", "what they would have done")
        rows = [(escaped(each.rule, 60), word(each.would), number(each.count)) for each in summary.shadow]
        table(console, rows, left=2)
    if summary.observed:
        heading(console, "Observe mode", "what enforcement would have done")
        table(console, [(word(action), number(count)) for action, count in summary.observed.items()])
    if summary.never_matched:
        heading(console, "Rules that matched nothing")
        console.print(Text("  " + ", ".join(map(escaped, summary.never_matched))), soft_wrap=True)


def _show_relays(summary: Summary, console: Console) -> None:
    found = summary.through_relays
    if found.actions:
        heading(console, "Through relays", "what the rules called for; nothing of it was refused or deferred")
        table(console, [(word(action), number(count)) for action, count in found.actions.items()])
        relays = ", ".join(f"{escaped(each.relay)} {number(each.decisions)}" for each in found.relays)
        console.print(Text(f"  relays          {relays}"), soft_wrap=True)


def _show_facts(summary: Summary, console: Console) -> None:
    shown = [(name, words) for name, words in summary.facts.items() if words]
    if not shown:
        return
    heading(console, "By fact", "clients that were not exempt")
    for name, words in shown:
        total = sum(words.values())
        line = Text(f"  {name:<15} ")
        for index, (result, count) in enumerate(words.items()):
            line.append(", " if index else "").append(result, style=STYLES.get(result, ""))
            line.append(f" {number(count)} ({percent(count, total)})")
        console.print(line, soft_wrap=True)
    for fact in SOURCES:
        held = ", ".join(
            f"{escaped(each.name, 100)} {number(each.count)}" for each in summary.sources if each.fact == fact
        )
        if held:
            console.print(Text(f"  {fact:<15} {held}"), soft_wrap=True)
    if summary.exempt:
        exempt = ", ".join(
            f"{escaped(rule.partition(':')[2])} {number(count)}" for rule, count in summary.exempt.items()
        )
        console.print(Text(f"  not judged      {exempt}"), soft_wrap=True)


def _show_dns(summary: Summary, console: Console) -> None:
    if not summary.judged:
        return
    heading(console, "DNS")
    trouble = summary.temperror
    each = ", ".join(f"{name} {number(count)}" for name, count in trouble.facts.items() if count)
    console.print(
        f"  temperror: {number(trouble.decisions)} decisions ({percent(trouble.decisions, summary.judged)})"
        + (f": {each}" if each else ""),
        soft_wrap=True,
    )
    console.print(
        f"  {number(summary.queries)} queries, {number(summary.cached)} of them answered from the cache"
        f" ({percent(summary.cached, summary.queries)}); {number(summary.waited)} decisions waited for DNS",
        soft_wrap=True,
    )
    ranks = tuple(summary.waited_ms)
    rows = [
        (title, *(f"{number(times[rank])} ms" for rank in ranks))
        for title, times in (("message waited", summary.waited_ms), ("DNS took", summary.dns_ms))
    ]
    table(console, rows, heads=("", *(rank if rank == "max" else f"{rank[1:]} %" for rank in ranks)))


def _show_refused(title: str, refused: Sequence[Refused], console: Console) -> None:
    if not refused:
        return
    heading(console, title)
    for each in refused:
        line = Text(f"  {number(each.count):>8}  {escaped(each.name, 100) or '(none)'}")
        if each.fault:
            line.append(f"  {escaped(each.fault, 300)}", style="dim")
        console.print(line, soft_wrap=True)
