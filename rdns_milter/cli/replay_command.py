"""The command `rdns-milter replay`: judge the decisions in the milter's log by another policy.

Reads arguments and calls analysis/; counts and judges nothing.

packaging/doc/tuning.md.
"""

from __future__ import annotations

import argparse
import json
from datetime import date

from ..config.load import load
from ..logs.files import Logs
from ..text.exit_status import EX_OK
from .common import Commands, add_config_option, add_enforce_option, add_logs, title_of


def add_command(commands: Commands) -> None:
    """Add `replay` to the command line."""
    replay = commands.add_parser(
        "replay", help="judge the decisions in a log by another policy, and show what would change"
    )
    add_config_option(replay)
    add_enforce_option(replay)
    form = replay.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON")
    form.add_argument(
        "--csv", action="store_true", help="write CSV: the clients and sender domains newly refused or let in"
    )
    add_logs(replay, "LOG")
    replay.set_defaults(command=_replay)


def _replay(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..analysis.evaluator import Evaluator
    from ..analysis.progress import reading
    from ..analysis.replay import Replay, as_dict
    from ..analysis.replay_text import as_csv, show

    config, logs = load(options.config), Logs(options.logs)
    replay = Replay(Evaluator(config, date.today(), options.enforce))
    for line in reading(logs, Console(stderr=True)):
        replay.add(line)
    if options.json:
        print(json.dumps(as_dict(replay, options.top, logs.troubles), indent=2))
    elif options.csv:
        print(as_csv(replay, options.top), end="")
    else:
        title = title_of(config, replay.evaluator.policy)
        show(replay, title, options.top, logs.troubles, Console(highlight=False))
    return EX_OK
