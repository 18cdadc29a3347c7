"""How a report looks on a terminal.

Counts nothing: shows what report.as_dict says. All that comes from the log is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ..policy.rules import ACCEPT, ACTIONS, TAG
from ..text.numbers import number, percent, plain
from ..text.terminal import STYLES, bar, heading, stacked, table, word

_BARS = 30  # lines of the timeline at most
_COLOURS = {ACCEPT: "green", TAG: "yellow", "tempfail": "magenta", "reject": "red", "quarantine": "blue"}

Document = Mapping[str, Any]


def show(found: Document, console: Console) -> None:
    """The report for a reader: as_dict's document."""
    width = min(40, max(10, console.width - 50))
    _show_head(found, console)
    _show_actions(found, width, console)
    _show_timeline(found, console)
    _show_rules(found, width, console)
    _show_facts(found, console)
    _show_trouble(found, console)
    for title, key in (("clients", "clients"), ("sender domains", "senders")):
        _show_top(f"Refused or deferred most: {title}", found["refused"][key], console)
    if found["warnings"]:
        heading(console, "Warnings")
        for warning in found["warnings"]:
            console.print(Text(f"  - {plain(warning)}", style="yellow"), soft_wrap=True)


def period(found: Document) -> str:
    """The days that the report is about, as a reader has them; "" if no line has a date."""
    if not found["first"]:
        return ""
    first, last = (datetime.fromisoformat(found[key]).strftime("%Y-%m-%d %H:%M") for key in ("first", "last"))
    return f"{first} to {last}"


def _show_head(found: Document, console: Console) -> None:
    console.print(Text(f"rdns-milter, {period(found) or 'undated'}", style="bold"), soft_wrap=True)
    policies = ", ".join(plain(entry["policy"]) for entry in found["policies"][:5])
    modes = ", ".join(f"{mode or 'unknown'}" for mode in found["modes"])
    console.print(
        Text(
            f"  {number(found['decisions'])} decisions on {number(found['recipients'])} recipients in {number(found['lines'])}"
            f" lines; policy {policies}; mode {modes}"
        ),
        soft_wrap=True,
    )


def _show_actions(found: Document, width: int, console: Console) -> None:
    total = found["decisions"]
    counts = [(action, found["actions"][action]) for action in ACTIONS if found["actions"][action]]
    if not counts:
        return
    heading(console, "Verdicts")
    most = max(count for _, count in counts)
    rows = [
        (word(action), number(count), percent(count, total), Text(bar(count, most, width), style=_COLOURS[action]))
        for action, count in counts
    ]
    table(console, rows, bars=True)


def _show_timeline(found: Document, console: Console) -> None:
    bars = _merged(found["timeline"]["bars"], _BARS)
    if len(bars) < 2:
        return
    hours = found["timeline"]["hours"] * _merging(found["timeline"]["bars"], _BARS)
    heading(
        console, "Over time", f"each line {_span(hours)}; " + ", ".join(f"{a} {_COLOURS[a]}" for a in _present(bars))
    )
    most = max(sum(bar_[action] for action in ACTIONS) for bar_ in bars)
    room = min(60, max(10, console.width - 40))
    for bar_ in bars:
        total = sum(bar_[action] for action in ACTIONS)
        line = Text(f"  {_moment(bar_['start'])}  {number(total):>9}  ")
        cells = stacked([bar_[action] for action in ACTIONS], most, room)
        for action, width in zip(ACTIONS, cells, strict=True):
            line.append("█" * width, style=_COLOURS[action])
        console.print(line, soft_wrap=True)


def _present(bars: Sequence[Mapping[str, Any]]) -> list[str]:
    return [action for action in ACTIONS if any(bar_[action] for bar_ in bars)]


