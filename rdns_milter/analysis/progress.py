"""A progress bar for those who wait at a terminal; nothing at all for all others.

On standard error, so that what is printed can go elsewhere; gone when the work is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..logs.files import Logs

_EVERY = 4096  # lines

Thing = TypeVar("Thing")


def reading(logs: Logs, console: Console) -> Iterator[str]:
    """The lines of the logs; meanwhile, on a terminal, how far it has come."""
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


def counting(things: Iterable[Thing], total: int, what: str, console: Console) -> Iterator[Thing]:
    """The things one by one; meanwhile, on a terminal, how many of them are done, and what is done to them."""
    if not console.is_terminal:
        yield from things
        return
    columns = (TextColumn("[dim]{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        for thing in things:
            progress.advance(task)
            yield thing
