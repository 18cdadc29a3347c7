"""The report as one HTML file that can be mailed to a colleague: charts in it, nothing loaded from elsewhere, no script.

Counts nothing: shows what report.as_dict says, and every number carries in `data-n` the place from which it comes. All foreign text
is made printable, then escaped.

HTML Living Standard; CSP Level 3 (the page itself forbids that anything is loaded).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from ..policy.rules import ACTIONS
from ..text.numbers import number, percent, plain
from .report_style import STYLE
from .svg import columns, lying, shade

Document = Mapping[str, Any]
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


def page(found: Document, version: str, made: datetime) -> str:
    """The whole page. `found`: as_dict's document; `version`: of this program; `made`: now."""
    days = _period(found)
    parts = (
        _head(found, days),
        _cards(found),
        _timeline(found),
        _pair(_rules(found) + _never(found), _dns(found) + _trials(found) + _unjudged(found)),
        _facts(found),
        _top("Clients refused or deferred most", "clients", found),
        _top("Sender domains refused or deferred most", "senders", found),
        _list("Warnings", found["warnings"]),
        f"<footer>Made by rdns-milter {escape(version)} on {made:%Y-%m-%d %H:%M}."
        f" Policies in this log: {_policies(found)}.</footer>",
    )
    title = f"rdns-milter{f', {days}' if days else ''}"
    return _PAGE.format(title=escape(title), style=STYLE, body="\n".join(part for part in parts if part))


def _text(value: object, most: int = 300) -> str:
    return escape(plain(str(value), most))


def _n(count: float, key: str) -> str:
    """A number, and where it comes from."""
    return f'<span data-n="{escape(key)}">{number(count)}</span>'


def _share(part: float, whole: float) -> str:
    return percent(part, whole).replace(" ", "\u00a0")


def _section(title: str, inside: str, note: str = "") -> str:
    small = f" <small>{escape(note)}</small>" if note else ""
    return f"<section><h2>{escape(title)}{small}</h2>{inside}</section>" if inside else ""


def _pair(left: str, right: str) -> str:
    return f'<div class="pair"><div>{left}</div><div>{right}</div></div>'


