"""Write a report as one HTML file that can be mailed: with charts, without scripts, loading nothing from elsewhere.

Counts nothing: every number is in report_summary.Summary and carries its place in the JSON output as `data-n`. All text from the
log is made printable, then escaped.

HTML Living Standard; CSP Level 3 (the page forbids itself to load anything).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib import resources

from ..policy.rules import ACTIONS
from ..text.escape import escaped
from ..text.numbers import duration, minute, number, percent
from .report_summary import Refused, Summary
from .svg import column_chart, shade, stacked_bar

_FEW_BARS = 5  # fewer are not stretched over the whole width of the page

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(summary: Summary, version: str, made: datetime) -> str:
    """Return the page. `version`: of this program; `made`: the time of the report, for the footer."""
    parts = (
        _head(summary),
        _cards(summary),
        _timeline(summary),
        _pair(
            _rules(summary) + _never_matched(summary),
            _dns(summary) + _trials(summary) + _relays(summary) + _exempt(summary),
        ),
        _facts(summary),
        _refused("Clients refused or deferred most", "clients", summary.refused.clients),
        _refused("Sender domains refused or deferred most", "senders", summary.refused.senders),
        _list("Warnings", [_text(each, 500) for each in summary.warnings]),
        f"<footer>Made by rdns-milter {escape(version)} on {minute(made)}."
        f" Policies in this log: {_policies(summary)}.</footer>",
    )
    title = f"rdns-milter{f', {summary.period}' if summary.period else ''}"
    style = resources.files(__package__).joinpath("report.css").read_text("ascii")
    return _PAGE.format(title=escape(title), style=style, body="\n".join(part for part in parts if part))


def _text(value: object, most: int = 300) -> str:
    return escape(escaped(str(value), most))


def _n(count: float, key: str) -> str:
    """Return a number with its place in the JSON output."""
    return f'<span data-n="{escape(key)}">{number(count)}</span>'


def _share(part: float, whole: float) -> str:
    return percent(part, whole).replace(" ", "\u00a0")


def _section(title: str, inside: str, note: str = "") -> str:
    small = f" <small>{escape(note)}</small>" if note else ""
    return f"<section><h2>{escape(title)}{small}</h2>{inside}</section>" if inside else ""


def _pair(left: str, right: str) -> str:
    return f'<div class="pair"><div>{left}</div><div>{right}</div></div>'


def _head(summary: Summary) -> str:
    modes = " and ".join(_text(mode or "unknown") for mode in summary.modes) or "unknown"
    return (
        f"<header><h1>What the milter did</h1><p>{escape(summary.period) or 'undated'}</p>"
        f'<p class="dim">{_n(summary.decisions, "decisions")} decisions on {_n(summary.recipients, "recipients")} recipients,'
        f" from {_n(summary.lines, 'lines')} lines of the log; mode {modes}.</p></header>"
    )


def _cards(summary: Summary) -> str:
    cards = [
        (action, action, _n(count, f"actions.{action}"), _share(count, summary.decisions))
        for action, count in summary.actions.items()
        if count or action in ("accept", "reject")
    ]
    trouble = summary.temperror.decisions
    share = f"{_share(trouble, summary.judged)} temperror"
    cards.append(("trouble", "DNS trouble", _n(trouble, "temperror.decisions"), share))
    wait = f"{_n(summary.waited_ms['p95'], 'waited_ms.p95')} ms"
    cards.append(("one", "waited for DNS", wait, "95\u00a0% waited no longer"))
    return '<div class="cards">{}</div>'.format(
        "".join(
            f'<div class="{kind}">{escape(title)}<b>{value}</b><span class="dim">{escape(note)}</span></div>'
            for kind, title, value, note in cards
        )
    )


def _timeline(summary: Summary) -> str:
    bars = summary.timeline.bars
    if not bars:
        return ""
    used = [action for action in ACTIONS if any(bar.counts[action] for bar in bars)]
    drawing = column_chart(
        [
            (
                f"{minute(bar.start)}: " + ", ".join(f"{action} {number(bar.counts[action])}" for action in used),
                [(bar.counts[action], action) for action in used],
            )
            for bar in bars
        ],
        "Decisions over time",
    )
    marks = dict.fromkeys((bars[0].start, bars[len(bars) // 2].start, bars[-1].start))
    axis = "".join(f"<span>{minute(mark)}</span>" for mark in marks)
    legend = "".join(f'<span><i class="{action}"></i>{action}</span>' for action in used)
    most = max(sum(bar.counts.values()) for bar in bars)
    note = f"each bar {duration(summary.timeline.hours)}, the highest {number(most)} decisions"
    few = " few" if len(bars) < _FEW_BARS else ""
    chart = f'<div class="chart{few}">{drawing}<div class="axis">{axis}</div></div>'
    return _section("Over time", f'{chart}<div class="legend">{legend}</div>', note)


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table; "" if it has no row. `heads`: class and title of each column; cells are HTML."""
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{name}">{cell}</td>' for (name, _), cell in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )
    head = "".join(f'<th class="{name}">{escape(title)}</th>' for name, title in heads)
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>' if body else ""


