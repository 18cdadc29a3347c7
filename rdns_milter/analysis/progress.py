"""Show a progress bar while a log is read or judged, if standard error is a terminal.

Must never write to standard output, which may go to a file. The bar disappears at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..logs.files import Logs

_EVERY = 4096  # lines

Item = TypeVar("Item")


def reading(logs: Logs, console: Console) -> Iterator[str]:
    """Yield the lines of the logs, and show how many have been read."""
    if not console.is_terminal:
        yield from logs
        return
    columns = (TextColumn("[dim]{task.fields[lines]} lines"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=logs.size or None, lines="0")
        for count, line in enumerate(logs):
            if count % _EVERY == 0:
                progress.update(task, completed=logs.position, lines=f"{count:,}")
            yield line


def counting(items: Iterable[Item], total: int, what: str, console: Console) -> Iterator[Item]:
    """Yield the items, and show how many of `total` are done. `what`: the text before the bar."""
    if not console.is_terminal:
        yield from items
        return
    columns = (TextColumn("[dim]{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            progress.advance(task)
            yield item
