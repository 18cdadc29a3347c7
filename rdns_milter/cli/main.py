"""The command line: its parser, and the exit status of errors. Each command is in a module of its own.

Reads arguments and calls others; knows no DNS, no rule and no SMTP. Must not import libmilter.

README.md (Commands); sysexits(3) for the exit status.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from ..config.errors import ConfigError
from ..logs.files import UnreadableLogError
from ..text.exit_status import EX_CONFIG, EX_INTERRUPTED, EX_IOERR, EX_OK, EX_USAGE
from ..text.output_file import OutputError
from ..text.standard_streams import describe, discard, discard_errors, flush, prepare
from . import (
    check_command,
    config_command,
    doctor_command,
    forecast_command,
    replay_command,
    report_command,
    run_command,
    why_command,
)
from .common import CommandParser, Failure, say

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
    run_command.add_command(commands)
    check_command.add_command(commands)
    config_command.add_command(commands)
    replay_command.add_command(commands)
    forecast_command.add_command(commands)
    report_command.add_command(commands)
    why_command.add_command(commands)
    doctor_command.add_command(commands)
    return top


_DESCRIPTION = "A milter for Postfix and Sendmail that judges SMTP clients by reverse DNS, HELO and SPF."
