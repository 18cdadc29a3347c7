"""The section [dns]: name servers, times and limits of queries, the cache, and translated addresses.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import ClassVar

from ...net.endpoints import Endpoint, parse_nameserver
from ...net.nat64 import parse_prefix
from ..option_types import list_of, option, seconds, whole_number


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
