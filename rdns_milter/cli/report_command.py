"""The command `rdns-milter report`: sum up from the log what the milter did, as text, as an HTML page or as a mail.

Reads arguments and calls analysis/; counts and judges nothing.

packaging/doc/tuning.md.
"""

from __future__ import annotations

import argparse
import io
import json
import socket
from datetime import datetime
from typing import TYPE_CHECKING

from .. import __version__
from ..config.load import load
from ..logs.files import Logs
from ..logs.timestamps import Dates
from ..policy.rules import Policy
from ..text.exit_status import EX_OK
from .common import Commands, Failure, add_logs
from .report_mail import check_recipient, message, send

if TYPE_CHECKING:
    from ..analysis.report_summary import Summary


def add_command(commands: Commands) -> None:
    """Add `report` to the command line."""
    report = commands.add_parser(
        "report", help="sum up what the milter did: verdicts, rules, facts, DNS, who was refused"
    )
    report.add_argument("-c", "--config", metavar="FILE", help="show which rules of this config file matched nothing")
    report.add_argument(
        "--since", metavar="WHEN", help='leave out earlier lines: "2026-11-01", "2026-11-01T12:30", "36h", "7d"'
    )
    form = report.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="write a page with charts, in one file")
    form.add_argument("--json", action="store_true", help="write JSON")
    form.add_argument("--mail", metavar="ADDR", help="mail it, with the page attached, by the MTA's sendmail command")
    add_logs(report, "LOG")
    report.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..analysis.report_html import page
    from ..analysis.report_summary import as_dict
    from ..analysis.report_text import show
    from ..text.output_file import open_output

    if options.mail is not None:
        check_recipient(options.mail)
    now = datetime.now().astimezone()
    policy = load(options.config).policy if options.config else Policy()
    logs, dates = Logs(options.logs), Dates(now)
    try:
        since = dates.since(options.since) if options.since else None
    except ValueError as error:
        raise Failure(str(error)) from None
    if options.html is not None:
        # Opened before the log is read: a file that cannot be written is an error at once.
        with open_output(options.html, [*options.logs, *([options.config] if options.config else [])]) as output:
            output.write(page(_summary(options, logs, dates, since, policy), __version__, now))
        return EX_OK
    summary = _summary(options, logs, dates, since, policy)
    if options.mail is not None:
        _mail(options.mail, summary, page(summary, __version__, now))
        return EX_OK
    if options.json:
        print(json.dumps(as_dict(summary), indent=2))
    else:
        show(summary, Console(highlight=False))
    return EX_OK


def _mail(recipient: str, summary: Summary, page: str) -> None:
    from rich.console import Console

    from ..analysis.report_text import show

    text = io.StringIO()
    show(summary, Console(file=text, width=100, highlight=False, no_color=True))
    send(message(text.getvalue(), page, recipient, socket.getfqdn(), summary.period))


def _summary(options: argparse.Namespace, logs: Logs, dates: Dates, since: datetime | None, policy: Policy) -> Summary:
    """Read the logs and return the summary."""
    from rich.console import Console

    from ..analysis.progress import reading
    from ..analysis.report import Report
    from ..analysis.report_summary import summarize

    report = Report(dates.of, since, [rule.name for rule in policy.rules if rule.action])
    for line in reading(logs, Console(stderr=True)):
        report.add(line)
    if report.undated and not report.decisions and not report.early:
        raise Failure(
            f"--since needs dates, and none of the {report.undated:,} decisions in {', '.join(options.logs)} has one: leave"
            " --since out, or give a log with dates (of journalctl: -o short-iso or -o export, not -o cat)"
        )
    return summarize(report, options.top, policy.digest, logs.troubles)
