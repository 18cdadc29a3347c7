"""What can be set: one table. From it come the reading of the file, the sample, `config --show` and the manual page.

Holds names, kinds, defaults and one sentence for each option. No I/O: nobody here knows whether a file, a user or a host exists.

Sections, keys, their order and the defaults are stable interfaces (NEWS.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv6Network
from types import MappingProxyType
from typing import Any, ClassVar

from ..net.endpoints import Endpoint, SocketAddress, parse_host_port, parse_nameserver, parse_socket_address
from ..net.names import Address
from ..net.nat64 import parse_prefix
from ..net.networks import Network, Networks
from ..policy.rules import MODES
from ..text.toml import quoted
from .option_types import Kind, matching, octal, one_or_several, optional, parsed, seconds, several, truth, whole, word
from .value_parsers import read_authserv_id, read_name, read_network, read_own_name

# ruff: noqa: RUF009 - a default is made by a call, but what it gives is frozen

MAX_DEADLINE = 25.0  # seconds; Postfix waits 30 for a milter (milter_command_timeout)
_MAX_PATTERN = 500  # characters
# Adding these would say something about the message that nobody checked.
_TAKEN_FIELDS = frozenset(
    (
        "authentication-results", "bcc", "cc", "content-type", "date", "from", "message-id", "received",
        "received-spf", "reply-to", "return-path", "sender", "subject", "to",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """One key. `default`: as in TOML; `value`: what that becomes; `unit`: of numbers, or ""."""

    key: str
    kind: Kind
    default: Any
    doc: str
    unit: str = ""

    def toml(self, value: Any) -> str:
        """The value as TOML."""
        return self.kind.write(value)


def _option(key: str, kind: Kind, default: Any, doc: str, unit: str = "") -> Any:
    value = kind.gather(map(kind.read, default)) if kind.many else kind.read(default)
    return field(default=value, metadata={"option": Option(key, kind, default, doc, unit)})


def _network(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _pattern(value: str) -> re.Pattern[str]:
    if len(value) > _MAX_PATTERN:
        raise ValueError(f"the pattern has {len(value)} characters; {_MAX_PATTERN} are the most")
    try:
        return re.compile(value, re.IGNORECASE | re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{quoted(value)} is no regular expression: {error}") from None


def _header_name(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", value):
        raise ValueError(f"{quoted(value)} is no name of a header field")
    if value.lower() in _TAKEN_FIELDS:
        raise ValueError(f"{quoted(value)} says something else already; take a name of your own, such as X-Rdns-Milter")
    return value


_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?"


@dataclass(frozen=True, slots=True)
class Milter:
    """[milter]"""

    doc: ClassVar[str] = (
        "The service itself. At a reload only mode and deadline may change here; the rest waits for the next start."
    )

    socket: SocketAddress = _option(
        "socket",
        parsed("inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH", parse_socket_address),
        "inet:8895@127.0.0.1",
        'Where the MTA finds the milter: "inet:PORT@HOST", "inet6:PORT@HOST" or "unix:/PATH".',
    )
    socket_mode: int = _option(
        "socket_mode",
        whole(0, 0o777, octal, "; write it with 0o, as in 0o660"),
        0o660,
        "Permissions of a unix socket.",
    )
    socket_group: str = _option(
        "socket_group",
        matching("the name of a group", _USER),
        "",
        'A group that may connect to the unix socket, "postfix", say. Empty: the group that the milter runs as.',
    )
    user: str = _option(
        "user",
        matching("the name of a user", _USER),
        "",
        "Whom to become when started as root. Empty: stay who it is (under systemd, set User= there).",
    )
    workers: int = _option("workers", whole(0, 256), 0, "How many processes share the work. 0: one for each core.")
    mode: str = _option(
        "mode",
        word(*MODES),
        "enforce",
        '"observe": judge and log, but never refuse, defer or quarantine; the log line says what "enforce" would have done.',
    )
    deadline: float = _option(
        "deadline",
        seconds(MAX_DEADLINE, ": the MTA gives up on a milter after 30"),
        6.0,
        "How long a message may have to wait for DNS in all. What is not known by then counts as temperror.",
        "seconds",
    )


@dataclass(frozen=True, slots=True)
class Dns:
    """[dns]"""

    doc: ClassVar[str] = "How DNS is asked. A resolver on the same host that validates and caches is best."

    nameservers: tuple[Endpoint, ...] = _option(
        "nameservers",
        several("addresses of name servers", parse_nameserver),
        [],
        'Resolvers to ask: "127.0.0.1", "127.0.0.1:5353", "[::1]:53". Empty: those of /etc/resolv.conf.',
    )
    timeout: float = _option(
        "timeout", seconds(25.0), 2.0, "How long the first try of a query waits; later ones wait longer.", "seconds"
    )
    tries: int = _option("tries", whole(1, 10), 2, "How often a query is sent in all before it counts as a timeout.")
    max_ptr_names: int = _option(
        "max_ptr_names",
        whole(1, 100),
        10,
        "How many names of one address are looked up, should it have more (RFC 8601 section 3 wants a limit).",
    )
    cache_entries: int = _option(
        "cache_entries", whole(0, 10_000_000), 100_000, "How many answers each worker remembers."
    )
    cache_min_ttl: int = _option(
        "cache_min_ttl", whole(0, 86_400), 5, "Answers are remembered at least this long.", "seconds"
    )
    cache_max_ttl: int = _option(
        "cache_max_ttl", whole(0, 604_800), 86_400, "Answers are remembered at most this long.", "seconds"
    )
    negative_ttl: int = _option(
        "negative_ttl",
        whole(0, 86_400),
        300,
        "That there is no such name or record (NXDOMAIN, NODATA) is remembered at most this long.",
        "seconds",
    )
    max_outstanding: int = _option(
        "max_outstanding", whole(1, 60_000), 1000, "How many queries each worker may have under way at once."
    )
    nat64: tuple[IPv6Network, ...] = _option(
        "nat64",
        several("prefixes of translators", parse_prefix),
        [],
        'Prefixes of your NAT64 or SIIT translator: "64:ff9b::/96". A client with such an address is the IPv4 address in it'
        " (RFC 6052).",
    )


@dataclass(frozen=True, slots=True)
class Exempt:
    """[exempt]. `own`: names (canonical) and addresses."""

    doc: ClassVar[str] = "Clients that are not judged; the log says why. Add your own relays and backup MX here."

    networks: Networks = _option(
        "networks",
        several("addresses and networks", read_network, _network, Networks),
        ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"],
        "Addresses and networks in CIDR notation.",
    )
    authenticated: bool = _option(
        "authenticated", truth(), True, "Whether clients that have logged in (SMTP AUTH) are exempt."
    )
    own: tuple[str | Address, ...] = _option(
        "own_names",
        several("host names and addresses", read_own_name),
        [],
        "Names and addresses of this host, with which nobody else may greet (the fact helo_own). Empty: the MTA's own name.",
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

    doc: ClassVar[str] = "Limits of SPF (RFC 7208 section 4.6.4). A record that goes beyond them is a permerror."

    lookup_limit: int = _option("lookup_limit", whole(1, 40), 10, "Terms of a record that may ask DNS.")
    void_limit: int = _option("void_limit", whole(0, 40), 2, "Lookups that may find nothing.")


@dataclass(frozen=True, slots=True)
class GenericNames:
    """[generic]. `exceptions`: canonical names without a leading dot, meant with all that is below them."""

    doc: ClassVar[str] = "Which reverse names look generic: pools, dial-up, broadband (the fact generic)."

    patterns: tuple[re.Pattern[str], ...] = _option(
        "patterns",
        several("regular expressions", _pattern, lambda pattern: pattern.pattern),
        [],
        "More patterns beside the built-in ones: Python regular expressions, looked for anywhere in the name, whatever its case."
        " One that takes more than 10 ms on a name made for that is refused.",
    )
    exceptions: tuple[str, ...] = _option(
        "exceptions",
        several("names", lambda value: read_name(value).removeprefix(".")),
        [],
        'Names that are never generic, with all that is below them: "example.com".',
    )


@dataclass(frozen=True, slots=True)
class Headers:
    """[headers]. `authserv_ids`: all that are ours, none for the MTA's own name."""

    doc: ClassVar[str] = "What is written into messages that are accepted."

    @property
    def authserv_id(self) -> str:
        """The name that is written, "" for the MTA's own."""
        return self.authserv_ids[0] if self.authserv_ids else ""

    authserv_ids: tuple[str, ...] = _option(
        "authserv_id",
        one_or_several("an authserv-id: a name of letters, digits, dot, hyphen, underscore", read_authserv_id),
        "",
        "By what name Authentication-Results calls us; the same on all your MTAs is best. Of a list the first is written, and"
        " results that claim any of them are removed as forged. Empty: the MTA's own name.",
    )
    authentication_results: bool = _option(
        "authentication_results", truth(), True, "Whether to add Authentication-Results (RFC 8601) with iprev and SPF."
    )
    received_spf: bool = _option(
        "received_spf", truth(), False, "Whether to add Received-SPF (RFC 7208 section 9.1) as well."
    )
    tag: str = _option(
        "tag",
        parsed("the name of a header field", _header_name),
        "X-Rdns-Milter",
        'The header field that the action "tag" adds, for your filters to look at. Empty: none.',
    )
    remove_forged: bool = _option(
        "remove_forged",
        truth(),
        True,
        "Whether to remove incoming fields that claim to be ours: Authentication-Results (RFC 8601 section 5), Received-SPF and the"
        " tag. Those of others stay. A message with more than 100 of them is refused.",
    )
    trusted_networks: Networks = _option(
        "trusted_networks",
        several("addresses and networks", read_network, _network, Networks),
        ["127.0.0.0/8", "::1"],
        "Hosts of your own whose results are kept, in CIDR notation. Being exempt is not enough.",
    )


@dataclass(frozen=True, slots=True)
class Log:
    """[log]"""

    doc: ClassVar[str] = "The log: one line for each decision, with all facts that it rests on."

    target: str = _option(
        "target",
        word("auto", "syslog", "stderr"),
        "auto",
        '"syslog" (facility mail), "stderr", or "auto": syslog, or stderr under a terminal.',
    )
    format: str = _option("format", word("logfmt", "json"), "logfmt", '"logfmt" (key=value) or "json".')
    decisions: str = _option(
        "decisions",
        word("all", "not-accepted", "refused"),
        "all",
        'Which decisions are logged: "all" (so that `rdns-milter replay` has something to work on), "not-accepted" or "refused".',
    )


@dataclass(frozen=True, slots=True)
class Metrics:
    """[metrics]"""

    doc: ClassVar[str] = "Numbers for a monitoring system."

    listen: Endpoint | None = _option(
        "listen",
        optional(parsed("HOST:PORT", parse_host_port)),
        "",
        '"127.0.0.1:9415" serves Prometheus text at /metrics and liveness at /healthz. Empty: nothing is served.',
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
    """The options of a section by the name of the attribute that holds the value, in their order."""
    return {item.name: item.metadata["option"] for item in fields(section)}
