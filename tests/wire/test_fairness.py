"""One client, or one sender's dead zone, costs others nothing: floods of questions that DNS does not answer, through the running
milter with its default rules, while other clients send. Those that must be refused are refused each time, proper ones are judged
by their facts, and neither waits much longer than in a quiet hour.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from rdns_milter.config import BUILT_IN, parse
from rdns_milter.sample import sample
from tests.kit import floods
from tests.kit.apart import NameServerApart
from tests.kit.client import Client
from tests.kit.daemon import Daemon
from tests.kit.floods import Flood, Run
from tests.kit.mta import Outcome, deliver
from tests.kit.zone import Zone

GOOD = 400  # clients of whom everything is in order, each with names of its own
AT_ONCE = 4
MORE = (
    2.0  # seconds; without fairness others waited for the whole deadline. The benchmark holds the bar of half a second
)
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)


def good_address(number: int) -> str:
    return f"198.51.{100 + number // 200}.{number % 200 + 1}"


def records() -> dict[str, Any]:
    """Of the good. Nothing is known of the bad, 192.0.2.0/24."""
    known: dict[str, Any] = {}
    for number in range(GOOD):
        host = f"mail.g{number}.example"
        known[good_address(number)] = [("PTR", host)]
        known[host] = [("A", good_address(number)), ("TXT", "v=spf1 a -all")]
        known[f"g{number}.example"] = [("TXT", f"v=spf1 include:spf.g{number}.example -all")]
        known[f"spf.g{number}.example"] = [("TXT", f"v=spf1 a:{host} -all")]
    return known


@pytest.fixture(scope="module")
def server() -> Iterator[NameServerApart]:
    with NameServerApart(Zone(records(), floods.zone())) as running:
        yield running


@pytest.fixture
def daemon(server: NameServerApart) -> Iterator[Daemon]:
    with Daemon({"exempt": {"networks": []}}, DEFAULT_RULES, server.hostport) as running:
        yield running


@dataclass(frozen=True)
class Others:
    """What came of the messages of others."""

    good: list[Outcome]
    bad: list[Outcome]

    @property
    def p95(self) -> float:
        """Seconds that a good message waited, at most, but for one in twenty."""
        return statistics.quantiles([outcome.seconds() for outcome in self.good], n=20)[-1]


def send(daemon: Daemon, first: int, count: int = 40) -> Others:
    """So many messages of each kind, of clients that were never seen."""

    def good(number: int) -> Outcome:
        return deliver(
            daemon.spec,
            client=Client(good_address(number)),
            helo=f"mail.g{number}.example",
            mailfrom=f"a@g{number}.example",
        )

    def bad(number: int) -> Outcome:
        name = f"nothing{number}.example"
        return deliver(daemon.spec, client=Client(f"192.0.2.{number % 250}"), helo=name, mailfrom=f"a@{name}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pairs = list(pool.map(lambda number: (good(number), bad(number)), range(first, first + count)))
    return Others([one for one, _ in pairs], [other for _, other in pairs])


@pytest.mark.parametrize(
    ("run", "rate", "rounds"),
    [
        (floods.mail_and_reset, 12, 90),
        (floods.mail_and_reset, 60, 200),
        (floods.greetings, 0, 300),
        (floods.ordinary, 7, 50),
        (floods.ordinary, 35, 150),
        (floods.unique_names, 0, 300),
    ],
    ids=["mail-12", "mail-60", "greetings", "ordinary-7", "ordinary-35", "unique-names"],
)
def test_a_flood(daemon: Daemon, run: Run, rate: float, rounds: int) -> None:
    quiet = send(daemon, 0)
    with Flood(run, daemon.spec, rate) as flood:
        flood.wait(rounds)
        beside = send(daemon, 40)
        flood.wait(1)
    print(f"p95 {quiet.p95:.3f} s quiet, {beside.p95:.3f} s beside {flood.rounds} rounds")
    for others in (quiet, beside):
        assert {outcome.verdict.code for outcome in others.bad} == {550}
        assert all(outcome.accepted for outcome in others.good)
    decisions = [line for line in daemon.wait_for_decisions(160) if line["client"].startswith("198.51.")]
    facts = {(line["iprev"], line["helo"], line["spf_helo"], line["spf_mailfrom"]) for line in decisions}
    assert facts == {("pass", "pass", "pass", "pass")}
    assert beside.p95 < quiet.p95 + MORE
    assert [line for line in daemon.notices() if "internal error" in line] == []
