"""Floods: the effect of clients that cause as many DNS queries as SPF allows on other clients, compared with a quiet phase of the
same run.

Each flood has its own milter with the default rules. A rate, where given, is at least five times the rate at which good mail was
delayed before places for queries were shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tests.bench.table import table
from tests.kit.data.metrics_page import page
from tests.kit.dns.nameserver_process import NameServerProcess
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.endpoint import free_port
from tests.kit.smtp import floods, other_clients
from tests.kit.smtp.floods import Flood, Run

ALARMS = ("questions-crowded-out", "facts-too-late")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A flood. `rate`: rounds per second, 0 for as fast as the milter answers; `rounds`: rounds before other clients are measured
    during the flood."""

    name: str
    run: Run
    rate: float
    rounds: int


SCENARIOS = (
    Scenario("mail-60", floods.mail_and_reset, 60, 300),
    Scenario("mail-100", floods.mail_and_reset, 100, 500),
    Scenario("greetings", floods.greetings, 0, 1000),
    Scenario("ordinary-35", floods.ordinary, 35, 250),
    Scenario("unique-names", floods.unique_names, 0, 500),
    Scenario("reverse-names", floods.reverse_names, 0, 500),
    Scenario("one-network", floods.one_network, 0, 500),
    Scenario("recipients", floods.recipients, 0, 3000),
    Scenario("idle", floods.idle, 0, floods.IDLE + 1),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one run: seconds that good messages waited (95th percentile), in the quiet phase and during the flood; the number
    of messages of each kind during the flood, how many good ones were accepted, and how many bad ones were refused; rounds of the
    flood per second; questions without a place, late facts, and alarms of the whole run."""

    quiet: float
    beside: float
    messages: int
    accepted: int
    refused: int
    rounds: int
    crowded_out: int
    late: int
    alarms: int


def measure(scenario: Scenario, hostport: str, messages: int) -> Figures:
    """Measure one flood."""
    port = free_port()
    config = other_clients.NOT_EXEMPT | {"metrics": {"listen": f"127.0.0.1:{port}"}}
    with Daemon(config, other_clients.DEFAULT_RULES, hostport) as daemon:
        quiet = other_clients.send(daemon.spec, 0, messages)
        with Flood(scenario.run, daemon.spec, scenario.rate) as flood:
            flood.wait(scenario.rounds)
            beside = other_clients.send(daemon.spec, messages, messages)
            flood.wait(1)
            rounds = flood.rounds
        told = page(port)
        return Figures(
            quiet=quiet.p95,
            beside=beside.p95,
            messages=messages,
            accepted=beside.accepted,
            refused=beside.refused,
            rounds=rounds,
            crowded_out=int(told.value("dns_crowded_out_total")),
            late=int(told.value("late_facts_total")),
            alarms=int(sum(told.value("alarms_total", alarm=name) for name in ALARMS)),
        )


def run(messages: int, scenarios: Sequence[Scenario] = SCENARIOS) -> dict[str, Figures]:
    """Measure all floods, one after the other."""
    with NameServerProcess(Zone(other_clients.zone(), floods.zone())) as server:
        return {each.name: measure(each, server.hostport, messages) for each in scenarios}


def report(found: dict[str, Figures]) -> str:
    """Return the figures as a table."""
    head = ("flood", "rounds", "p95 quiet s", "beside s", "good accepted", "bad refused", "no place", "late", "alarms")
    rows = [
        (
            name,
            str(each.rounds),
            f"{each.quiet:.3f}",
            f"{each.beside:.3f}",
            f"{each.accepted}/{each.messages}",
            f"{each.refused}/{each.messages}",
            *map(str, (each.crowded_out, each.late, each.alarms)),
        )
        for name, each in found.items()
    ]
    return table([head, *rows])


def as_json(found: dict[str, Figures]) -> dict[str, object]:
    """Return the figures for the JSON file."""
    return {"floods": {name: asdict(each) for name, each in found.items()}}
