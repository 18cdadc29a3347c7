"""Show a replay on a terminal, and write it as CSV.

Judges and counts nothing. All text from the log is escaped for the terminal. In CSV it is written so that no spreadsheet takes it
for a formula.

RFC 4180 (CSV).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from ..logs.decision_line import parse
from ..policy.rules import ACTIONS
from ..text.escape import escaped
from ..text.numbers import number, percent
from ..text.terminal import heading, table, word
from .replay import Example, Movement, Replay, warnings

_EXAMPLE_KEYS = ("rule", "helo_name", "mailfrom", "rcpt", "iprev", "ptr", "helo", "spf_helo", "spf_mailfrom")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
CSV_HEAD = ("direction", "what", "name", "verdicts", "example")


def show(replay: Replay, title: str, most: int, troubles: Sequence[str], console: Console) -> None:
    """Print the replay. `title`: names the policy; `most`: how many clients and senders; `troubles`: of the files."""
    console.print(Text(title, style="bold"), soft_wrap=True)
    lines, decisions, verdicts = map(number, (replay.lines, replay.decisions, replay.verdicts))
    console.print(f"  {lines} lines, {decisions} decisions, {verdicts} verdicts", soft_wrap=True)
    _show_summary(replay, console)
    show_matrix(replay.matrix, (ACTIONS, ACTIONS), console)
    _show_changes(replay, most, console)
    show_rules(replay.rules, replay.verdicts, console)
    _show_shadows(replay, console)
    _show_relayed(replay, console)
    for name, movement in (("refused or deferred", replay.refused), ("let in", replay.admitted)):
        show_movement(f"Newly {name}", movement, most, _fields, console)
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
    """Print how much mail would be kept out. `which` names that mail."""
    console.print(
        f"  Of the mail that {which}, {percent(refused, of)} would be refused or deferred"
        f" ({number(refused)} of {number(of)}).",
        style="bold",
        soft_wrap=True,
    )


def show_matrix(
    matrix: Mapping[tuple[str, str], int], words: tuple[Sequence[str], Sequence[str]], console: Console
) -> None:
    """Print the number of verdicts by what was done (rows) and by what the policy would do (columns). `words`: all words of both.
    Words that do not occur are left out."""
    was = [each for each in words[0] if any(matrix.get((each, other)) for other in words[1])]
    would = [each for each in words[1] if any(matrix.get((other, each)) for other in words[0])]
    if not was:
        return
    heading(console, "Verdicts", "rows: what was done; columns: what this policy would do")
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
    """Print the number of verdicts by rule and action of the policy."""
    if rules:
        heading(console, "By rule", "of this policy")
        rows = [
            (escaped(rule) or "(several)", word(action), number(count), percent(count, total))
            for (rule, action), count in rules.most_common()
        ]
        table(console, rows, left=2)


def _show_shadows(replay: Replay, console: Console) -> None:
    if replay.shadows:
        heading(console, "Shadow rules", "what they would do without shadow = true")
        shadows = replay.shadows.most_common()
        table(console, [(escaped(rule), word(would), number(count)) for (rule, would), count in shadows], left=2)


def _show_relayed(replay: Replay, console: Console) -> None:
    if replay.relayed:
        heading(console, "Through relays", "what the rules call for; nothing of it is refused or deferred")
        table(console, [(word(action), number(count)) for action, count in replay.relayed.most_common()])


def show_movement(
    title: str,
    movement: Movement[Example],
    most: int,
    fields: Callable[[Example], Mapping[str, str]],
    console: Console,
) -> None:
    """Print the most frequent clients and sender domains, each with an example. `fields`: returns the keys and values of an
    example."""
    for name, entries in (("clients", movement.clients.top(most)), ("sender domains", movement.senders.top(most))):
        if not entries:
            continue
        note = f"the {number(len(entries))} most frequent, of {number(movement.count)} verdicts"
        heading(console, f"{title}: {name}", note)
        for entry in entries:
            text = Text(f"  {number(entry.count):>8}  {escaped(entry.name) or '(none)'}")
            if entry.example is not None:
                text.append(f"  {_excerpt(fields(entry.example))}", style="dim")
            console.print(text, soft_wrap=True)


def show_warnings(notes: Sequence[str], console: Console) -> None:
    """Print the warnings."""
    if notes:
        heading(console, "Warnings")
        for note in notes:
            console.print(Text(f"  - {escaped(note)}", style="yellow"), soft_wrap=True)


def _fields(line: str) -> Mapping[str, str]:
    return parse(line) or {}


def _excerpt(fields: Mapping[str, str]) -> str:
    """Return the most telling values of a decision."""
    return escaped(" ".join(f"{key}={fields[key] or '-'}" for key in _EXAMPLE_KEYS if key in fields), 300)


def as_csv(replay: Replay, most: int) -> str:
    """Return the clients and sender domains whose mail would newly be kept out or let in: one row each, below the row CSV_HEAD."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for direction, movement in (("refused", replay.refused), ("let-in", replay.admitted)):
        for what, top in (("client", movement.clients), ("sender", movement.senders)):
            for entry in top.top(most):
                writer.writerow((direction, what, _cell(entry.name), entry.count, _cell(entry.example or "")))
    return file.getvalue()


def _cell(text: str) -> str:
    text = escaped(text, len(text))
    return f"'{text}" if text.startswith(_FORMULA) else text
