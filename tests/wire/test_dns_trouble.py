"""DNS that fails, is silent or is late, through the running milter: nothing is refused for it, no message waits longer than the
deadline, and the same question is asked once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from rdns_milter.config.load import parse as parse_config
from rdns_milter.config.sample import sample
from tests.kit.data.scenario import GOOD, GOOD_HELO, LATE, SILENT, TROUBLED, ZONE
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import Conversation, burst, deliver
from tests.kit.smtp.client_identity import Client

RESULTS = "Authentication-Results"
DEFAULT_RULES = "\n\n".join(parse_config(sample(), "").rules)
STRICT: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "strict", "unless": {"iprev": "pass"}, "action": "reject"},
]


@pytest.fixture(scope="module")
def default(server: NameServer) -> Iterator[Daemon]:
    """The default rules, and a short deadline."""
    config: dict[str, dict[str, Any]] = {"milter": {"deadline": 0.6}, "dns": {"timeout": 5.0}}
    with Daemon(config, DEFAULT_RULES, server) as running:
        yield running


@pytest.mark.parametrize("client", [TROUBLED, SILENT], ids=lambda client: client.address)
@pytest.mark.parametrize("word", ["trouble", "silent"])
def test_trouble_never_refuses(default: Daemon, client: Client, word: str) -> None:
    outcome, (decision,) = default.judge(client=client, helo=f"mail.{word}.example", mailfrom=f"a@{word}.example")
    assert outcome.accepted
    facts = {key: decision[key] for key in ("iprev", "helo", "spf_helo", "spf_mailfrom")}
    assert facts == dict.fromkeys(facts, "temperror")
    (results,) = outcome.header(RESULTS)
    assert "iprev=temperror" in results
    assert results.count("spf=temperror") == 2


def test_no_longer_than_the_deadline(default: Daemon) -> None:
    _, (decision,) = default.judge(client=SILENT, helo="silent.example", mailfrom="x@silent.example")
    assert decision["iprev_reason"] == "deadline"
    assert float(decision["waited_ms"]) >= 500


def test_an_exempt_recipient_does_not_wait(server: NameServer) -> None:
    with Daemon({"milter": {"deadline": 2.0}, "dns": {"timeout": 10.0}}, STRICT, server) as daemon:
        outcome = deliver(daemon.spec, client=SILENT, rcpts=["postmaster@rcpt.example", "b@rcpt.example"])
    assert [reply.code for reply in outcome.rcpts] == [0, 451]
    spared, deferred = (step.seconds for step in outcome.steps if step.stage == "rcpt")
    assert spared < deferred


def test_a_burst_of_waiting_sessions(server: NameServer) -> None:
    """All get the reply that one gets. That none waits for others: tests/wire/test_concurrent_clients.py."""
    with Daemon({"milter": {"deadline": 1.0}, "dns": {"timeout": 10.0}}, STRICT, server) as daemon:
        outcomes = burst([partial(deliver, daemon.spec, client=SILENT) for _ in range(30)])
        assert [outcome.verdict.code for outcome in outcomes] == [451] * 30
        decisions = daemon.wait_for_decisions(30)
    assert {decision["iprev_reason"] for decision in decisions} == {"deadline"}


def test_the_name_server_is_away(default: Daemon) -> None:
    with NameServer(Zone(ZONE)) as gone:
        address = gone.hostport
    with Daemon({}, DEFAULT_RULES, address) as daemon:
        outcome, (decision,) = daemon.judge(client=GOOD, helo=GOOD_HELO)
    assert outcome.accepted
    assert (decision["iprev"], decision["helo"], decision["spf_mailfrom"]) == ("temperror",) * 3


@pytest.fixture
def counting() -> Iterator[NameServer]:
    """A name server that only one test uses."""
    with NameServer(Zone(ZONE)) as running:
        yield running


def test_the_same_question_is_asked_once(counting: NameServer) -> None:
    message: dict[str, Any] = {"client": LATE, "helo": "mail.late.example", "mailfrom": "a@late.example"}
    with Daemon(rules=STRICT, nameserver=counting) as daemon:
        outcomes = burst([partial(deliver, daemon.spec, **message) for _ in range(5)])
        decisions = daemon.wait_for_decisions(5)
        assert all(outcome.accepted for outcome in outcomes)
        assert set(counting.queries.counter.values()) == {1}
        # PTR and its A; A and TXT of the greeting, and its A; TXT of the sender, and its A.
        assert max(int(decision["queries"]) for decision in decisions) == 7
        # One of them asked, the others joined or had it from the cache.
        asked = sum(int(decision["queries"]) - int(decision["cached"]) for decision in decisions)
        assert asked == len(counting.queries) == 4
        assert max(float(decision["dns_ms"]) for decision in decisions) >= 250
        _, decisions = daemon.judge(**message)
        assert (decisions[0]["queries"], decisions[0]["cached"], decisions[0]["dns_ms"]) == ("0", "0", "0")
        assert len(counting.queries) == 4


def test_a_client_that_only_connects(counting: NameServer) -> None:
    """Only the reverse name is looked up, and nothing more once the client has closed the connection."""
    with Daemon(rules=STRICT, nameserver=counting) as daemon:
        with Conversation(daemon.spec) as dialogue:
            dialogue.connect(LATE.hostname, LATE.address)
            assert counting.queries.wait(1, LATE.address, "PTR")
            assert counting.queries.wait(1, "mail.late.example", "A")
        assert len(counting.queries) == 2
        assert daemon.judge(client=GOOD)[0].accepted
