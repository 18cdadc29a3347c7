"""Other clients of a milter that is being flooded: good ones, and bad ones that the default rules must refuse.

zone = Zone(other_clients.zone(), floods.zone())
outcomes = send(daemon.spec, first=0)
assert outcomes.accepted == len(outcomes.good)
"""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from tests.kit.dns.zone_text import Listing
from tests.kit.milter.transaction import Outcome, deliver
from tests.kit.smtp.client_identity import Client

GOOD = 400  # good clients, each with names of its own
AT_ONCE = 4
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)
NOT_EXEMPT: dict[str, dict[str, Any]] = {"exempt": {"networks": []}}


def good_address(number: int) -> str:
    """Return the address of a good client."""
    return f"198.51.{100 + number // 200}.{number % 200 + 1}"


def zone() -> Listing:
    """Return the records of the good clients. The bad ones, 192.0.2.0/24, have none."""
    known: dict[str, Any] = {}
    for number in range(GOOD):
        host = f"mail.g{number}.example"
        known[good_address(number)] = [("PTR", host)]
        known[host] = [("A", good_address(number)), ("TXT", "v=spf1 a -all")]
        known[f"g{number}.example"] = [("TXT", f"v=spf1 include:spf.g{number}.example -all")]
        known[f"spf.g{number}.example"] = [("TXT", f"v=spf1 a:{host} -all")]
    return known


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of the messages of good and of bad clients."""

    good: list[Outcome]
    bad: list[Outcome]

    @property
    def p95(self) -> float:
        """The 95th percentile of the seconds that a good message waited."""
        return statistics.quantiles([outcome.seconds() for outcome in self.good], n=20)[-1]

    @property
    def accepted(self) -> int:
        """The number of accepted messages of good clients."""
        return sum(outcome.accepted for outcome in self.good)

    @property
    def refused(self) -> int:
        """The number of refused messages of bad clients."""
        return sum(outcome.verdict.code == 550 for outcome in self.bad)


def send(spec: str, first: int, count: int = 40) -> Outcomes:
    """Send this many messages of each kind, from clients that were never seen before."""

    def good(number: int) -> Outcome:
        helo = f"mail.g{number}.example"
        return deliver(spec, client=Client(good_address(number)), helo=helo, mailfrom=f"a@g{number}.example")

    def bad(number: int) -> Outcome:
        name = f"nothing{number}.example"
        return deliver(spec, client=Client(f"192.0.2.{number % 250}"), helo=name, mailfrom=f"a@{name}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pairs = list(pool.map(lambda number: (good(number), bad(number)), range(first, first + count)))
    return Outcomes([one for one, _ in pairs], [other for _, other in pairs])
