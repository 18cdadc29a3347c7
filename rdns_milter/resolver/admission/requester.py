"""The accounts on which a DNS query counts: the client, the zone of the name in question, and, for a query of SPF, the sender's
domain and SPF as a whole.

Pure. admission/shares.py has the number of queries that each account may have in progress.

RFC 6177 2 (an IPv6 site has at least a /64).
"""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import NamedTuple

from ...net.alignment import organizational_domain
from ...net.names import Address
from .fair_queue import Owner
from .silent_zones import zone_of

_IPV6_PREFIX = 64


class Requester(NamedTuple):
    """The check that sends queries. `client`: the client's address, or the /64 network of an IPv6 address; `identity`: for SPF the
    domain of the identity, else ""; `low_priority`: True once the check has sent more queries than an ordinary check does: the
    answers are then processed after all other work."""

    client: str = ""
    identity: str = ""
    low_priority: bool = False

    @property
    def sender(self) -> str:
        """For SPF the organizational domain of the identity, else ""."""
        return organizational_domain(self.identity) or self.identity

    def owners_of(self, name: str) -> tuple[Owner, ...]:
        """Return the accounts for a query about a name."""
        client = (("client", self.client),) if self.client else ()
        spf = (("sender", self.sender), ("spf", "")) if self.identity else ()
        return (*client, *spf, ("zone", zone_of(name)))


ANONYMOUS = Requester()


def requester(address: Address, identity: str = "") -> Requester:
    """Return the requester for a check of a client. `identity`: for SPF the domain of the identity."""
    client = str(IPv6Network((address, _IPV6_PREFIX), strict=False)) if address.version == 6 else str(address)
    return Requester(client, identity)


def sender_of(owners: tuple[Owner, ...]) -> str:
    """Return the sender's domain among the accounts of a query; "" if SPF did not send it."""
    return next((name for kind, name in owners if kind == "sender"), "")
