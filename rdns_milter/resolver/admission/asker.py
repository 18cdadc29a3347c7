"""On whose account a question to DNS is asked, and how many of the places each account may hold.

Pure. A question counts for the client, for the sender's domain if SPF asks it, and for the zone that it is about, so that none of
them can take the places of the others: a new client's PTR and A always find one.

RFC 7208 4.6.4 (one message may lead to more than two hundred questions), RFC 6177 2 (an IPv6 customer has a /64 at least).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network

from ...net.names import Address, organizational_domain
from .fair_queue import Capacity, Owner
from .silent_zones import zone_of

# Of all places one in so many may be held by: one client, one sender's domain, questions about one zone.
CLIENT, SENDER, ZONE = 20, 10, 10
SPF_PERCENT = (
    75  # of all places, for SPF of all messages together: the others are for PTR, and for A of PTR names and greetings
)
LEAST = 4  # places that each may hold, however few there are
WAITING = 10  # questions that may wait for a place, for each that may be under way
WAITING_EACH = 10  # likewise, of one client
_IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Asker:
    """`client`: the address, or the network of an IPv6 address; `sender`: the organizational domain of the identity, for SPF;
    `owners`: the accounts on which every question of it is entered; `behind`: it has asked more than an ordinary check does, so
    that the work for its answers comes after all else."""

    client: str = ""
    sender: str = ""
    owners: tuple[Owner, ...] = ()
    behind: bool = False

    def owners_of(self, name: str) -> tuple[Owner, ...]:
        """The accounts for a question about a name."""
        return (*self.owners, ("zone", zone_of(name)))


NOBODY = Asker()


def sender_of(owners: tuple[Owner, ...]) -> str:
    """The sender's domain among the accounts of a question; "" if SPF does not ask it."""
    return next((name for kind, name in owners if kind == "sender"), "")


def asker(address: Address, identity: str = "") -> Asker:
    """Who asks: a client, or SPF for a client and the domain of an identity."""
    client = str(IPv6Network((address, _IPV6_PREFIX), strict=False)) if address.version == 6 else str(address)
    if not identity:
        return Asker(client, "", (("client", client),))
    sender = organizational_domain(identity) or identity
    return Asker(client, sender, (("client", client), ("sender", sender), ("spf", "")))


def capacity(places: int) -> Capacity:
    """The limits for so many places."""
    limits = {
        "client": max(LEAST, places // CLIENT),
        "sender": max(LEAST, places // SENDER),
        "zone": max(LEAST, places // ZONE),
        "spf": max(1, places * SPF_PERCENT // 100),
    }
    return Capacity(places, limits, WAITING * places, WAITING_EACH * limits["client"])
