"""Relays, through the running milter and the commands: the client named by the relay's Received field is judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rdns_milter.analysis.forecast import Forecast, Forecaster, warnings
from rdns_milter.cli.main import main
from rdns_milter.config.load import load
from rdns_milter.logs.mta_deliveries import ACCEPTED, Delivery
from rdns_milter.net.endpoints import parse_nameserver
from rdns_milter.text.exit_status import EX_USAGE
from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, LIAR, OWN_NAME, part
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import HEADERS, Headers
from tests.kit.smtp.client_identity import Client

RELAY, RELAY6 = Client("198.51.100.25"), Client("2001:db8:25::25")
RELAY_HELO = "backup.test.example"
RELAYS = {"networks": [RELAY.address, RELAY6.address]}
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "lies", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"},
    {"name": "trouble", "when": {"iprev": "temperror"}, "action": "tempfail"},
]
CONFIG: dict[str, dict[str, Any]] = {
    "headers": {"authserv_id": OWN_NAME},
    "relays": RELAYS,
    "milter": {"deadline": 2.0},
    "dns": {"timeout": 0.4},
}


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(CONFIG, RULES, server) as running:
        yield running
        assert [line for line in running.log().split("\n") if "internal error" in line] == []


def received(client: Client, helo: str = GOOD_HELO) -> Headers:
    """Return the relay's field, as Postfix writes it, before others."""
    address = f"IPv6:{client.address}" if ":" in client.address else client.address
    return [
        ("Received", f"from {helo} (unknown [{address}])\n\tby {RELAY_HELO} (Postfix) with ESMTP id 1; D"),
        *HEADERS,
    ]


@pytest.mark.parametrize("relay", [RELAY, RELAY6])
@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_a_relayed_message(daemon: Daemon, relay: Client, mta: str) -> None:
    message: dict[str, Any] = {"client": relay, "helo": RELAY_HELO, "mailfrom": GOOD_FROM, "mta": mta}
    outcome, (decision,) = daemon.judge(**message, headers=received(GOOD))
    assert outcome.accepted
    expected = {
        "action": "accept",
        "rule": "default",
        "client": GOOD.address,
        "via": relay.address,
        "spf_mailfrom": "pass",
    }
    assert part(decision, *expected) == expected
    assert f"policy.iprev={GOOD.address}" in outcome.header("Authentication-Results")[0]
    outcome, (decision,) = daemon.judge(**message, headers=received(LIAR))
    assert outcome.accepted
    expected = {"action": "tag", "rule": "lies", "client": LIAR.address, "via": relay.address, "would": "reject"}
    assert part(decision, *expected) == expected
    (tag,) = outcome.header("X-Rdns-Milter")
    assert " ".join(tag.split()).startswith("tag rule=lies would=reject iprev=fail ")


def test_recipients_of_a_relayed_message(daemon: Daemon) -> None:
    rcpts = ["b@rcpt.example", "postmaster@rcpt.example", "c@rcpt.example"]
    outcome, decisions = daemon.judge(2, client=RELAY, helo=RELAY_HELO, rcpts=rcpts, headers=received(LIAR))
    assert {reply.action for reply in outcome.rcpts} == {"continue"}
    assert {(each["action"], each["rcpt"]) for each in decisions} == {
        ("tag", "b@rcpt.example,c@rcpt.example"),
        ("accept", "postmaster@rcpt.example"),
    }


def test_dns_trouble_of_a_relayed_message(daemon: Daemon) -> None:
    client = Client("192.0.2.66")
    outcome, (decision,) = daemon.judge(client=RELAY, helo=RELAY_HELO, headers=received(client))
    assert outcome.accepted
    expected = {"action": "tag", "rule": "trouble", "would": "tempfail", "client": client.address}
    assert part(decision, *expected) == expected


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        [("Received", "from a (unknown [192.0.2.7]) by mail.elsewhere.example with ESMTP; D")],
        [("Received", "from a (" + "(" * 60_000)],
        [("Received", "from a (" + " [192.0.2.7]" * 5_000)],
        [("Received", b"\xff\xfe (\xff [192.0.2.7])")],
        [("Received", "")] * 200,
        [("Received", f"(qmail {number} invoked from network); D") for number in range(500)],
    ],
)
def test_hostile_and_missing_fields(daemon: Daemon, headers: Headers) -> None:
    outcome, (decision,) = daemon.judge(client=RELAY, helo=RELAY_HELO, headers=headers)
    assert outcome.accepted
    assert part(decision, "action", "rule", "client") == {
        "action": "accept",
        "rule": "exempt:relay",
        "client": RELAY.address,
    }


