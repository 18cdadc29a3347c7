"""Floods of questions that DNS does not answer, through the running milter with its default rules, while other clients send.

One client, or one sender's silent zone, must not delay or change the judgement of others: bad clients are refused each time, good
ones are judged by their facts, and the 95th percentile of their waits beside the flood is at most SLOWER times that of a quiet
phase of the same run. A busy machine may delay single messages: if the first phase beside a flood fails, the two that follow must
hold. Without fairness good clients wait for up to the whole deadline.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rdns_milter.monitoring.alarms import CROWDED_OUT, FACTS_LATE
from rdns_milter.monitoring.congestion import MIN_MESSAGES, MIN_QUESTIONS
from tests.kit.data.metrics_page import fetch, healthy, page
from tests.kit.dns.nameserver_process import NameServerProcess
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.endpoint import free_port
from tests.kit.smtp import floods, other_clients
from tests.kit.smtp.floods import Flood, Run
from tests.kit.smtp.other_clients import DEFAULT_RULES, NOT_EXEMPT, Outcomes, send

SENDER = "fan.example"
SLOWER = 20  # measured: 7 times at most; without shares 22 to 130 times in the first phase
PHASES = 3
COUNT = 40  # messages of each kind in a phase


@pytest.fixture(scope="module")
def server() -> Iterator[NameServerProcess]:
    with NameServerProcess(Zone(other_clients.zone(), floods.zone())) as running:
        yield running


@pytest.fixture
def daemon(server: NameServerProcess) -> Iterator[Daemon]:
    with Daemon(NOT_EXEMPT, DEFAULT_RULES, server.hostport) as running:
        yield running


@pytest.mark.parametrize(
    ("run", "rate", "rounds"),
    [
        (floods.mail_and_reset, 12, 90),
        (floods.mail_and_reset, 60, 200),
        (floods.greetings, 0, 300),
        (floods.ordinary, 7, 50),
        (floods.ordinary, 35, 150),
        (floods.unique_names, 0, 300),
        (floods.reverse_names, 0, 500),
        (floods.one_network, 0, 500),
        (floods.recipients, 0, 3000),
        (floods.idle, 0, floods.IDLE + 1),
    ],
    ids=[
        *("mail-12", "mail-60", "greetings", "ordinary-7", "ordinary-35", "unique-names"),
        *("reverse-names", "one-network", "recipients", "idle"),
    ],
)
def test_a_flood(daemon: Daemon, run: Run, rate: float, rounds: int) -> None:
    quiet = send(daemon.spec, 0, COUNT)
    check_judged(daemon, quiet, 2 * COUNT)
    slower: list[float] = []
    for phase in range(1, PHASES + 1):
        with Flood(run, daemon.spec, rate) as flood:
            flood.wait(rounds)
            beside = send(daemon.spec, phase * COUNT, COUNT)
            flood.wait(1)
        print(f"p95 {quiet.p95:.3f} s quiet, {beside.p95:.3f} s beside {flood.rounds} rounds")
        check_judged(daemon, beside, 2 * COUNT * (phase + 1))
        slower.append(beside.p95 / quiet.p95)
        if slower[0] < SLOWER:
            return
    assert max(slower[1:]) < SLOWER, slower


def check_judged(daemon: Daemon, outcomes: Outcomes, total: int) -> None:
    """Check that bad messages were refused and good ones accepted with all their facts; `total`: all decisions so far on both."""
    assert outcomes.refused == len(outcomes.bad)
    assert outcomes.accepted == len(outcomes.good)
    decisions = [line for line in daemon.wait_for_decisions(total) if line["client"].startswith("198.51.")]
    facts = {(line["iprev"], line["helo"], line["spf_helo"], line["spf_mailfrom"]) for line in decisions}
    assert facts == {("pass", "pass", "pass", "pass")}
    assert [line for line in daemon.notices() if "internal error" in line] == []


@pytest.mark.parametrize(
    ("run", "name", "whose"),
    [
        (floods.greetings, CROWDED_OUT, "client 203.0.113.2 ("),
        (floods.mail_and_reset, CROWDED_OUT, "client 203.0.113.1 ("),
        (floods.ordinary, FACTS_LATE, ""),
    ],
    ids=["greetings", "mail", "ordinary"],
)
def test_the_log_says_whose_flood_it_is(server: NameServerProcess, run: Run, name: str, whose: str) -> None:
    """One alarm in some minutes, and a count in the metrics, without names; the milter is healthy all the while."""
    port = free_port()
    config = NOT_EXEMPT | {"metrics": {"listen": f"127.0.0.1:{port}"}}
    with Daemon(config, DEFAULT_RULES, server.hostport) as daemon:

        def alarms() -> list[str]:
            return [line for line in daemon.notices() if f"{name}: " in line]

        with Flood(run, daemon.spec, 60) as flood:
            (alarm,) = until(alarms, 60)
            assert healthy(port)
            flood.wait(60)
        assert f"most often for {whose}" in alarm
        assert f"for sender domain {SENDER} (" in alarm
        metrics = page(port)
        assert alarms() == [alarm]
        assert metrics.value("alarms_total", alarm=name) == 1
        if name == CROWDED_OUT:
            assert metrics.value("dns_crowded_out_total") >= MIN_QUESTIONS
        else:
            assert metrics.value("late_facts_total", fact="spf_mailfrom") >= MIN_MESSAGES
        assert SENDER not in fetch(port, "/metrics").text
