"""Show a forecast on a terminal.

Judges and counts nothing. All text from the log is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ..logs.mta_deliveries import ACCEPTED, OUTCOMES
from ..policy.rules import ACTIONS
from ..text.numbers import number, percent
from ..text.terminal import heading, table
from .forecast import OPEN, Forecast, known_values
from .replay_text import show_loss, show_matrix, show_movement, show_rules, show_warnings


def show(forecast: Forecast, title: str, most: int, notes: Sequence[str], console: Console) -> None:
    """Print the forecast. `title`: names the policy; `most`: how many clients and senders; `notes`: warnings and troubles."""
    console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(
        f"  {number(forecast.deliveries)} deliveries, {number(forecast.verdicts)} verdicts (one for each recipient)",
        soft_wrap=True,
    )
    if forecast.accepted:
        show_loss("the MTA accepted", forecast.refused.count, forecast.accepted, console)
        if unsure := forecast.matrix[ACCEPTED, OPEN]:
            console.print(
                f"  For another {percent(unsure, forecast.accepted)} ({number(unsure)}) the verdict is open: see below.",
                soft_wrap=True,
            )
    show_matrix(forecast.matrix, (OUTCOMES, (*ACTIONS, OPEN)), console)
    if forecast.open:
        heading(console, "Open", "possible verdicts, where they depend on what is not in the log")
        table(console, [(" or ".join(actions), number(count)) for actions, count in forecast.open.most_common()])
    show_rules(forecast.rules, forecast.verdicts, console)
    show_movement("Newly refused or deferred", forecast.refused, most, known_values, console)
    show_warnings(notes, console)
