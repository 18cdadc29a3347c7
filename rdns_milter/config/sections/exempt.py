"""The section [exempt]: clients that are not judged, and the names of this host.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...net.names import Address
from ...net.networks import Networks
from ..option_types import boolean, list_of, option
from ..value_parsers import read_network, read_own_name, write_network

# ruff: noqa: RUF009 - defaults are made by calls, but they are immutable


@dataclass(frozen=True, slots=True)
class Exempt:
    """[exempt]. `own`: names (canonical) and addresses."""

    doc: ClassVar[str] = (
        "Clients that are not judged; the log gives the reason. List your own mail hosts here, and hosts that forward mail to you."
        " A backup MX, and any other host of yours that hands on mail from anywhere, belongs in [relays]."
    )

    networks: Networks = option(
        "networks",
        list_of("addresses and networks", read_network, write_network, Networks),
        ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"],
        "Addresses and networks in CIDR notation. Your list replaces the default: repeat the default networks that you still need,"
        " loopback (127.0.0.0/8 and ::1) at least.",
    )
    authenticated: bool = option(
        "authenticated", boolean(), True, "Whether clients that have logged in (SMTP AUTH) are exempt."
    )
    own: tuple[str | Address, ...] = option(
        "own_names",
        list_of("host names and addresses", read_own_name),
        [],
        'Names and addresses of this host. If another host uses one of them in HELO, the fact helo_own is "yes". Empty: the name of'
        " the MTA.",
    )

    @property
    def own_names(self) -> tuple[str, ...]:
        """The canonical names among `own`."""
        return tuple(item for item in self.own if isinstance(item, str))

    @property
    def own_addresses(self) -> tuple[Address, ...]:
        """The addresses among `own`."""
        return tuple(item for item in self.own if not isinstance(item, str))
