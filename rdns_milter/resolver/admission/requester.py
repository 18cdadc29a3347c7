"""On whose account a DNS query is sent, and how many queries each account may have under way.

Pure. A query counts for its client, for the sender's domain if SPF sends it, and for the zone that it asks about. So none of these
can take all places of the others: the PTR and A queries of a new client always find one.

RFC 7208 4.6.4 (one message may lead to more than two hundred queries), RFC 6177 2 (an IPv6 site has a /64 at least).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network

from ...net.names import Address, organizational_domain
from .fair_queue import Capacity, Owner
from .silent_zones import zone_of

# One client, one sender's domain and one zone may each hold one in so many of all places.
CLIENT, SENDER, ZONE = 20, 10, 10
# Percent of all places for SPF of all messages together. The others are for PTR, and for A of PTR and HELO names.
SPF_PERCENT = 75
LEAST = 4  # places that each may hold, however few there are
WAITING = 10  # queries that may wait for a place, for each that may be under way
WAITING_EACH = 10  # likewise, of one client
_IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Requester:
    """`client`: its address, or the network of an IPv6 address; `sender`: for SPF the organizational domain of the identity;
    `owners`: the accounts for which each of its queries counts; `low_priority`: it has sent more queries than an ordinary check, so
    answers to it are processed after all other work."""

    client: str = ""
    sender: str = ""
    owners: tuple[Owner, ...] = ()
    low_priority: bool = False

    def owners_of(self, name: str) -> tuple[Owner, ...]:
        """Return the accounts for a query about a name."""
        return (*self.owners, ("zone", zone_of(name)))


ANONYMOUS = Requester()


def requester(address: Address, identity: str = "") -> Requester:
    """Return the requester for a client, or for SPF of an identity's domain and a client."""
    client = str(IPv6Network((address, _IPV6_PREFIX), strict=False)) if address.version == 6 else str(address)
    if not identity:
        return Requester(client, "", (("client", client),))
    sender = organizational_domain(identity) or identity
    return Requester(client, sender, (("client", client), ("sender", sender), ("spf", "")))


def sender_of(owners: tuple[Owner, ...]) -> str:
    """Return the sender's domain among the accounts of a query; "" if SPF did not send it."""
    return next((name for kind, name in owners if kind == "sender"), "")


def capacity(places: int) -> Capacity:
    """Return the limits for so many places."""
    limits = {
        "client": max(LEAST, places // CLIENT),
        "sender": max(LEAST, places // SENDER),
        "zone": max(LEAST, places // ZONE),
        "spf": max(1, places * SPF_PERCENT // 100),
    }
    return Capacity(places, limits, WAITING * places, WAITING_EACH * limits["client"])