def _rules(summary: Summary) -> str:
    most = max((each.count for each in summary.rules), default=0)
    rows = [
        (
            f"<code>{_text(each.rule, 128)}</code>",
            f'<i class="{_text(each.action)}"></i>{_text(each.action)}',
            stacked_bar([(each.count, each.action)], most),
            _n(each.count, f"rules.{index}.count"),
        )
        for index, each in enumerate(summary.rules)
    ]
    heads = (("name", "rule"), ("word", "action"), ("wide", ""), ("n", "decisions"))
    return _section("By rule", _table(heads, rows), summary.rules_note)


def _dns(summary: Summary) -> str:
    if not summary.judged:
        return ""
    ranks = tuple(summary.waited_ms)
    heads = [("", "ms"), *(("n", rank if rank == "max" else f"{rank[1:]} %") for rank in ranks)]
    rows = [
        (title, *(_n(times[rank], f"{key}.{rank}") for rank in ranks))
        for key, title, times in (
            ("waited_ms", "a message waited", summary.waited_ms),
            ("dns_ms", "DNS took", summary.dns_ms),
        )
    ]
    facts = "".join(
        f"<li>{_text(name)}: {_n(count, f'temperror.facts.{name}')}</li>"
        for name, count in summary.temperror.facts.items()
        if count
    )
    asked = (
        f"<p>{_n(summary.queries, 'queries')} queries, {_n(summary.cached, 'cached')} of them answered from the cache"
        f" ({_share(summary.cached, summary.queries)}). {_n(summary.waited, 'waited')} decisions waited for DNS.</p>"
    )
    trouble = f"<p>Could not be looked up (temperror):</p><ul>{facts}</ul>" if facts else "<p>No temperror.</p>"
    return _section("DNS", f"{_table(heads, rows)}<br>{asked}{trouble}")


def _facts(summary: Summary) -> str:
    parts = []
    for name, words in summary.facts.items():
        total = sum(words.values())
        if not total:
            continue
        legend = "".join(
            f'<span><i class="{shade(result)}"></i>{_text(result)} {_n(count, f"facts.{name}.{result}")}'
            f' <span class="dim">{_share(count, total)}</span></span>'
            for result, count in words.items()
        )
        bar = stacked_bar([(count, shade(result)) for result, count in words.items()], total)
        parts.append(f'<div><b>{_text(name)}</b>{bar}<div class="legend">{legend}</div></div>')
    rows = [
        (_text(each.fact), f"<code>{_text(each.name)}</code>", _n(each.count, f"sources.{index}.count"))
        for index, each in enumerate(summary.sources)
    ]
    sources = _table((("", "fact"), ("name", "holds, or is in trouble"), ("n", "decisions")), rows)
    facts = f'<div class="facts">{"".join(parts)}</div>' if parts else ""
    return _section("By fact", facts + sources, "clients that were not exempt")


def _trials(summary: Summary) -> str:
    """Return the part on shadow rules and observe mode."""
    rows = [
        (f"<code>{_text(each.rule, 128)}</code>", _text(each.would), _n(each.count, f"shadow.{index}.count"))
        for index, each in enumerate(summary.shadow)
    ]
    shadows = _table((("name", "rule"), ("", "would"), ("n", "decisions")), rows)
    observed = _table(
        (("", "would"), ("n", "decisions")),
        [(_text(action), _n(count, f"observed.{action}")) for action, count in summary.observed.items()],
    )
    return _section("Shadow rules", shadows, "what they would have done") + _section(
        "Observe mode", observed, "what enforcement would have done"
    )


def _relays(summary: Summary) -> str:
    found = summary.through_relays
    actions = [
        (_text(action), _n(count, f"through_relays.actions.{action}")) for action, count in found.actions.items()
    ]
    relays = [
        (f"<code>{_text(each.relay)}</code>", _n(each.decisions, f"through_relays.relays.{index}.decisions"))
        for index, each in enumerate(found.relays)
    ]
    called_for = _table((("", "called for"), ("n", "decisions")), actions)
    tables = called_for + _table((("name", "relay"), ("n", "decisions")), relays)
    return _section("Through relays", tables, "reject and tempfail became tag")


def _exempt(summary: Summary) -> str:
    rows = [(_text(rule), _n(count, f"exempt.{rule}")) for rule, count in summary.exempt.items()]
    return _section("Not judged", _table((("", "why"), ("n", "decisions")), rows))


def _never_matched(summary: Summary) -> str:
    return _list("Rules that matched nothing", [f"<code>{_text(rule)}</code>" for rule in summary.never_matched])


def _refused(title: str, key: str, refused: Sequence[Refused]) -> str:
    most = max((each.count for each in refused), default=0)
    rows = [
        (
            f"<code>{_text(each.name, 255) or '(none)'}</code>",
            stacked_bar([(each.count, "one")], most),
            _n(each.count, f"refused.{key}.{index}.count"),
            f'<span class="dim">{_text(each.fault)}</span>',
        )
        for index, each in enumerate(refused)
    ]
    heads = (("name", "who"), ("wide", ""), ("n", "decisions"), ("say", "what was wrong, for example"))
    return _section(title, _table(heads, rows, "stack"))


def _list(title: str, items: Sequence[str]) -> str:
    """Return a list of items, which are HTML; "" if there is no item."""
    return _section(title, f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else "")


def _policies(summary: Summary) -> str:
    return (
        ", ".join(
            f"<code>{_text(each.policy, 64) or 'unknown'}</code> ({_n(each.decisions, f'policies.{index}.decisions')})"
            for index, each in enumerate(summary.policies[:10])
        )
        or "none"
    )
