"""The command line, and the command `rdns-milter run`; the other commands are in modules of their own.

Reads arguments and calls others; knows no DNS, no rule and no SMTP. Must import libmilter for `run` only.

README.md (Commands); sysexits(3) for the exit status.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from ..config.errors import ConfigError
from ..logs.files import UnreadableLogError
from ..text.exit_status import EX_CONFIG, EX_INTERRUPTED, EX_IOERR, EX_OK, EX_UNAVAILABLE, EX_USAGE
from ..text.output_file import OutputError
from ..text.standard_streams import describe, discard, discard_errors, flush, prepare
from . import check_command, config_command, doctor_command, log_commands, why_command
from .common import CommandParser, Commands, Failure, add_config_option, say

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
    config_command.add_command(commands)
    log_commands.add_commands(commands)
    why_command.add_command(commands)
    doctor_command.add_command(commands)
    return top


_DESCRIPTION = "A milter for Postfix and Sendmail that judges SMTP clients by reverse DNS, HELO and SPF."


def _add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="serve the MTA, in the foreground")
    add_config_option(run)
    run.add_argument("-n", "--dry-run", action="store_true", help="check the config, bind the socket, report, and exit")
    run.set_defaults(command=_run)


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
