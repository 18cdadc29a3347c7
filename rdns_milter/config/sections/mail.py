"""The sections about mail: whose mail is judged, how facts are found, and what is added to messages.

Declares options only; no I/O. Sections, keys, their order and the defaults are part of the public interface.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ...net.names import Address
from ...net.networks import Networks
from ..option_types import boolean, list_of, one_or_list_of, option, string, whole_number
from ..value_parsers import (
    read_authserv_id,
    read_field_name,
    read_name,
    read_network,
    read_own_name,
    read_pattern,
    write_network,
)

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


@dataclass(frozen=True, slots=True)
class SpfLimits:
    """[spf]"""

    doc: ClassVar[str] = (
        "Limits on the evaluation of SPF (RFC 7208 section 4.6.4). If a record exceeds one of them, the result is permerror."
    )

    lookup_limit: int = option(
        "lookup_limit",
        whole_number(1, 40),
        10,
        "The maximum number of terms that cause DNS queries: include, a, mx, ptr, exists and redirect.",
    )
    void_limit: int = option(
        "void_limit", whole_number(0, 40), 2, "The maximum number of void lookups: queries that find no record."
    )


@dataclass(frozen=True, slots=True)
class GenericNames:
    """[generic]. `exceptions`: canonical names without a leading dot; each includes all names below it."""

    doc: ClassVar[str] = (
        "Which reverse names look generic: names of address pools, dial-up and broadband lines (the fact generic)."
    )

    patterns: tuple[re.Pattern[str], ...] = option(
        "patterns",
        list_of("regular expressions", read_pattern, lambda pattern: pattern.pattern),
        [],
        "Regular expressions in Python's syntax, in addition to the built-in patterns. They match anywhere in the name, in upper or"
        " lower case. A pattern that needs more than 10 ms for one of the names it is tried with is an error.",
    )
    exceptions: tuple[str, ...] = option(
        "exceptions",
        list_of("names", lambda value: read_name(value).removeprefix(".")),
        [],
        'Domains whose names are never generic: "example.com" stands for itself and for all names below it.',
    )


@dataclass(frozen=True, slots=True)
class Headers:
    """[headers]. `authserv_ids`: all that are ours; empty for the MTA's own name."""

    doc: ClassVar[str] = (
        "Header fields that are added to accepted messages, and forged ones that are removed from them."
    )

    @property
    def authserv_id(self) -> str:
        """The authserv-id that is written, "" for the MTA's own name."""
        return self.authserv_ids[0] if self.authserv_ids else ""

    authserv_ids: tuple[str, ...] = option(
        "authserv_id",
        one_or_list_of("an authserv-id (letters, digits, dots, hyphens and underscores)", read_authserv_id),
        "",
        "The authserv-id: the name at the start of an Authentication-Results field that says which system has made the checks (RFC"
        " 8601 section 2.5). Use the same on all your MTAs. Of a list the first is written, and incoming results with any of them"
        " are removed as forged. Empty: the name of the MTA.",
    )
    authentication_results: bool = option(
        "authentication_results",
        boolean(),
        True,
        "Whether to add Authentication-Results (RFC 8601) with the results of iprev and SPF.",
    )
    received_spf: bool = option(
        "received_spf", boolean(), False, "Whether to add Received-SPF (RFC 7208 section 9.1) as well."
    )
    tag: str = option(
        "tag",
        string("the name of a header field", read_field_name),
        "X-Rdns-Milter",
        'The header field that the action "tag" adds, for your spam filter to evaluate. Empty: none.',
    )
    remove_forged: bool = option(
        "remove_forged",
        boolean(),
        True,
        "Whether to remove incoming fields that claim to be from this system: Authentication-Results (RFC 8601 section 5),"
        " Received-SPF and the tag. Fields of other systems stay. A message with more than 100 such fields is refused.",
    )
    trusted_networks: Networks = option(
        "trusted_networks",
        list_of("addresses and networks", read_network, write_network, Networks),
        ["127.0.0.0/8", "::1"],
        "Your own hosts, in CIDR notation, whose fields are not removed. It is not enough that a client is exempt. Your list"
        " replaces the default.",
    )


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
