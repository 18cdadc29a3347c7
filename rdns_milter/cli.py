"""The command: rdns-milter run, check, config, replay, forecast, report.

Reads arguments and hands on; knows no DNS, no rule and no SMTP. libmilter is imported for `run` alone.

DESIGN section 3; sysexits(3) for the exit status.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime

from . import __version__
from .config import DEFAULT_PATH, MAX_OCTETS, Config, ConfigError, load, show, warnings
from .endpoints import parse_nameserver
from .logs import UnreadableLogError
from .names import parse_address
from .policy import Policy
from .positions import Positions
from .sample import sample
from .textfile import read_text

EX_OK, EX_USAGE, EX_UNAVAILABLE, EX_CONFIG = 0, 2, 69, 78
Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    except UnreadableLogError as error:
        return _fail(str(error), EX_USAGE)
    except BrokenPipeError:
        sys.stderr.close()
        return EX_OK


def parser() -> argparse.ArgumentParser:
    """The command line. The manual page is made from it."""
    top = argparse.ArgumentParser(prog="rdns-milter", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"rdns-milter {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_check(commands)
    _add_config(commands)
    _add_replay(commands)
    _add_report(commands)
    return top


_DESCRIPTION = "A milter for Postfix and Sendmail that judges SMTP clients by reverse DNS, HELO and SPF."


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="serve the MTA, in the foreground")
    _add_config_option(run)
    run.add_argument(
        "-n", "--dry-run", action="store_true", help="check the config, bind the socket, report, and leave"
    )
    run.set_defaults(command=_run)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser("check", help="judge one client as the milter would, and show why")
    check.add_argument("address", metavar="IP", help="the client's address")
    check.add_argument("--helo", metavar="NAME", default="", help="what it says in HELO or EHLO")
    check.add_argument("--from", metavar="ADDR", dest="mailfrom", default="", help="MAIL FROM; none: the null sender")
    check.add_argument("--rcpt", metavar="ADDR", default="", help="RCPT TO")
    _add_config_option(check)
    check.add_argument("--dns", metavar="HOST:PORT", help="the name server to ask, instead of the config's")
    check.add_argument("--json", action="store_true", help="for programs")
    check.set_defaults(command=_check)


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    config = commands.add_parser("config", help="check or show the configuration")
    _add_config_option(config)
    what = config.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--check", dest="command", action="store_const", const=_config_check, help="valid or not, and why"
    )
    what.add_argument("--show", dest="command", action="store_const", const=_config_show, help="the values in force")
    what.add_argument(
        "--sample", dest="command", action="store_const", const=_config_sample, help="the annotated default"
    )
    what.add_argument(
        "--lint", dest="command", action="store_const", const=_config_lint, help="what is valid, but against an RFC"
    )


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    replay = commands.add_parser("replay", help="judge the decisions in a log by another policy: what would change")
    _add_config_option(replay)
    replay.add_argument("--enforce", action="store_true", help='judge as if the config had mode = "enforce"')
    form = replay.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument(
        "--csv", action="store_true", help="clients and sender domains that change sides, for a spreadsheet"
    )
    _add_top_option(replay)
    _add_logs(replay)
    replay.set_defaults(command=_replay)


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    report = commands.add_parser("report", help="what the milter did: verdicts, rules, facts, DNS, who was refused")
    report.add_argument("-c", "--config", metavar="FILE", help="a config file: which of its rules match nothing?")
    report.add_argument(
        "--since", metavar="WHEN", help='count from then on: "2026-11-01", "2026-11-01T12:30", "36h", "7d"'
    )
    form = report.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="write a page with charts, all in one file")
    form.add_argument("--json", action="store_true", help="for programs")
    _add_top_option(report)
    _add_logs(report)
    report.set_defaults(command=_report)


def _add_logs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "logs",
        metavar="LOG",
        nargs="+",
        help='a log: plain, gzip, bzip2, xz, or what "journalctl -o export" writes; "-": stdin',
    )


def _add_top_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--top",
        metavar="N",
        type=_count,
        default=20,
        help="how many clients, senders and so on are shown (default: 20)",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _add_config_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-c", "--config", metavar="FILE", help=f"the config file (default: {DEFAULT_PATH}, if it is there)"
    )


def _run(options: argparse.Namespace) -> int:
    config = load(options.config)
    try:
        from .server import run
    except ImportError as error:
        return _fail(f"run needs pymilter and libmilter: {error}", EX_UNAVAILABLE)
    return run(config, options.config, options.dry_run, lambda text: print(f"rdns-milter: {text}", file=sys.stderr))


def _check(options: argparse.Namespace) -> int:
    from rich.console import Console

    from .check import Client, as_json, examine, show
    from .nameservers import NoNameservers, nameservers

    address = parse_address(options.address)
    if address is None:
        return _fail(f"{options.address!r} is no IP address", EX_USAGE)
    config = load(options.config)
    try:
        asked = (parse_nameserver(options.dns),) if options.dns else nameservers(config.dns.nameservers)
    except ValueError as error:
        return _fail(str(error), EX_USAGE)
    except NoNameservers as error:
        return _fail(str(error), EX_UNAVAILABLE)
    outcome = examine(Client(address, options.helo, options.mailfrom, options.rcpt), config, asked)
    if options.json:
        print(as_json(outcome))
    else:
        show(outcome, Console(highlight=False))
    return outcome.status


def _config_check(options: argparse.Namespace) -> int:
    config = load(options.config)
    for warning in warnings(config, date.today()):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{config.path or 'built-in default'}: valid, {_summary(config)}")
    return EX_OK


def _config_show(options: argparse.Namespace) -> int:
    print(show(load(options.config)), end="")
    return EX_OK


def _config_sample(options: argparse.Namespace) -> int:
    print(sample(), end="")
    return EX_OK


def _config_lint(options: argparse.Namespace) -> int:
    from .lint import lint

    config = load(options.config)
    positions = Positions(read_text(config.path, MAX_OCTETS)) if config.path else Positions()
    cautions = lint(config, date.today(), positions)
    for caution in cautions:
        place = f"{config.path}:{caution.line}" if caution.line else config.path or "built-in default"
        print(f"{place}: {caution}")
    print(f"{config.path or 'built-in default'}: {len(cautions) or 'no'} warning{'' if len(cautions) == 1 else 's'}")
    return EX_OK


def _replay(options: argparse.Namespace) -> int:
    from rich.console import Console

    from .judge import Judge
    from .logs import Logs
    from .progress import reading
    from .replay import Replay, as_dict
    from .replay_text import show, write_csv

    config, logs = load(options.config), Logs(options.logs)
    replay = Replay(Judge(config, date.today(), options.enforce))
    for line in reading(logs, Console(stderr=True)):
        replay.add(line)
    if options.json:
        print(json.dumps(as_dict(replay, options.top, logs.troubles), indent=2))
    elif options.csv:
        write_csv(replay, options.top, sys.stdout)
    else:
        policy = replay.judge.policy
        title = f"Judged by {config.path or 'the built-in default'}: policy {policy.digest}, mode {policy.mode}"
        show(replay, title, options.top, logs.troubles, Console(highlight=False))
    return EX_OK


def _report(options: argparse.Namespace) -> int:
    from rich.console import Console

    from .logdate import Dates
    from .logs import Logs
    from .progress import reading
    from .report import Report, as_dict
    from .report_html import page
    from .report_text import show

    now = datetime.now().astimezone()
    policy = load(options.config).policy if options.config else Policy()
    logs = Logs(options.logs)
    try:
        dates = Dates(now)
        since = dates.since(options.since) if options.since else None
        output = open(options.html, "w", encoding="ascii", errors="xmlcharrefreplace") if options.html else None  # noqa: SIM115
    except (ValueError, OSError) as error:
        return _fail(str(error), EX_USAGE)
    report = Report(dates.of, since, [rule.name for rule in policy.rules if rule.action])
    for line in reading(logs, Console(stderr=True)):
        report.add(line)
    found = as_dict(report, options.top, policy.digest, logs.troubles)
    if output is not None:
        with output:
            output.write(page(found, __version__, now))
    elif options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found, Console(highlight=False))
    return EX_OK


def _summary(config: Config) -> str:
    return f"{len(config.policy.rules)} rules, mode {config.milter.mode}, policy {config.policy.digest}"


def _fail(text: str, status: int) -> int:
    print(f"rdns-milter: {text}", file=sys.stderr)
    return status
