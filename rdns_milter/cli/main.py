"""The command line: rdns-milter run, check, config; the other commands are in modules of their own.

Reads arguments and calls others; knows no DNS, no rule and no SMTP. Must import libmilter for `run` only.

README.md (Commands); sysexits(3) for the exit status.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from .. import __version__
from ..config.load import MAX_BYTES, Config, ConfigError, load, show, warnings
from ..config.sample import sample
from ..config.textfile import read_text
from ..daemon.privileges import NotPossible, service_account, unreadable
from ..logs.files import UnreadableLogError
from ..text.exit_status import EX_CONFIG, EX_INTERRUPTED, EX_IOERR, EX_OK, EX_UNAVAILABLE, EX_USAGE
from ..text.output_file import OutputError
from ..text.standard_streams import describe, discard, discard_errors, flush, prepare
from ..text.toml_positions import Positions
from . import check_command, doctor, log_commands, why
from .common import (
    CommandParser,
    Commands,
    Failure,
    add_config_option,
    say,
)

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status. An input or output error is reported in one sentence."""
    prepare()
    try:
        return _guarded(arguments)
    finally:
        discard_errors()


def _guarded(arguments: Sequence[str] | None) -> int:
    try:
        try:
            return _command(arguments)
        finally:
            flush()
    except BrokenPipeError:
        discard()
        return EX_OK
    except OSError as error:
        discard()
        say(describe(error))
        return EX_IOERR
    except KeyboardInterrupt:
        discard()
        return EX_INTERRUPTED


def _command(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    except Failure as error:
        say(str(error))
        return error.status
    except UnreadableLogError as error:
        say(str(error))
        return EX_USAGE
    except OutputError as error:
        say(str(error))
        return EX_IOERR if error.has_begun else EX_USAGE


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; the manual page is made from it."""
    top = argparse.ArgumentParser(prog="rdns-milter", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"rdns-milter {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=CommandParser)
    _add_run(commands)
    check_command.add_command(commands)
    _add_config(commands)
    log_commands.add_commands(commands)
    why.add_command(commands)
    doctor.add_command(commands)
    return top


_DESCRIPTION = "A milter for Postfix and Sendmail that judges SMTP clients by reverse DNS, HELO and SPF."


def _add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="serve the MTA, in the foreground")
    add_config_option(run)
    run.add_argument("-n", "--dry-run", action="store_true", help="check the config, bind the socket, report, and exit")
    run.set_defaults(command=_run)


def _add_config(commands: Commands) -> None:
    config = commands.add_parser("config", help="check or show the configuration")
    add_config_option(config)
    what = config.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--check", dest="command", action="store_const", const=_config_check, help="check whether it is valid"
    )
    what.add_argument(
        "--show", dest="command", action="store_const", const=_config_show, help="print the values in force"
    )
    what.add_argument(
        "--sample", dest="command", action="store_const", const=_config_sample, help="print the commented default file"
    )
    what.add_argument(
        "--lint",
        dest="command",
        action="store_const",
        const=_config_lint,
        help="warn of rules against an RFC",
    )
    config.add_argument(
        "--changed", action="store_true", help="with --show: only what differs from the defaults, and the lists"
    )


def _run(options: argparse.Namespace) -> int:
    from ..daemon.configuration.config_reader import NotRead, read_config
    from ..resolver.nameservers import NoNameservers

    try:
        loaded, memory = read_config(options.config)
    except (NoNameservers, NotRead) as error:
        raise Failure(str(error), EX_UNAVAILABLE) from None
    try:
        from ..daemon.master import run
    except ImportError as error:
        raise Failure(f"run needs pymilter and libmilter: {error}", EX_UNAVAILABLE) from None
    return run(loaded, memory, options.config, options.dry_run, say)


def _refuse_changed(options: argparse.Namespace) -> None:
    if options.changed:
        raise Failure("--changed goes with --show only")


def _config_check(options: argparse.Namespace) -> int:
    _refuse_changed(options)
    config = load(options.config)
    for warning in (*warnings(config, date.today()), *_out_of_reach(config)):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{config.path or 'built-in default'}: valid, {_summary(config)}")
    return EX_OK


def _out_of_reach(config: Config) -> Iterator[str]:
    """Yield a sentence for each file that root can read and the service cannot."""
    if os.geteuid() != 0 or not config.path:
        return
    try:
        user = service_account(config.milter.user)
        if user is not None:
            for found in unreadable((config.path, *(item.path for item in config.lists)), user):
                yield f"the service runs as the user {user.pw_name}, which cannot read {found}"
    except (NotPossible, OSError) as error:
        yield str(error)


def _config_show(options: argparse.Namespace) -> int:
    print(show(load(options.config), options.changed), end="")
    return EX_OK


def _config_sample(options: argparse.Namespace) -> int:
    _refuse_changed(options)
    print(sample(), end="")
    return EX_OK


def _config_lint(options: argparse.Namespace) -> int:
    _refuse_changed(options)
    from ..config.lint import lint
    from .provider_lookup import provider_reaches

    config = load(options.config)
    name = config.path or "built-in default"
    positions = Positions(read_text(config.path, MAX_BYTES) if config.path else "")
    cautions = lint(config, date.today(), positions, provider_reaches(config))
    for caution in cautions:
        print(f"{name}:{caution.line}: {caution}" if caution.line else f"{name}: {caution}")
    print(f"{name}: {len(cautions) or 'no'} warning{'' if len(cautions) == 1 else 's'}")
    return EX_OK


def _summary(config: Config) -> str:
    return f"{len(config.policy.rules)} rules, mode {config.milter.mode}, policy {config.policy.digest}"
