"""The command `rdns-milter run`: read the configuration, and start the service (daemon/master.py).

Must not import libmilter before the command runs: the other commands work without it.

README.md (Commands); sysexits(3) for the exit status.
"""

from __future__ import annotations

import argparse

from ..text.exit_status import EX_UNAVAILABLE
from .common import Commands, Failure, add_config_option, say


def add_command(commands: Commands) -> None:
    """Add `run` to the command line."""
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
