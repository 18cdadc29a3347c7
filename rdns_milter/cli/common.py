"""Shared by the commands: their errors, and the options that several of them have."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TypeAlias

from ..config.load import DEFAULT_PATH, Config
from ..net.endpoints import Endpoint, parse_nameserver
from ..text.exit_status import EX_UNAVAILABLE, EX_USAGE

# argparse has no public name for what add_subparsers returns.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


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
    """Return the name servers of --dns, else of the config, else of the system. Raises Failure."""
    from ..resolver.nameservers import NoNameservers, nameservers

    try:
        return (parse_nameserver(options.dns),) if options.dns else nameservers(config.dns.nameservers)
    except ValueError as error:
        raise Failure(str(error)) from None
    except NoNameservers as error:
        raise Failure(str(error), EX_UNAVAILABLE) from None
