"""How a forecast looks to a reader.

Judges and counts nothing. What comes from the log is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ..logs.mta_log import ACCEPTED, OUTCOMES
from ..policy.rules import ACTIONS
from ..text.numbers import number, percent
from ..text.terminal import heading, table
from .forecast import OPEN, Forecast
from .replay_text import show_loss, show_matrix, show_movement, show_rules, show_warnings


def show(forecast: Forecast, title: str, most: int, notes: Sequence[str], console: Console) -> None:
    """The forecast for a reader. `title`: by which policy; `most`: how many clients and senders; `notes`: warnings."""
    console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(
        f"  {number(forecast.deliveries)} deliveries, {number(forecast.verdicts)} verdicts (one for each recipient)",
        soft_wrap=True,
    )
    if forecast.accepted:
        show_loss("the MTA took", forecast.refused.count, forecast.accepted, console)
        if unsure := forecast.matrix[ACCEPTED, OPEN]:
            console.print(
                f"  Of another {percent(unsure, forecast.accepted)} ({number(unsure)}) it is open: see below.",
                soft_wrap=True,
            )
    show_matrix(forecast.matrix, (OUTCOMES, (*ACTIONS, OPEN)), console)
    if forecast.doubts:
        heading(console, "Open", "what may become of those that hang on what the log does not tell")
        table(console, [(" or ".join(actions), number(count)) for actions, count in forecast.doubts.most_common()])
    show_rules(forecast.rules, forecast.verdicts, console)
    show_movement("Newly refused or deferred", forecast.refused, most, console)
    show_warnings(notes, console)
