"""Which name servers to ask: those of the config, else those of the system.

Reads resolv.conf by dnspython and turns each of its ways to fail into one sentence. Asks nobody.

resolv.conf(5).
"""

from __future__ import annotations

from collections.abc import Sequence

import dns.exception
import dns.resolver

from .endpoints import DNS_PORT, Endpoint
from .names import parse_address


class NoNameservers(Exception):
    """There is nobody to ask; the text says why."""


def nameservers(configured: Sequence[Endpoint], resolv_conf: str = "/etc/resolv.conf") -> tuple[Endpoint, ...]:
    """The configured servers, or, if there are none, the system's. Raises NoNameservers."""
    if configured:
        return tuple(configured)
    try:
        found = dns.resolver.Resolver(resolv_conf).nameservers
    except (dns.exception.DNSException, OSError, ValueError) as error:
        raise NoNameservers(f"{resolv_conf} names no usable name server ({error}); set dns.nameservers") from error
    system = tuple(Endpoint(host, DNS_PORT) for host in map(str, found) if parse_address(host) is not None)
    if not system:
        raise NoNameservers(f"{resolv_conf} names no usable name server; set dns.nameservers")
    return system
