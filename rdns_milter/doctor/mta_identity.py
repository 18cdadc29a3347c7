"""The names and addresses by which the MTA of this host shows itself to others: its HELO name, sender domains, source addresses.

Reads the MTA's configuration; asks no DNS, judges nothing.

postconf(5) (smtp_helo_name, smtp_bind_address, inet_interfaces), Sendmail Installation and Operation Guide 5.1 ($j, $M).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ..net.alignment import organizational_domain
from ..net.names import canonical, parse_address
from .checks.sendmail_check import SENDMAIL_CF
from .host import Host
from .own_addresses import OwnAddress
from .postfix_settings import PostfixSettings, Service, read_postfix

_BOUND = {4: "smtp_bind_address", 6: "smtp_bind_address6"}
_PROTOCOLS = {4: ("ipv4", "all"), 6: ("ipv6", "all")}
_NO_SERVICE = Service("smtp", "unix", False, "smtp")
# What sendmail(8) prints with -d0.1, and how sendmail.cf sets the name if the administrator has.
_J_PRINTED = re.compile(r"\$j = (\S+)")
_J_WRITTEN = re.compile(r"^Dj([^\s$]+)$", re.MULTILINE)
_MASQUERADE = re.compile(r"^DM([^\s$]+)$", re.MULTILINE)
_CLIENT_PORT = re.compile(r"^O\s+ClientPortOptions\s*=.*?\bA(?:ddr(?:ess)?)?=([0-9A-Fa-f.:]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Name:
    """A name, and the setting it comes from."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Identity:
    """`senders`: the domains of the host's own mail; `bound`: source addresses that the configuration sets; `families`: the IP
    versions that the MTA uses."""

    helo: Name
    senders: tuple[Name, ...]
    bound: tuple[OwnAddress, ...] = ()
    families: frozenset[int] = frozenset((4, 6))


def mta_identity(host: Host, sendmail_cf: str = SENDMAIL_CF) -> Identity:
    """Return the identity of the MTA. If no MTA is set up, it is the name of this host."""
    settings = read_postfix(host)
    if settings is not None:
        return of_postfix(settings, host)
    text = host.text(sendmail_cf)
    if text is not None:
        return of_sendmail(text, host.output("sendmail", "-bt", "-d0.1") or "")
    name = Name(socket.gethostname(), "the name of the host")
    return Identity(name, (name,))


def of_postfix(settings: PostfixSettings, host: Host) -> Identity:
    """Return the identity that Postfix's smtp client has. `host`: for the file that myorigin may name."""
    service = next((each for each in settings.services if (each.name, each.type) == ("smtp", "unix")), _NO_SERVICE)
    own_name = settings.main.get("myhostname", "")
    helo = settings.of(service, "smtp_helo_name") or own_name
    domain, origin = settings.main.get("mydomain", ""), settings.main.get("myorigin", "")
    if origin.startswith("/"):
        origin = (host.text(origin) or "").strip()
    senders = [Name(origin or own_name, "myorigin" if origin else "myhostname")]
    # Postfix makes "com" of the host name "example.com".
    if organizational_domain(canonical(domain)) and canonical(origin) != canonical(domain):
        senders.append(Name(domain, "mydomain"))
    protocols = settings.main.get("inet_protocols", "all").replace(",", " ").split()
    families = frozenset(version for version, words in _PROTOCOLS.items() if {*words} & {*protocols})
    return Identity(
        Name(helo, "myhostname" if helo == own_name else "smtp_helo_name"),
        tuple(senders),
        tuple(_bound(settings, service)),
        families,
    )


def _bound(settings: PostfixSettings, service: Service) -> Iterator[OwnAddress]:
    """Yield the source addresses as Postfix finds them: those that are set, else the address in inet_interfaces if it is the only
    one of its IP version."""
    listed = settings.main.get("inet_interfaces", "").replace(",", " ").split()
    addresses = [parse_address(each.strip("[]")) for each in listed]
    for version, parameter in _BOUND.items():
        address = parse_address(settings.of(service, parameter).strip("[]"))
        if address is not None:
            yield OwnAddress(address, parameter)
        elif None not in addresses:
            same = [each for each in addresses if each is not None and each.version == version]
            if len(same) == 1 and not same[0].is_loopback:
                yield OwnAddress(same[0], "inet_interfaces")


def of_sendmail(text: str, printed: str) -> Identity:
    """Return the identity that Sendmail has. `text`: of sendmail.cf; `printed`: what `sendmail -bt -d0.1` prints."""
    match = _J_PRINTED.search(printed) or _J_WRITTEN.search(text)
    helo = Name(match[1], "$j") if match else Name(socket.gethostname(), "the name of the host")
    masquerade = _MASQUERADE.search(text)
    addresses = (parse_address(each) for each in _CLIENT_PORT.findall(text))
    return Identity(
        helo,
        (Name(masquerade[1], "MASQUERADE_AS") if masquerade else helo,),
        tuple(OwnAddress(each, "ClientPortOptions") for each in addresses if each and not each.is_unspecified),
    )
