"""The command `rdns-milter check`: show how the milter judges one client or, with --self, how others judge this host.

Reads arguments, calls the modules in check/ and chooses the exit status; judges nothing itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from ..config.load import Config, load
from ..net.names import Address, parse_address
from ..policy.rules import REFUSALS, TEMPFAIL, Verdict
from ..text.exit_status import EX_OK, EX_REFUSED, EX_TEMPFAIL
from .common import Commands, Failure, add_config_option, add_dns_option, asked_nameservers


def add_command(commands: Commands) -> None:
    """Add `check` to the command line."""
    check = commands.add_parser("check", help="judge one client as the milter would, and show why")
    check.add_argument(
        "addresses",
        metavar="IP",
        nargs="*",
        help="the client's address; with --self those of this host that others see",
    )
    check.add_argument(
        "--self",
        dest="own",
        action="store_true",
        help="judge this host as receivers of its mail do: with the default rules, and with strict ones. Without IP: the"
        " addresses that the MTA's configuration sets for outgoing mail, else those of the interfaces",
    )
    check.add_argument(
        "--helo", metavar="NAME", default="", help="the name in HELO or EHLO (with --self the default is the MTA's)"
    )
    check.add_argument(
        "--from",
        metavar="ADDR",
        dest="mailfrom",
        default="",
        help="the sender (default: the null sender; with --self postmaster at the MTA's domain)",
    )
    check.add_argument("--rcpt", metavar="ADDR", default="", help="the recipient")
    check.add_argument(
        "--via",
        metavar="RELAY",
        default="",
        help="the address of a relay of yours (relays.networks) that hands the client's message on",
    )
    add_config_option(check)
    add_dns_option(check)
    check.add_argument("--json", action="store_true", help="write JSON")
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from rich.console import Console

    addresses = _addresses(options.addresses)
    if options.own:
        if options.via:
            raise Failure("--via does not go with --self")
        return _self(options, addresses)
    if len(addresses) != 1:
        raise Failure(
            f"check needs one IP address, not {len(addresses)}" if addresses else "check needs an IP address, or --self"
        )

    from .check.check_session import Client, examine
    from .check.check_text import as_json, show

    config = load(options.config)
    asked = asked_nameservers(options, config)
    relay = _relay(options.via, config) if options.via else None
    outcome = examine(Client(addresses[0], options.helo, options.mailfrom, options.rcpt, relay), config, asked)
    if options.json:
        print(as_json(outcome))
    else:
        show(outcome, Console(highlight=False))
    return status_of((outcome.verdict,))


def status_of(verdicts: Iterable[Verdict]) -> int:
    """Return the exit status of the worst verdict."""
    actions = {verdict.action for verdict in verdicts}
    if actions & REFUSALS:
        return EX_REFUSED
    return EX_TEMPFAIL if TEMPFAIL in actions else EX_OK


def _relay(text: str, config: Config) -> Address:
    (address,) = _addresses([text])
    if address not in config.relays.networks:
        raise Failure(f"{address} is not in relays.networks")
    return address


def _addresses(words: Sequence[str]) -> list[Address]:
    found = []
    for each in words:
        address = parse_address(each)
        if address is None:
            raise Failure(f"{each!r} is not an IP address")
        found.append(address)
    return found


def _self(options: argparse.Namespace, addresses: Sequence[Address]) -> int:
    from rich.console import Console

    from ..doctor.host import Host
    from .check.self_check import Hidden, Wanted, as_json, examine, show

    config = load(options.config)
    asked = asked_nameservers(options, config)
    try:
        view = examine(
            Host(), Wanted(tuple(addresses), options.helo, options.mailfrom, options.rcpt), config.dns, asked
        )
    except Hidden as error:
        raise Failure(str(error)) from None
    if options.json:
        print(as_json(view))
    else:
        show(view, Console(highlight=False))
    return status_of(view.verdicts)
