"""How a replay looks to a reader, and as CSV.

Judges and counts nothing. What comes from the log is escaped: for the terminal, and so that no spreadsheet takes it for a formula.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from .figures import number, percent, plain
from .log import parse
from .policy import ACTIONS
from .replay import Movement, Replay, warnings
from .terminal import heading, table, word

_EXAMPLE_KEYS = ("rule", "helo_name", "mailfrom", "rcpt", "iprev", "ptr", "helo", "spf_helo", "spf_mailfrom")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
CSV_HEAD = ("direction", "what", "name", "verdicts", "example")


def show(replay: Replay, title: str, most: int, troubles: Sequence[str], console: Console) -> None:
    """The replay for a reader. `title`: by which policy; `most`: how many clients and senders."""
    console.print(Text(title, style="bold"), soft_wrap=True)
    lines, decisions, verdicts = map(number, (replay.lines, replay.decisions, replay.verdicts))
    console.print(f"  {lines} lines, {decisions} decisions, {verdicts} verdicts", soft_wrap=True)
    _show_summary(replay, console)
    _show_matrix(replay, console)
    _show_changes(replay, most, console)
    _show_rules(replay, console)
    for name, movement in (("refused or deferred", replay.refused), ("let in", replay.admitted)):
        _show_movement(f"Newly {name}", movement, most, console)
    notes = (*warnings(replay), *troubles)
    if notes:
        heading(console, "Warnings")
        for note in notes:
            console.print(Text(f"  - {plain(note)}", style="yellow"), soft_wrap=True)


def _show_summary(replay: Replay, console: Console) -> None:
    if not replay.verdicts:
        return
    if not replay.changed:
        console.print("  Nothing would change.", style="green")
        return
    share = percent(replay.changed, replay.verdicts)
    console.print(f"  {number(replay.changed)} verdicts would change ({share}).", style="bold", soft_wrap=True)
    if replay.let_in:
        refused, of = replay.refused.count, replay.let_in
        console.print(
            f"  Of the mail that was let in, {percent(refused, of)} would be refused or deferred"
            f" ({number(refused)} of {number(of)}).",
            style="bold",
            soft_wrap=True,
        )


def _show_matrix(replay: Replay, console: Console) -> None:
    was = [action for action in ACTIONS if any(replay.matrix[action, other] for other in ACTIONS)]
    would = [action for action in ACTIONS if any(replay.matrix[other, action] for other in ACTIONS)]
    if not was:
        return
    heading(console, "Verdicts", "as they were, by line; as they would be, by column")
    rows = [[word(row), *(_count(replay, row, column) for column in would)] for row in was]
    table(console, rows, heads=("", *would))


def _count(replay: Replay, was: str, would: str) -> Text:
    count = replay.matrix[was, would]
    if not count:
        return Text("-", style="dim")
    return Text(number(count), style="" if was == would else "bold yellow")


def _show_changes(replay: Replay, most: int, console: Console) -> None:
    changes = replay.changes.top(most)
    if not changes:
        return
    heading(console, "What changes")
    rows = []
    for entry in changes:
        was, rule, would, new = entry.name
        rows.append((word(was), plain(rule), word(would), plain(new), number(entry.count)))
    table(console, rows, left=4, heads=("was", "by rule", "would be", "by rule", "verdicts"))


def _show_rules(replay: Replay, console: Console) -> None:
    if replay.rules:
        heading(console, "By rule", "as it would be")
        rows = [
            (plain(rule), word(action), number(count), percent(count, replay.verdicts))
            for (rule, action), count in replay.rules.most_common()
        ]
        table(console, rows, left=2)
    if replay.shadows:
        heading(console, "Shadow rules", "what they would do if they were none")
        shadows = replay.shadows.most_common()
        table(console, [(plain(rule), word(would), number(count)) for (rule, would), count in shadows], left=2)


def _show_movement(title: str, movement: Movement, most: int, console: Console) -> None:
    for name, entries in (("clients", movement.clients.top(most)), ("sender domains", movement.senders.top(most))):
        if not entries:
            continue
        heading(
            console, f"{title}: {name}", f"{number(len(entries))} most frequent of {number(movement.count)} verdicts"
        )
        for entry in entries:
            text = Text(f"  {number(entry.count):>8}  {plain(entry.name) or '(none)'}")
            console.print(text.append(f"  {_example(entry.example)}", style="dim"), soft_wrap=True)


def _example(line: str) -> str:
    """What of a line tells most, short enough to be read."""
    fields = parse(line) or {}
    return plain(" ".join(f"{key}={fields[key] or '-'}" for key in _EXAMPLE_KEYS if key in fields), 300)


def write_csv(replay: Replay, most: int, file: TextIO) -> None:
    """Clients and sender domains that change sides, a row each, under CSV_HEAD."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for direction, movement in (("refused", replay.refused), ("let-in", replay.admitted)):
        for what, top in (("client", movement.clients), ("sender", movement.senders)):
            for entry in top.top(most):
                writer.writerow((direction, what, _cell(entry.name), entry.count, _cell(entry.example)))


def _cell(text: str) -> str:
    text = plain(text, len(text))
    return f"'{text}" if text.startswith(_FORMULA) else text