def test_a_field_with_bytes_that_are_no_text(daemon: Daemon) -> None:
    headers = [
        ("Received", b"from \xff\xe9 (unknown [192.0.2.7])\n\tby backup.test.example with ESMTP id 1; D"),
        *HEADERS,
    ]
    _, (decision,) = daemon.judge(client=RELAY, helo=RELAY_HELO, headers=headers)
    expected = {"client": LIAR.address, "helo_name": "\udcff\udce9", "helo_kind": "invalid", "action": "tag"}
    assert part(decision, *expected) == expected


def test_without_the_search_for_forged_results_the_fields_are_asked_for_all_the_same(server: NameServer) -> None:
    config = {**CONFIG, "headers": {"authserv_id": OWN_NAME, "remove_forged": False}}
    with Daemon(config, RULES, server) as running:
        _, (decision,) = running.judge(client=RELAY, helo=RELAY_HELO, headers=received(GOOD))
        assert part(decision, "client", "via") == {"client": GOOD.address, "via": RELAY.address}


def test_a_reload_makes_a_client_a_relay(server: NameServer) -> None:
    with Daemon({**CONFIG, "relays": {}}, RULES, server) as running:
        message: dict[str, Any] = {"client": RELAY, "helo": RELAY_HELO, "headers": received(GOOD)}
        outcome, (decision,) = running.judge(**message)
        assert part(decision, "action", "client", "via") == {"action": "reject", "client": RELAY.address, "via": ""}
        assert not outcome.accepted
        running.reload(CONFIG, RULES)
        running.wait_for_workers()
        for _ in range(50):
            outcome, (decision,) = running.judge(**message)
            if decision["via"]:
                break
        assert part(decision, "action", "client", "via") == {
            "action": "accept",
            "client": GOOD.address,
            "via": RELAY.address,
        }


def test_check_of_a_client_behind_a_relay(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "-c", str(daemon.path), LIAR.address, "--helo", GOOD_HELO, "--via", RELAY.address]
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    expected = {
        "action": "tag",
        "would": "reject",
        "client": LIAR.address,
        "via": RELAY.address,
        "helo_name": GOOD_HELO,
    }
    assert part(document["evidence"], *expected) == expected
    assert {query["type"] for query in document["queries"]} >= {"PTR", "A", "TXT"}
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Client {LIAR.address} behind the relay {RELAY.address}\n")
    assert "tag because the message comes through a relay, although rule lies would reject" in printed
    assert main(["check", "-c", str(daemon.path), RELAY.address]) == 0
    assert "accept by rule exempt:relay" in capsys.readouterr().out


@pytest.mark.parametrize("relay", ["192.0.2.1", "nonsense", "198.51.100.0/24"])
def test_check_takes_relays_only(daemon: Daemon, capsys: pytest.CaptureFixture[str], relay: str) -> None:
    assert main(["check", "-c", str(daemon.path), "192.0.2.7", "--via", relay]) == EX_USAGE
    assert relay in capsys.readouterr().err


def test_forecast_says_what_it_cannot_know(daemon: Daemon, server: NameServer) -> None:
    config = load(str(daemon.path))
    direct = Delivery(LIAR.address, "x.example", "a@liar.example", ("b@rcpt.example",), False, ACCEPTED)
    with Forecaster(config, [parse_nameserver(server.hostport)], date(2026, 12, 1)) as forecaster:
        forecast = Forecast(forecaster.policy)
        for delivery in (direct, replace(direct, client=RELAY.address)):
            forecast.add(forecaster.judge(delivery), 1)
    assert forecast.rules == {("lies", "reject"): 1, ("exempt:relay", "accept"): 1}
    assert forecast.relayed == 1
    assert any("1 verdicts are on mail that comes through a relay" in text for text in warnings(forecast, config, 0))
