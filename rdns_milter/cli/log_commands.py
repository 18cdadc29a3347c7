"""The commands that judge and sum up logs: rdns-milter replay, forecast, report.

Reads arguments and calls analysis/; counts and judges nothing.

packaging/doc/tuning.md.
"""

from __future__ import annotations

import argparse
import io
import json
import socket
from datetime import date, datetime
from typing import TYPE_CHECKING

from .. import __version__
from ..config.load import Config, load
from ..logs.files import Logs
from ..logs.timestamps import Dates
from ..policy.rules import Policy
from ..text.exit_status import EX_OK
from .common import Commands, Failure, add_config_option, add_dns_option, asked_nameservers
from .report_mail import check_recipient, message, send

if TYPE_CHECKING:
    from ..analysis.report_summary import Summary

DEFAULT_LIMIT = 10_000


def add_commands(commands: Commands) -> None:
    """Add the commands to the command line."""
    _add_replay(commands)
    _add_forecast(commands)
    _add_report(commands)


def _add_replay(commands: Commands) -> None:
    replay = commands.add_parser(
        "replay", help="judge the decisions in a log by another policy, and show what would change"
    )
    add_config_option(replay)
    _add_enforce_option(replay)
    form = replay.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON")
    form.add_argument(
        "--csv", action="store_true", help="write CSV: the clients and sender domains newly refused or let in"
    )
    _add_logs(replay, "LOG")
    replay.set_defaults(command=_replay)


def _add_forecast(commands: Commands) -> None:
    forecast = commands.add_parser(
        "forecast", help="judge past mail from the MTA's own log, before the milter is attached; makes DNS queries"
    )
    add_config_option(forecast)
    _add_enforce_option(forecast)
    forecast.add_argument(
        "--limit",
        metavar="N",
        type=_count,
        default=DEFAULT_LIMIT,
        help=f"judge the last N deliveries (default: {DEFAULT_LIMIT}; 0: all)",
    )
    add_dns_option(forecast)
    forecast.add_argument("--json", action="store_true", help="write JSON")
    _add_logs(forecast, "MAILLOG")
    forecast.set_defaults(command=_forecast)


def _add_report(commands: Commands) -> None:
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
    _add_logs(report, "LOG")
    report.set_defaults(command=_report)


def _add_enforce_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--enforce", action="store_true", help='judge as if the config had mode = "enforce"')


def _add_logs(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument(
        "--top",
        metavar="N",
        type=_count,
        default=20,
        help="show the N most frequent clients and sender domains (default: 20)",
    )
    command.add_argument(
        "logs",
        metavar=name,
        nargs="+",
        help='a log file: plain, gzip, bzip2, xz, or the output of "journalctl -o export"; "-": standard input',
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _title(config: Config, policy: Policy) -> str:
    return f"Judged by {config.path or 'the built-in default'}: policy {policy.digest}, mode {policy.mode}"


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
        title = _title(config, replay.evaluator.policy)
        show(replay, title, options.top, logs.troubles, Console(highlight=False))
    return EX_OK


def _forecast(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..analysis.forecast import Forecast, Forecaster, as_dict, grouped, warnings
    from ..analysis.forecast_text import show
    from ..analysis.progress import counting, reading
    from ..logs.mta_deliveries import MailLog, deliveries

    config, logs, progress = load(options.config), Logs(options.logs), Console(stderr=True)
    servers = asked_nameservers(options, config)
    mail_log = MailLog()
    found = grouped(deliveries(reading(logs, progress), mail_log), options.limit)
    with Forecaster(config, servers, date.today(), options.enforce) as forecaster:
        forecast = Forecast(forecaster.policy)
        judged = counting(forecaster.judge_all(found), len(found), "asking DNS", progress)
        for outlooks, count in zip(judged, found.values(), strict=True):
            forecast.add(outlooks, count)
    notes = (*warnings(forecast, config, options.limit, mail_log.prefixes), *logs.troubles)
    if options.json:
        print(json.dumps(as_dict(forecast, options.top, notes), indent=2))
    else:
        show(forecast, _title(config, forecast.policy), options.top, notes, Console(highlight=False))
    return EX_OK


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
    """Read the logs and count."""
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
