"""The command `rdns-milter doctor`: show what is wrong with the set-up, and the command or line that mends it.

Reads arguments and prints; examines nothing itself (doctor/examination.py). Text from files and programs is escaped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..doctor.finding import BAD, Finding
from ..text.escape import escaped
from ..text.exit_status import EX_OK
from .common import Commands, add_config_option

if TYPE_CHECKING:
    from rich.console import Console

EX_BAD = 1
_STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def add_command(commands: Commands) -> None:
    """Add `doctor` to the command line."""
    doctor = commands.add_parser(
        "doctor", help="look at the whole set-up: what is wrong, and what mends it; changes nothing"
    )
    add_config_option(doctor)
    doctor.add_argument("--json", action="store_true", help="write JSON")
    doctor.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..doctor.examination import examine, is_root, summary
    from ..doctor.host import Host

    found = examine(Host(), options.config)
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        note = "" if is_root() else "not run by root: some files and permissions could not be looked at"
        show([*found, summary(found)], Console(highlight=False), note)
    return EX_BAD if any(each.level == BAD for each in found) else EX_OK


def show(found: Sequence[Finding], console: Console, note: str = "") -> None:
    """Print one line for each finding, and its remedy below it."""
    from rich.text import Text

    for each in found:
        text = Text(f"{each.level:<5}", style=_STYLES[each.level])
        text.append(f"{each.subject}: {escaped(each.text, 600)}", style="")
        console.print(text, soft_wrap=True)
        for line in each.remedy:
            console.print(Text(f"       {escaped(line, 2000)}", style="dim"), soft_wrap=True)
    if note:
        console.print(Text(note, style="dim"), soft_wrap=True)