def _merging(bars: Sequence[Any], most: int) -> int:
    return -(-len(bars) // most) if bars else 1


def _merged(bars: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, Any]]:
    """Neighbours added up, so that there are no more than so many."""
    size = _merging(bars, most)
    groups = [bars[at : at + size] for at in range(0, len(bars), size)]
    return [
        {"start": group[0]["start"], **{action: sum(each[action] for each in group) for action in ACTIONS}}
        for group in groups
    ]


def _moment(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M")


def _span(hours: int) -> str:
    days, rest = divmod(hours, 24)
    if rest:
        return f"{hours} hours" if hours > 1 else "1 hour"
    return f"{days} days" if days > 1 else "1 day"


def _show_rules(found: Document, width: int, console: Console) -> None:
    if found["rules"]:
        heading(console, "By rule")
        most = found["rules"][0]["count"]
        rows = [
            (
                plain(entry["rule"], 60),
                word(entry["action"]),
                number(entry["count"]),
                percent(entry["count"], found["decisions"]),
                Text(bar(entry["count"], most, width), style=_COLOURS[entry["action"]]),
            )
            for entry in found["rules"]
        ]
        table(console, rows, left=2, bars=True)
    if found["shadow"]:
        heading(console, "Shadow rules", "what they would have done")
        table(console, [(plain(e["rule"], 60), word(e["would"]), number(e["count"])) for e in found["shadow"]], left=2)
    if found["observed"]:
        heading(console, "Observe mode", "what enforcement would have done")
        table(console, [(word(action), number(count)) for action, count in found["observed"].items()])
    if found["never_matched"]:
        heading(console, "Rules that matched nothing")
        console.print(Text("  " + ", ".join(map(plain, found["never_matched"]))), soft_wrap=True)


def _show_facts(found: Document, console: Console) -> None:
    shown = [(name, words) for name, words in found["facts"].items() if words]
    if not shown:
        return
    heading(console, "By fact", "of clients that were not exempt")
    for name, words in shown:
        total = sum(words.values())
        line = Text(f"  {name:<15} ")
        for index, (result, count) in enumerate(words.items()):
            line.append(", " if index else "").append(result, style=STYLES.get(result, ""))
            line.append(f" {number(count)} ({percent(count, total)})")
        console.print(line, soft_wrap=True)
    if found["exempt"]:
        exempt = ", ".join(
            f"{plain(rule.partition(':')[2])} {number(count)}" for rule, count in found["exempt"].items()
        )
        console.print(Text(f"  not judged      {exempt}"), soft_wrap=True)


def _show_trouble(found: Document, console: Console) -> None:
    if not found["facts"]["iprev"]:
        return
    heading(console, "DNS")
    trouble, judged = found["temperror"], sum(found["facts"]["iprev"].values())
    each = ", ".join(f"{name} {number(count)}" for name, count in trouble["facts"].items() if count)
    console.print(
        f"  temperror: {number(trouble['decisions'])} decisions ({percent(trouble['decisions'], judged)})"
        + (f": {each}" if each else ""),
        soft_wrap=True,
    )
    console.print(
        f"  {number(found['queries'])} questions, {number(found['cached'])} of them answered from memory"
        f" ({percent(found['cached'], found['queries'])}); {number(found['waited'])} decisions had to wait",
        soft_wrap=True,
    )
    ranks = list(found["waited_ms"])
    names = {"waited_ms": "message waited", "dns_ms": "DNS at work"}
    rows = [(title, *(f"{number(found[key][rank])} ms" for rank in ranks)) for key, title in names.items()]
    table(console, rows, heads=("", *(rank if rank == "max" else f"{rank[1:]} %" for rank in ranks)))


def _show_top(title: str, entries: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not entries:
        return
    heading(console, title)
    for entry in entries:
        line = Text(f"  {number(entry['count']):>8}  {plain(entry['name'], 100) or '(none)'}")
        if entry["fault"]:
            line.append(f"  {plain(entry['fault'], 300)}", style="dim")
        console.print(line, soft_wrap=True)
