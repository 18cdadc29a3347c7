"""All options: their names, types, defaults and descriptions, in one table.

The reader, the sample file, `config --show` and the manual page are made from this table. No I/O: nothing here tests whether a
file, a user or a host exists. Sections, keys, their order and the defaults are part of the public interface.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv6Network
from types import MappingProxyType
from typing import Any, ClassVar

from ..net.endpoints import Endpoint, SocketAddress, parse_host_port, parse_nameserver, parse_socket_address
from ..net.names import Address
from ..net.nat64 import parse_prefix
from ..net.networks import Networks
from ..policy.rules import MODES
from .option_types import (
    Option,
    boolean,
    list_of,
    matching,
    octal,
    one_of,
    one_or_list_of,
    option,
    optional,
    seconds,
    string,
    whole_number,
)
from .value_parsers import (
    read_authserv_id,
    read_field_name,
    read_name,
    read_network,
    read_own_name,
    read_pattern,
    write_network,
)

# ruff: noqa: RUF009 - defaults are made by calls, but they are immutable

MAX_DEADLINE = 25.0  # seconds; Postfix waits 30 for a milter (milter_command_timeout)
_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?"


@dataclass(frozen=True, slots=True)
class Milter:
    """[milter]"""

    doc: ClassVar[str] = (
        "The service itself. A reload applies only changes of mode and deadline; changes of the other options in this section"
        " take effect at the next start."
    )

    socket: SocketAddress = option(
        "socket",
        string("a socket address", parse_socket_address),
        "inet:8895@127.0.0.1",
        'The socket to which the MTA connects: "inet:PORT@HOST", "inet6:PORT@HOST" or "unix:/PATH".',
    )
    socket_mode: int = option(
        "socket_mode",
        whole_number(0, 0o777, octal, "; write it with 0o, as in 0o660"),
        0o660,
        "Permissions of a unix socket.",
    )
    socket_group: str = option(
        "socket_group",
        matching("the name of a group", _USER),
        "",
        'The group of a unix socket, for instance "postfix". Empty: the group with which the milter is started.',
    )
    user: str = option(
        "user",
        matching("the name of a user", _USER),
        "",
        "The user to which the milter changes if it is started as root. Empty: keep the user (under systemd, set User= in"
        " the unit).",
    )
    workers: int = option(
        "workers", whole_number(0, 256), 0, "The number of worker processes. 0: one for each CPU core."
    )
    mode: str = option(
        "mode",
        one_of(*MODES),
        "enforce",
        '"enforce": act on the rules. "observe": refuse, defer and quarantine nothing; the log shows what "enforce" would'
        " have done.",
    )
    deadline: float = option(
        "deadline",
        seconds(MAX_DEADLINE, ": the MTA gives up on a milter after 30"),
        6.0,
        "How long one message may wait for DNS in all. Facts that are not known by then are temperror.",
        "seconds",
    )


@dataclass(frozen=True, slots=True)
class Dns:
    """[dns]"""

    doc: ClassVar[str] = "DNS queries. A resolver on this host that validates and caches is best."

    nameservers: tuple[Endpoint, ...] = option(
        "nameservers",
        list_of("addresses of name servers", parse_nameserver),
        [],
        'The resolvers to query: "127.0.0.1", "127.0.0.1:5353", "[::1]:53". Empty: those of /etc/resolv.conf.',
    )
    timeout: float = option(
        "timeout",
        seconds(25.0),
        2.0,
        "How long to wait for an answer after the first try. Later tries wait longer.",
        "seconds",
    )
    tries: int = option(
        "tries", whole_number(1, 10), 2, "How many times a query is sent before it counts as timed out."
    )
    max_ptr_names: int = option(
        "max_ptr_names",
        whole_number(1, 100),
        10,
        "How many reverse names of one client are looked up; more are ignored (RFC 8601 section 3 asks for a limit).",
    )
    cache_entries: int = option(
        "cache_entries", whole_number(0, 10_000_000), 100_000, "The number of answers in the cache of each worker."
    )
    cache_min_ttl: int = option(
        "cache_min_ttl", whole_number(0, 86_400), 5, "The minimum time for which an answer is cached.", "seconds"
    )
    cache_max_ttl: int = option(
        "cache_max_ttl", whole_number(0, 604_800), 86_400, "The maximum time for which an answer is cached.", "seconds"
    )
    negative_ttl: int = option(
        "negative_ttl",
        whole_number(0, 86_400),
        300,
        "The maximum time for which a negative answer (NXDOMAIN, NODATA) is cached.",
        "seconds",
    )
    max_outstanding: int = option(
        "max_outstanding",
        whole_number(1, 60_000),
        1000,
        "The maximum number of queries that each worker has outstanding at once.",
    )
    nat64: tuple[IPv6Network, ...] = option(
        "nat64",
        list_of("prefixes of translators", parse_prefix),
        [],
        'Prefixes of your NAT64 or SIIT translators, for instance "64:ff9b::/96". A client with such an address is judged by the'
        " IPv4 address in it (RFC 6052).",
    )


@dataclass(frozen=True, slots=True)
class Exempt:
    """[exempt]. `own`: names (canonical) and addresses."""

    doc: ClassVar[str] = (
        "Clients that are not judged; the log gives the reason. List your own mail hosts here, your backup MX, and hosts that"
        " forward mail to you."
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
class Log:
    """[log]"""

    doc: ClassVar[str] = "The log: one line for each decision, with all facts that it is based on."

    target: str = option(
        "target",
        one_of("auto", "syslog", "stderr"),
        "auto",
        '"syslog" (facility mail), "stderr", or "auto": standard error if it is a terminal or if there is no syslog, else syslog.',
    )
    format: str = option("format", one_of("logfmt", "json"), "logfmt", '"logfmt" (key=value) or "json".')
    decisions: str = option(
        "decisions",
        one_of("all", "not-accepted", "refused"),
        "all",
        'Which decisions are logged: "all" (needed for `rdns-milter replay`), "not-accepted" (all actions but accept) or "refused"'
        " (reject, quarantine and tempfail).",
    )


@dataclass(frozen=True, slots=True)
class Metrics:
    """[metrics]"""

    doc: ClassVar[str] = "Metrics for monitoring."

    listen: Endpoint | None = option(
        "listen",
        optional(string("HOST:PORT", parse_host_port)),
        "",
        'Where to serve metrics for Prometheus (/metrics) and a health check (/healthz), for instance "127.0.0.1:9415". Empty:'
        " nowhere.",
    )


# The sections in the order of the file.
SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "milter": Milter,
        "dns": Dns,
        "exempt": Exempt,
        "spf": SpfLimits,
        "generic": GenericNames,
        "headers": Headers,
        "log": Log,
        "metrics": Metrics,
    }
)


def options_of(section: type[Any]) -> Mapping[str, Option]:
    """Return the options of a section in their order, by the name of the attribute that holds the value."""
    return {item.name: item.metadata["option"] for item in fields(section)}
