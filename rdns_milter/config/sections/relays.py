"""The section [relays]: our own hosts that hand on mail. The client behind such a host is judged.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...net.networks import Networks
from ..option_types import list_of, option
from ..value_parsers import read_network, write_network

# ruff: noqa: RUF009 - defaults are made by calls, but they are immutable


@dataclass(frozen=True, slots=True)
class Relays:
    """[relays]"""

    doc: ClassVar[str] = (
        "Hosts of your own that receive mail from anywhere and hand it on to this MTA: a backup MX, a filter in front of it, a"
        " forwarder. Not they are judged but the client behind them, which is named by the Received fields that they write. They"
        " have taken the message already, so nothing that comes through them is refused or deferred: such a message is tagged, and"
        " the log has would=reject or would=tempfail."
    )

    networks: Networks = option(
        "networks",
        list_of("addresses and networks", read_network, write_network, Networks),
        [],
        "Addresses and networks of these hosts in CIDR notation, with the addresses by which they send mail to each other. A host"
        " that is listed here does not count as exempt. What these hosts write about a client is believed: list only your own.",
    )
