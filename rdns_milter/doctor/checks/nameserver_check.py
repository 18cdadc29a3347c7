"""Judge what the name servers did when nameserver_probe.py asked them.

Pure. A server that is down matters most: without any that answers, the milter stands aside.

RFC 7208 section 11.3 and RFC 5782 section 2.1 (why answers must be true), RFC 4035 (DNSSEC), RFC 5782 section 5 (DNS lists).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ...net.endpoints import Endpoint
from ...net.names import parse_address
from ...net.networks import Networks, parse_network
from ..finding import Finding, bad, ok, warn
from ..nameserver_probe import EVERYBODY, FINE, NO_ENTRY, REFUSED, Probe

SUBJECT = "name server"
SLOW = 200.0  # milliseconds for a name that the server has just been asked for
_STUBS = ("127.0.0.53", "127.0.0.54")
# Open resolvers that very many use: DNS lists and some senders' servers limit or refuse them.
PUBLIC = Networks(
    map(
        parse_network,
        (
            "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112", "208.67.222.222", "208.67.220.220",
            "2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111", "2606:4700:4700::1001", "2620:fe::fe",
            # From where they ask: Google, Cloudflare, Quad9, OpenDNS.
            "74.125.0.0/16", "172.217.0.0/16", "172.253.0.0/16", "173.194.0.0/16", "172.68.0.0/14", "162.158.0.0/15",
            "74.63.16.0/20", "66.185.112.0/20", "146.112.0.0/16", "208.69.32.0/21",
        ),
    )
)  # fmt: skip
OWN_RESOLVER = (
    "apt install -y unbound   # a resolver of your own, which caches and validates",
    'in the config file, section [dns]: nameservers = ["127.0.0.1"]',
    "systemctl reload-or-restart rdns-milter",
)


def check_nameservers(probes: Sequence[Probe], stubs: Collection[str] = _STUBS) -> Iterator[Finding]:
    """Yield the findings on each server. `stubs`: the addresses of systemd-resolved."""
    if not probes:
        yield bad(
            SUBJECT, "there is none: neither dns.nameservers nor /etc/resolv.conf names a usable one", *OWN_RESOLVER
        )
    for probe in probes:
        yield from _of_server(probe, stubs, only=len(probes) == 1)


def _of_server(probe: Probe, stubs: Collection[str], only: bool) -> Iterator[Finding]:
    server = probe.server
    if probe.trouble:
        level = bad if only else warn
        yield level(SUBJECT, f"{server}: {probe.trouble}", *OWN_RESOLVER)
        return
    yield ok(SUBJECT, f"{server} answers in {probe.ms:.0f} ms")
    if probe.ms > SLOW:
        yield warn(
            SUBJECT, f"{server} is slow: {probe.ms:.0f} ms for a name that it has just been asked for", *OWN_RESOLVER
        )
    if probe.invented:
        yield bad(
            SUBJECT,
            f"{server} invents answers: it has an address for {probe.invented}, which does not exist; no fact can rest on it",
            *OWN_RESOLVER,
        )
    if not probe.tcp:
        yield bad(SUBJECT, f"{server} does not answer over TCP: long SPF records cannot be read", *OWN_RESOLVER)
    if not probe.validates:
        yield warn(SUBJECT, f"{server} does not validate (DNSSEC): forged answers are not found out", *OWN_RESOLVER)
    address = parse_address(server.host)
    if server.host in stubs:
        yield warn(
            SUBJECT, f"{server} is systemd-resolved's stub, which forwards to the servers of the network", *OWN_RESOLVER
        )
    elif address is not None and address in PUBLIC:
        yield warn(
            SUBJECT,
            f"{server} is a big public resolver: senders' servers and DNS lists limit or refuse it",
            *OWN_RESOLVER,
        )
    elif probe.egress is not None and probe.egress in PUBLIC:
        yield warn(
            SUBJECT,
            f"{server} forwards to a big public resolver ({probe.egress}), which DNS lists limit or refuse",
            *OWN_RESOLVER,
        )
    for zone, state in probe.dns_lists:
        yield from _of_dns_list(server, zone, state)
    for domain in probe.without_spf:
        yield warn(
            SUBJECT,
            f"{server}: {domain} has no SPF record: the conditions client_spf that name it never hold",
            "rdns-milter config --lint   # names the rules",
        )


def _of_dns_list(server: Endpoint, zone: str, state: str) -> Iterator[Finding]:
    name = f"{server}: the DNS list {zone}"
    if state == FINE:
        yield ok(SUBJECT, f"{name} answers")
    elif state == REFUSED:
        yield bad(
            SUBJECT,
            f"{name} refuses this server: conditions dnslist that name it do not hold, and mail that they could save is deferred",
            *OWN_RESOLVER,
        )
    elif state == EVERYBODY:
        yield bad(
            SUBJECT,
            f"{name} has every address, 127.0.0.1 too: it has been given up, or its domain has another owner",
            "in the config file: remove the list from [dnslists], and the rules that name it",
            "systemctl reload-or-restart rdns-milter",
        )
    elif state == NO_ENTRY:
        yield warn(
            SUBJECT,
            f"{name} does not have 127.0.0.2, which every list has for tests: the domain is wrong, or the list has been given up",
            "in the config file, section [dnslists]: the domain that the operator of the list names",
            "systemctl reload-or-restart rdns-milter",
        )
    else:
        yield warn(SUBJECT, f"{name} could not be asked: {state}", *OWN_RESOLVER)