def _day(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M")


def _period(found: Document) -> str:
    return f"{_day(found['first'])} to {_day(found['last'])}" if found["first"] else ""


def _head(found: Document, days: str) -> str:
    modes = " and ".join(_text(mode or "unknown") for mode in found["modes"]) or "unknown"
    return (
        f"<header><h1>What the milter did</h1><p>{escape(days) or 'undated'}</p>"
        f'<p class="dim">{_n(found["decisions"], "decisions")} decisions on {_n(found["recipients"], "recipients")} recipients,'
        f" from {_n(found['lines'], 'lines')} lines of the log; mode {modes}.</p></header>"
    )


def _cards(found: Document) -> str:
    total = found["decisions"]
    cards = [
        (action, action, _n(count, f"actions.{action}"), _share(count, total))
        for action, count in found["actions"].items()
        if count or action in ("accept", "reject")
    ]
    trouble, judged = found["temperror"]["decisions"], sum(found["facts"]["iprev"].values())
    cards.append(("trouble", "DNS trouble", _n(trouble, "temperror.decisions"), f"{_share(trouble, judged)} temperror"))
    wait = _n(found["waited_ms"]["p95"], "waited_ms.p95")
    cards.append(("one", "waited for DNS", f"{wait} ms", "95\u00a0% waited no longer"))
    return '<div class="cards">{}</div>'.format(
        "".join(
            f'<div class="{kind}">{escape(title)}<b>{value}</b><span class="dim">{escape(note)}</span></div>'
            for kind, title, value, note in cards
        )
    )


def _timeline(found: Document) -> str:
    bars = found["timeline"]["bars"]
    if not bars:
        return ""
    used = [action for action in ACTIONS if any(bar[action] for bar in bars)]
    drawing = columns(
        [
            (
                f"{_day(bar['start'])}: " + ", ".join(f"{action} {number(bar[action])}" for action in used),
                [(bar[action], action) for action in used],
            )
            for bar in bars
        ],
        "Decisions over time",
    )
    marks = {bars[0]["start"]: None, bars[len(bars) // 2]["start"]: None, bars[-1]["start"]: None}
    axis = "".join(f"<span>{escape(_day(mark))}</span>" for mark in marks)
    legend = "".join(f'<span><i class="{action}"></i>{action}</span>' for action in used)
    most = max(sum(bar[action] for action in ACTIONS) for bar in bars)
    note = f"each bar {_span(found['timeline']['hours'])}, the highest {number(most)} decisions"
    few = " few" if len(bars) < _FEW_BARS else ""
    chart = f'<div class="chart{few}">{drawing}<div class="axis">{axis}</div></div>'
    return _section("Over time", f'{chart}<div class="legend">{legend}</div>', note)


def _span(hours: int) -> str:
    days, rest = divmod(hours, 24)
    if rest:
        return f"{hours} hours" if hours > 1 else "1 hour"
    return f"{days} days" if days > 1 else "1 day"


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """`heads`: class and title of each column; cells are HTML. "" without a row."""
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{name}">{cell}</td>' for (name, _), cell in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )
    head = "".join(f'<th class="{name}">{escape(title)}</th>' for name, title in heads)
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>' if body else ""


def _rules(found: Document) -> str:
    most = max((entry["count"] for entry in found["rules"]), default=0)
    rows = [
        (
            f"<code>{_text(entry['rule'], 128)}</code>",
            f'<i class="{_text(entry["action"])}"></i>{_text(entry["action"])}',
            lying([(entry["count"], entry["action"])], most),
            _n(entry["count"], f"rules.{index}.count"),
        )
        for index, entry in enumerate(found["rules"])
    ]
    return _section("By rule", _table((("name", "rule"), ("word", "action"), ("wide", ""), ("n", "decisions")), rows))


def _dns(found: Document) -> str:
    if not found["facts"]["iprev"]:
        return ""
    ranks = list(found["waited_ms"])
    heads = [("", "ms"), *(("n", rank if rank == "max" else f"{rank[1:]} %") for rank in ranks)]
    rows = [
        (escape(title), *(_n(found[key][rank], f"{key}.{rank}") for rank in ranks))
        for key, title in (("waited_ms", "a message waited"), ("dns_ms", "DNS was at work"))
    ]
    facts = "".join(
        f"<li>{_text(name)}: {_n(count, f'temperror.facts.{name}')}</li>"
        for name, count in found["temperror"]["facts"].items()
        if count
    )
    asked = (
        f"<p>{_n(found['queries'], 'queries')} questions, {_n(found['cached'], 'cached')} of them answered from memory"
        f" ({_share(found['cached'], found['queries'])}). {_n(found['waited'], 'waited')} decisions had to wait.</p>"
    )
    trouble = f"<p>Could not be found out (temperror):</p><ul>{facts}</ul>" if facts else "<p>No temperror at all.</p>"
    return _section("DNS", f"{_table(heads, rows)}<br>{asked}{trouble}")


def _facts(found: Document) -> str:
    parts = []
    for name, words in found["facts"].items():
        total = sum(words.values())
        if not total:
            continue
        legend = "".join(
            f'<span><i class="{shade(result)}"></i>{_text(result)} {_n(count, f"facts.{name}.{result}")}'
            f' <span class="dim">{_share(count, total)}</span></span>'
            for result, count in words.items()
        )
        bar = lying([(count, shade(result)) for result, count in words.items()], total)
        parts.append(f'<div><b>{_text(name)}</b>{bar}<div class="legend">{legend}</div></div>')
    return _section(
        "What was found out",
        f'<div class="facts">{"".join(parts)}</div>' if parts else "",
        "about clients that were not exempt",
    )


def _trials(found: Document) -> str:
    rows = [
        (
            f"<code>{_text(entry['rule'], 128)}</code>",
            _text(entry["would"]),
            _n(entry["count"], f"shadow.{index}.count"),
        )
        for index, entry in enumerate(found["shadow"])
    ]
    shadows = _table((("name", "rule"), ("", "would"), ("n", "decisions")), rows)
    observed = _table(
        (("", "would"), ("n", "decisions")),
        [(_text(action), _n(count, f"observed.{action}")) for action, count in found["observed"].items()],
    )
    return _section("Shadow rules", shadows, "what they would have done") + _section(
        "Observe mode", observed, "what enforcement would have done"
    )


def _unjudged(found: Document) -> str:
    rows = [(_text(rule), _n(count, f"exempt.{rule}")) for rule, count in found["exempt"].items()]
    return _section("Not judged", _table((("", "why"), ("n", "decisions")), rows))


def _never(found: Document) -> str:
    return _list("Rules that matched nothing", found["never_matched"], code=True)


def _top(title: str, key: str, found: Document) -> str:
    entries = found["refused"][key]
    most = max((entry["count"] for entry in entries), default=0)
    rows = [
        (
            f"<code>{_text(entry['name'], 255) or '(none)'}</code>",
            lying([(entry["count"], "one")], most),
            _n(entry["count"], f"refused.{key}.{index}.count"),
            f'<span class="dim">{_text(entry["fault"])}</span>',
        )
        for index, entry in enumerate(entries)
    ]
    heads = (("name", "who"), ("wide", ""), ("n", "decisions"), ("say", "what was wrong, for example"))
    return _section(title, _table(heads, rows, "stack"))


def _list(title: str, items: Sequence[str], code: bool = False) -> str:
    shown = [f"<code>{_text(item)}</code>" if code else _text(item, 500) for item in items]
    return _section(title, f"<ul>{''.join(f'<li>{item}</li>' for item in shown)}</ul>" if shown else "")


def _policies(found: Document) -> str:
    return (
        ", ".join(
            f"<code>{_text(entry['policy'], 64) or 'unknown'}</code> ({_n(entry['decisions'], f'policies.{index}.decisions')})"
            for index, entry in enumerate(found["policies"][:10])
        )
        or "none"
    )
