"""The command `rdns-milter config`: check, show or lint the configuration, or print the sample.

Reads arguments, calls config/ and prints; judges no setting itself.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import date

from ..config.load import MAX_BYTES, Config, load, warnings
from ..config.sample import sample
from ..config.show import show
from ..daemon.privileges import NotPossible, service_account, unreadable
from ..text.exit_status import EX_OK
from ..text.input_file import read_text
from ..text.toml_positions import Positions
from .common import Commands, Failure, add_config_option


def add_command(commands: Commands) -> None:
    """Add `config` to the command line."""
    config = commands.add_parser("config", help="check or show the configuration")
    add_config_option(config)
    what = config.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", dest="command", action="store_const", const=_check, help="check whether it is valid")
    what.add_argument("--show", dest="command", action="store_const", const=_show, help="print the values in force")
    what.add_argument(
        "--sample", dest="command", action="store_const", const=_sample, help="print the commented default file"
    )
    what.add_argument(
        "--lint",
        dest="command",
        action="store_const",
        const=_lint,
        help="warn of rules against an RFC",
    )
    config.add_argument(
        "--changed", action="store_true", help="with --show: only what differs from the defaults, and the lists"
    )


def _refuse_changed(options: argparse.Namespace) -> None:
    if options.changed:
        raise Failure("--changed goes with --show only")


def _check(options: argparse.Namespace) -> int:
    _refuse_changed(options)
    config = load(options.config)
    for warning in (*warnings(config, date.today()), *_out_of_reach(config)):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{config.path or 'built-in default'}: valid, {_summary(config)}")
    return EX_OK


def _out_of_reach(config: Config) -> Iterator[str]:
    """Yield one sentence for each file that root can read and the service cannot."""
    if os.geteuid() != 0 or not config.path:
        return
    try:
        user = service_account(config.milter.user)
        if user is not None:
            for found in unreadable((config.path, *(item.path for item in config.lists)), user):
                yield f"the service runs as the user {user.pw_name}, which cannot read {found}"
    except (NotPossible, OSError) as error:
        yield str(error)


def _show(options: argparse.Namespace) -> int:
    print(show(load(options.config), options.changed), end="")
    return EX_OK


def _sample(options: argparse.Namespace) -> int:
    _refuse_changed(options)
    print(sample(), end="")
    return EX_OK


def _lint(options: argparse.Namespace) -> int:
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
