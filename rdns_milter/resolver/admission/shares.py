"""Shares: how many DNS queries one client, one sender's domain, one zone, and SPF as a whole may have in progress.

Pure. Each share is smaller than all places together, so that the PTR and A queries of a new client always find a place.

RFC 7208 4.6.4 (one message may lead to more than two hundred queries).
"""

from __future__ import annotations

from .fair_queue import Capacity

# One client, one sender's domain and one zone may each hold this fraction of all places: 1/20, 1/10, 1/10.
CLIENT, SENDER, ZONE = 20, 10, 10
# Percent of all places for SPF of all messages together. The others are for PTR, and for A of PTR and HELO names.
SPF_PERCENT = 75
LEAST = 4  # places in each share, however few places there are in all
WAITING = 10  # queries that may wait, for each place
WAITING_EACH = 10  # queries of one client that may wait, for each place in its share


def capacity(places: int) -> Capacity:
    """Return the shares of this number of places."""
    limits = {
        "client": max(LEAST, places // CLIENT),
        "sender": max(LEAST, places // SENDER),
        "zone": max(LEAST, places // ZONE),
        "spf": max(1, places * SPF_PERCENT // 100),
    }
    return Capacity(places, limits, WAITING * places, WAITING_EACH * limits["client"])
