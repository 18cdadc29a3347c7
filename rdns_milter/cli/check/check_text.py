"""The output of `rdns-milter check` as text and JSON: facts, DNS answers with their times, verdict, reply, header fields, advice.

It can be sent to a postmaster whose mail was refused. Judges nothing itself. Text from DNS and the command line is escaped before
it reaches a terminal.
"""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...checks.evidence import SOURCES, Sources
from ...logs.decision_keys import NONE, values
from ...logs.escapes import as_unicode
from ...policy.rules import OBSERVE
from ...resolver.lookup import Answer
from ...responses.advice import advice
from ...text.escape import escaped
from ...text.terminal import heading, word
from .check_session import Outcome

# The order of the facts: title, keys of the log line.
_FACTS = (
    ("reverse name", ("iprev", "iprev_reason", "ptr", "ptrs", "generic")),
    ("greeting", ("helo_name", "helo_kind", "helo", "helo_match", "helo_own")),
    ("SPF", ("spf_helo", "spf_mailfrom")),
    ("sender", ("mailfrom", "mailfrom_match", "rcpt")),
)
_ASKED = ("asked by rules", SOURCES)  # shown only if the rules ask


def as_json(outcome: Outcome) -> str:
    """Return the outcome as JSON, for `check --json`."""
    return json.dumps(document(outcome), indent=2)


def document(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as values that `json.dumps` takes."""
    verdict, decision = outcome.verdict, outcome.decision
    return {
        "evidence": {key: as_unicode(value) for key, value in values(decision).items()},
        "queries": [
            {
                "name": answer.question.name,
                "type": answer.question.type,
                "status": answer.status,
                "answers": [_value(value) for value in answer.values],
                "ms": round(answer.ms, 1),
            }
            for answer in outcome.trail
        ],
        "verdict": {
            "action": verdict.action,
            "rule": verdict.rule,
            "would": ",".join(verdict.would),
            "shadow_rule": ",".join(verdict.shadow_rules),
            "score": verdict.score,
            "mode": decision.mode,
        },
        "reply": decision.reply or None,
        "headers": [list(field) for field in reversed(outcome.modifications.fields)],
        "advice": [str(each) for each in advice(decision.evidence)],
    }


def show(outcome: Outcome, console: Console) -> None:
    """Print the outcome, coloured if the console is a terminal."""
    _show_facts(outcome, console)
    _show_trail(outcome.trail, console)
    _show_verdict(outcome, console)


def _show_facts(outcome: Outcome, console: Console) -> None:
    facts = values(outcome.decision)
    evidence = outcome.decision.evidence
    behind = f" behind the relay {evidence.via}" if evidence.via and evidence.exempt != "relay" else ""
    console.print(Text(f"Client {evidence.client}{behind}", style="bold"))
    notes = {
        "spf_helo": evidence.spf_helo.problem or evidence.spf_helo.mechanism,
        "spf_mailfrom": evidence.spf_mailfrom.problem or evidence.spf_mailfrom.mechanism,
        "generic": evidence.generic.pattern,
        "ptr": ", ".join(evidence.iprev.names[1:]),
        "client_spf": _not_held(evidence.client_spf),
        "dnslist": _not_held(evidence.dnslist),
    }
    asked = evidence.client_spf or evidence.dnslist
    for title, keys in (*_FACTS, *((_ASKED,) if asked else ())):
        heading(console, title)
        for key in keys:
            text = Text(f"  {key:<15} ").append(word(NONE if facts[key] is None else facts[key]))
            if notes.get(key):
                text.append(f"  ({escaped(notes[key])})", style="dim")
            console.print(text, soft_wrap=True)


def _not_held(found: Sources | None) -> str:
    names = ", ".join(name for name, value in found or () if value == NONE)
    return f"not {names}" if names else ""


def _show_trail(trail: tuple[Answer, ...], console: Console) -> None:
    heading(console, "DNS")
    if not trail:
        console.print("  no queries")
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for is_long in (False, True, False, False, True):  # names, such as the reverse name of an IPv6 address, and values
        table.add_column(no_wrap=not is_long, overflow="fold")
    for answer in trail:
        values = ", ".join(escaped(_value(value)) for value in answer.values[:10])
        more = f" and {len(answer.values) - 10} more" if len(answer.values) > 10 else ""
        table.add_row(
            Text(f"  {answer.question.type}"),
            Text(escaped(answer.question.name)),
            Text("cached" if answer.cached else f"{answer.ms:.0f} ms", style="dim"),
            word(answer.status),
            Text(values + more),
        )
    console.print(table)


def _show_verdict(outcome: Outcome, console: Console) -> None:
    verdict, decision = outcome.verdict, outcome.decision
    heading(console, "verdict")
    text = Text("  ").append(word(verdict.action))
    if verdict.withheld:
        why = "in observe mode" if decision.mode == OBSERVE else "because the message comes through a relay"
        text.append(f" {why}, although rule {verdict.rule} would ").append(word(verdict.withheld))
    else:
        text.append(f" by rule {verdict.rule}")
        for rule, would in zip(verdict.shadow_rules, verdict.would, strict=True):
            text.append(f"; shadow rule {rule} would ").append(word(would))
    if verdict.softened:
        text.append("; not a permanent refusal, because of a temporary DNS error")
    console.print(text, soft_wrap=True)
    if decision.reply:
        console.print(Text(f"  reply: {decision.reply}"), soft_wrap=True)
    if outcome.modifications.fields:
        heading(console, "headers")
        for name, value in reversed(outcome.modifications.fields):
            console.print(Text(f"  {name}: " + value.replace("\n", "\n  ").replace("\t", "    ")), soft_wrap=True)
    sentences = [str(each) for each in advice(decision.evidence)]
    if sentences:
        heading(console, "advice for the sender's postmaster")
        for sentence in sentences:
            console.print(Text(f"  - {sentence}"), soft_wrap=True)


def _value(value: object) -> str:
    """Return a value of a DNS answer as text."""
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
