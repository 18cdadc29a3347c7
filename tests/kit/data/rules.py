"""Short ways to write conditions and rules, and a client to judge by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rdns_milter.checks.evidence import FACTS, Evidence, Generic, Helo, Iprev, Spf
from rdns_milter.config.sections.dns_lists import dns_list_type
from rdns_milter.net.names import parse_address
from rdns_milter.net.networks import Networks, parse_network
from rdns_milter.policy.rules import Condition, Domains, Listings, Mailboxes, Names, Words

CLIENT = Evidence(
    client=parse_address("192.0.2.7"),
    helo_name="MX.Example.com.",
    mailfrom="Anna@Example.com",
    rcpt="bob@example.net",
    iprev=Iprev("fail", "not-confirmed", (), ("pool-7.isp.example",), 1),
    generic=Generic("yes"),
    helo=Helo("fqdn", "no", "fail", "different"),
    spf_helo=Spf("none"),
    spf_mailfrom=Spf("softfail"),
    mailfrom_match="aligned",
)
CONFIRMED = replace(CLIENT, iprev=Iprev("pass", "confirmed", ("mx.example.com",), ("mx.example.com",), 1))


def asks(**conditions: Any) -> tuple[Condition, ...]:
    """Return a condition for each argument. The words of a fact are given as one text, separated by blanks."""
    return tuple(
        Condition(name, Words(frozenset(values.split())) if name in FACTS else values)
        for name, values in conditions.items()
    )


def client(*texts: str) -> Networks:
    """Return networks for the condition `client`."""
    return Networks(map(parse_network, texts))


def exact(*names: str) -> Names:
    """Return exact host names."""
    return Names(exact=frozenset(names))


def below(*suffixes: str) -> Names:
    """Return suffixes of host names."""
    return Names(suffixes=frozenset(suffixes))


def boxes(*addresses: str, local: str = "", domains: Names | None = None, null: bool = False) -> Mailboxes:
    """Return mailboxes for the conditions `mailfrom` and `rcpt`."""
    return Mailboxes(frozenset(addresses), frozenset((local,) if local else ()), domains or Names(), null)


def providers(*names: str) -> Domains:
    """Return domains for the condition `client_spf`."""
    return Domains(frozenset(names))


def listed(*entries: str) -> Listings:
    """Return entries for the condition `dnslist`, as in a configuration with the lists "wl" and "bl"."""
    kind = dns_list_type({"wl": "wl.example", "bl": "bl.example"})
    return Listings(frozenset(map(kind.read, entries)))
