"""The command `rdns-milter why`: find decisions in the log and explain them.

Reads arguments and calls analysis/why/; explains nothing itself.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

from ..config.load import MAX_BYTES, Config, load
from ..config.rule_source import RuleSource, rule_sources
from ..config.sample import sample
from ..logs.default_logs import default_logs
from ..logs.files import Logs
from ..logs.timestamps import Dates
from ..text.exit_status import EX_NOT_FOUND, EX_OK
from ..text.input_file import UnreadableError, read_text
from .common import Commands, Failure, add_config_option

if TYPE_CHECKING:
    from rich.console import Console

    from ..analysis.why.search import Search

LAST = 10


def add_command(commands: Commands) -> None:
    """Add `why` to the command line."""
    why = commands.add_parser("why", help="explain why mail was refused, deferred, tagged or accepted")
    why.add_argument(
        "what",
        metavar="WHAT",
        help="a queue id, an address of sender or recipient, a domain or host name, a client's address or network",
    )
    why.add_argument(
        "logs",
        metavar="LOG",
        nargs="*",
        help='plain, gzip, bzip2, xz, or what "journalctl -o export" writes; "-": standard input'
        " (default: the service's journal, else the mail log with its rotated parts)",
    )
    why.add_argument(
        "--last", metavar="N", type=_count, default=LAST, help=f"explain the newest N decisions (default: {LAST})"
    )
    why.add_argument("--since", metavar="WHEN", help='only later ones: "2026-11-01", "2026-11-01T12:30", "36h", "7d"')
    why.add_argument("--json", action="store_true", help="write JSON")
    add_config_option(why)
    why.set_defaults(command=_why)


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 6 or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _why(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..analysis.why.decision_filter import decision_filter
    from ..analysis.why.explanation import explain
    from ..analysis.why.output import as_dict, show
    from ..analysis.why.search import Search

    config, now = load(options.config), datetime.now().astimezone()
    dates = Dates(now)
    try:
        what = decision_filter(options.what)
        since = dates.since(options.since) if options.since else None
    except ValueError as error:
        raise Failure(str(error)) from None
    search = Search(what, options.last, dates.of, since)
    with _logs(options) as (logs, name):
        _read(logs, search, Console(stderr=True))
    for trouble in logs.troubles:
        Console(stderr=True, highlight=False).print(trouble, markup=False)
    sources = _sources(config)
    found = [explain(match, config, sources, date.today()) for match in search.newest()]
    if options.json:
        print(json.dumps(as_dict(found, search.count, config.path), indent=2))
    elif found:
        show(found, search.count, what.kind, config.path, Console(highlight=False))
    else:
        print(f"No decision on {what.kind} in {name}{' since then' if since else ''}.")
        if search.undated:
            print(f"{search.undated:,} decisions on it have no date, which --since needs: try without --since.")
    return EX_OK if found else EX_NOT_FOUND


def _read(logs: Logs, search: Search, console: Console) -> None:
    from ..analysis.progress import reading

    for line in reading(logs, console):
        search.add(line)


@contextmanager
def _logs(options: argparse.Namespace) -> Iterator[tuple[Logs, str]]:
    if options.logs:
        yield Logs(options.logs), ", ".join(options.logs)
    else:
        with default_logs() as found:
            yield found


def _sources(config: Config) -> Mapping[str, RuleSource]:
    try:
        return rule_sources(read_text(config.path, MAX_BYTES) if config.path else sample())
    except (UnreadableError, tomllib.TOMLDecodeError):  # it was there a moment ago
        return {}
