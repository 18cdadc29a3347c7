"""Shared by the commands: their errors, and the options that several of them have."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

from ..config.load import DEFAULT_PATH, Config
from ..net.endpoints import Endpoint, parse_nameserver
from ..policy.rules import Policy
from ..text.exit_status import EX_UNAVAILABLE, EX_USAGE

# argparse has no public name for what add_subparsers returns.
Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"


class CommandParser(argparse.ArgumentParser):
    """A parser of one command. Options may stand before, between and after the other arguments.

    argparse gives a positional argument that may be repeated or left out only those words that stand before the next option; later
    words are errors then. parse_known_intermixed_args reads the options first. It calls parse_known_args itself, and loses "--", so
    arguments with "--" are parsed in the usual way."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_intermixed = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the arguments. Return the namespace, and the arguments that are not known."""
        if self._is_intermixed or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._is_intermixed = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_intermixed = False


class Failure(Exception):
    """The command cannot continue. The text gives the reason; `status`: the exit status."""

    def __init__(self, text: str, status: int = EX_USAGE) -> None:
        super().__init__(text)
        self.status = status


def say(text: str) -> None:
    """Print a line to standard error."""
    with contextlib.suppress(OSError):  # standard error is closed
        print(f"rdns-milter: {text}", file=sys.stderr)


def add_config_option(command: argparse.ArgumentParser) -> None:
    """Add -c FILE."""
    command.add_argument(
        "-c", "--config", metavar="FILE", help=f"the config file (default: {DEFAULT_PATH}, if it exists)"
    )


def add_dns_option(command: argparse.ArgumentParser) -> None:
    """Add --dns HOST:PORT."""
    command.add_argument("--dns", metavar="HOST:PORT", help="ask this name server instead of the configured ones")


def asked_nameservers(options: argparse.Namespace, config: Config) -> tuple[Endpoint, ...]:
    """Return the name servers of --dns; without it those of the config, else those of the system. Raises Failure."""
    from ..resolver.nameservers import NoNameservers, nameservers

    try:
        return (parse_nameserver(options.dns),) if options.dns else nameservers(config.dns.nameservers)
    except ValueError as error:
        raise Failure(str(error)) from None
    except NoNameservers as error:
        raise Failure(str(error), EX_UNAVAILABLE) from None


def add_enforce_option(command: argparse.ArgumentParser) -> None:
    """Add --enforce."""
    command.add_argument("--enforce", action="store_true", help='judge as if the config had mode = "enforce"')


def add_logs(command: argparse.ArgumentParser, name: str) -> None:
    """Add --top N and the log files. `name`: what the help calls the files."""
    command.add_argument(
        "--top",
        metavar="N",
        type=count,
        default=20,
        help="show the N most frequent clients and sender domains (default: 20)",
    )
    command.add_argument(
        "logs",
        metavar=name,
        nargs="+",
        help='a log file: plain, gzip, bzip2, xz, or the output of "journalctl -o export"; "-": standard input',
    )


def count(text: str) -> int:
    """Read a number from 0 on, the argument of an option."""
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def title_of(config: Config, policy: Policy) -> str:
    """Return the heading for the result of a policy."""
    return f"Judged by {config.path or 'the built-in default'}: policy {policy.digest}, mode {policy.mode}"
