"""The sections about the service itself: its socket and processes, DNS, the log and the metrics.

Declares options only; no I/O. Sections, keys, their order and the defaults are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import ClassVar

from ...net.endpoints import Endpoint, SocketAddress, parse_host_port, parse_nameserver, parse_socket_address
from ...net.nat64 import parse_prefix
from ...policy.rules import MODES
from ..option_types import list_of, matching, octal, one_of, option, optional, seconds, string, whole_number

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
