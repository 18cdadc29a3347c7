"""How a replay looks to a reader, and as CSV.

Judges and counts nothing. What comes from the log is escaped: for the terminal, and so that no spreadsheet takes it for a formula.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from ..logs.decision import parse
from ..policy.rules import ACTIONS
from ..text.escape import escaped
from ..text.numbers import number, percent
from ..text.terminal import heading, table, word
from .replay import Movement, Replay, warnings

_EXAMPLE_KEYS = ("rule", "helo_name", "mailfrom", "rcpt", "iprev", "ptr", "helo", "spf_helo", "spf_mailfrom")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
CSV_HEAD = ("direction", "what", "name", "verdicts", "example")


def show(replay: Replay, title: str, most: int, troubles: Sequence[str], console: Console) -> None:
    """The replay for a reader. `title`: by which policy; `most`: how many clients and senders."""
    console.print(Text(title, style="bold"), soft_wrap=True)
    lines, decisions, verdicts = map(number, (replay.lines, replay.decisions, replay.verdicts))
    console.print(f"  {lines} lines, {decisions} decisions, {verdicts} verdicts", soft_wrap=True)
    _show_summary(replay, console)
    show_matrix(replay.matrix, (ACTIONS, ACTIONS), console)
    _show_changes(replay, most, console)
    show_rules(replay.rules, replay.verdicts, console)
    _show_shadows(replay, console)
    for name, movement in (("refused or deferred", replay.refused), ("let in", replay.admitted)):
        show_movement(f"Newly {name}", movement, most, console)
    show_warnings((*warnings(replay), *troubles), console)


def _show_summary(replay: Replay, console: Console) -> None:
    if not replay.verdicts:
        return
    if not replay.changed:
        console.print("  Nothing would change.", style="green")
        return
    share = percent(replay.changed, replay.verdicts)
    console.print(f"  {number(replay.changed)} verdicts would change ({share}).", style="bold", soft_wrap=True)
    if replay.let_in:
        show_loss("was let in", replay.refused.count, replay.let_in, console)


def show_loss(which: str, refused: int, of: int, console: Console) -> None:
    """What it would cost: how much of the mail that `which` says would not come in."""
    console.print(
        f"  Of the mail that {which}, {percent(refused, of)} would be refused or deferred"
        f" ({number(refused)} of {number(of)}).",
        style="bold",
        soft_wrap=True,
    )


def show_matrix(
    matrix: Mapping[tuple[str, str], int], words: tuple[Sequence[str], Sequence[str]], console: Console
) -> None:
    """What was, by line, and what would be, by column; `words`: those of both, of which only what occurs is shown."""
    was = [each for each in words[0] if any(matrix.get((each, other)) for other in words[1])]
    would = [each for each in words[1] if any(matrix.get((other, each)) for other in words[0])]
    if not was:
        return
    heading(console, "Verdicts", "as they were, by line; as they would be, by column")
    rows = [[word(row), *(_count(matrix, row, column) for column in would)] for row in was]
    table(console, rows, heads=("", *would))


def _count(matrix: Mapping[tuple[str, str], int], was: str, would: str) -> Text:
    count = matrix.get((was, would), 0)
    if not count:
        return Text("-", style="dim")
    return Text(number(count), style="" if was == would else "bold")


def _show_changes(replay: Replay, most: int, console: Console) -> None:
    changes = replay.changes.top(most)
    if not changes:
        return
    heading(console, "What changes")
    rows = []
    for entry in changes:
        was, rule, would, new = entry.name
        rows.append((word(was), escaped(rule), word(would), escaped(new), number(entry.count)))
    table(console, rows, left=4, heads=("was", "by rule", "would be", "by rule", "verdicts"))


def show_rules(rules: Counter[tuple[str, str]], total: int, console: Console) -> None:
    """Rules and their actions, as they would be."""
    if rules:
        heading(console, "By rule", "as it would be")
        rows = [
            (escaped(rule) or "(several)", word(action), number(count), percent(count, total))
            for (rule, action), count in rules.most_common()
        ]
        table(console, rows, left=2)


def _show_shadows(replay: Replay, console: Console) -> None:
    if replay.shadows:
        heading(console, "Shadow rules", "what they would do if they were none")
        shadows = replay.shadows.most_common()
        table(console, [(escaped(rule), word(would), number(count)) for (rule, would), count in shadows], left=2)


def show_movement(title: str, movement: Movement, most: int, console: Console) -> None:
    """The clients and sender domains that change sides most often, with a line for example."""
    for name, entries in (("clients", movement.clients.top(most)), ("sender domains", movement.senders.top(most))):
        if not entries:
            continue
        heading(
            console, f"{title}: {name}", f"{number(len(entries))} most frequent, of {number(movement.count)} verdicts"
        )
        for entry in entries:
            text = Text(f"  {number(entry.count):>8}  {escaped(entry.name) or '(none)'}")
            console.print(text.append(f"  {_example(entry.example)}", style="dim"), soft_wrap=True)


def show_warnings(notes: Sequence[str], console: Console) -> None:
    """What one should know, under a heading of its own."""
    if notes:
        heading(console, "Warnings")
        for note in notes:
            console.print(Text(f"  - {escaped(note)}", style="yellow"), soft_wrap=True)


def _example(line: str) -> str:
    """What of a line tells most, short enough to be read."""
    fields = parse(line) or {}
    return escaped(" ".join(f"{key}={fields[key] or '-'}" for key in _EXAMPLE_KEYS if key in fields), 300)


def as_csv(replay: Replay, most: int) -> str:
    """Clients and sender domains that change sides, a row each, under CSV_HEAD."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for direction, movement in (("refused", replay.refused), ("let-in", replay.admitted)):
        for what, top in (("client", movement.clients), ("sender", movement.senders)):
            for entry in top.top(most):
                writer.writerow((direction, what, _cell(entry.name), entry.count, _cell(entry.example)))
    return file.getvalue()


def _cell(text: str) -> str:
    text = escaped(text, len(text))
    return f"'{text}" if text.startswith(_FORMULA) else text
