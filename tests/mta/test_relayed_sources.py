"""Rules with DNS lists and providers for mail that comes through a real Postfix, a relay of ours: DNS is asked about the client
behind it, not about the relay, and whatever the list answers, the relay has nothing to bounce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.replay import Replay
from rdns_milter.config.load import load
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.mta.postfix import installed
from tests.kit.smtp.client_identity import Client
from tests.mta.relayed import RELAY, Relayed, relayed

ZONE = """
40.2.0.192.bl.example  A  127.0.0.2
41.2.0.192.bl.example  A  127.0.0.11
42.2.0.192.bl.example  A  127.255.255.254
43.2.0.192.bl.example  A  203.0.113.80
44.2.0.192.bl.example  SERVFAIL
45.2.0.192.bl.example  SILENT
46.2.0.192.bl.example  A  127.0.0.2
46.2.0.192.bl.example  A  127.255.255.254
47.2.0.192.bl.example  A  127.0.0.9
47.2.0.192.bl.example  A  127.0.0.2
5.0.0.127.bl.example   A  127.0.0.2
*.8.0.0.0.8.b.d.0.1.0.0.2.bl.example  A  127.0.0.2
_spf.bulk.example      TXT  "v=spf1 ip4:192.0.2.48/30 -all"
49.2.0.192.bl.example  A  127.0.0.2
"""
RULES = """
[[rule]]
name   = "bulk"
when   = { client_spf = "_spf.bulk.example" }
action = "accept"

[[rule]]
name   = "listed"
when   = { dnslist = "bl:127.0.0.2-9" }
action = "reject"

[[rule]]
name   = "held"
when   = { dnslist = "bl:127.0.0.11" }
action = "quarantine"

[[rule]]
name   = "no-name"
when   = { iprev = ["fail", "permerror"], mailfrom = "<>" }
unless = { dnslist = "bl" }
action = "reject"
"""
HELO, FROM = "mail.example.com", "a@example.com"


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    if not installed():
        pytest.skip("Postfix is not installed (no /usr/sbin/postconf)")
    with NameServer(Zone(ZONE)) as running:
        yield running


@pytest.fixture(scope="module")
def running(server: NameServer) -> Iterator[Relayed]:
    with relayed(server, RULES, dnslists={"bl": "bl.example"}, dns={"timeout": 0.4, "tries": 1}) as both:
        yield both


@pytest.mark.parametrize(
    ("client", "mailfrom", "rule", "action", "would", "dnslist"),
    [
        ("192.0.2.40", FROM, "listed", "tag", "reject", "bl:127.0.0.2"),
        ("192.0.2.47", FROM, "listed", "tag", "reject", "bl:127.0.0.2,bl:127.0.0.9"),
        ("2001:db8:8::25", FROM, "listed", "tag", "reject", "bl:127.0.0.2"),
        ("192.0.2.41", FROM, "held", "quarantine", "", "bl:127.0.0.11"),
        ("192.0.2.39", FROM, "default", "accept", "", ""),
        ("192.0.2.39", "", "no-name", "tag", "reject", ""),
        ("192.0.2.40", "", "listed", "tag", "reject", "bl:127.0.0.2"),
        # While the list is in trouble the client is neither listed nor known not to be.
        ("192.0.2.42", FROM, "default", "accept", "", "bl:refused"),
        ("192.0.2.43", "", "no-name", "tag", "tempfail", "bl:refused"),
        ("192.0.2.44", "", "no-name", "tag", "tempfail", "bl:temperror"),
        ("192.0.2.45", "", "no-name", "tag", "tempfail", "bl:temperror"),
        ("192.0.2.46", FROM, "default", "accept", "", "bl:refused"),
        ("192.0.2.49", FROM, "bulk", "accept", "", "bl:127.0.0.2"),
    ],
)
def test_the_client_behind_the_relay_is_asked_about(
    running: Relayed, client: str, mailfrom: str, rule: str, action: str, would: str, dnslist: str
) -> None:
    before = running.deliveries()
    decision = running.relay(Client(client), HELO, mailfrom)
    expected = {
        "client": client,
        "via": RELAY,
        "rule": rule,
        "action": action,
        "would": would,
        "dnslist": dnslist,
        "client_spf": "_spf.bulk.example" if rule == "bulk" else "",
    }
    assert {key: decision[key] for key in expected} == expected
    assert running.deliveries() - before == Counter(sent=1)
    tag = dict(running.behind.postfix.headers(decision["qid"])).get("X-Rdns-Milter", "")
    assert bool(tag) == (action == "tag")


def test_the_relay_is_not_asked_about(running: Relayed, server: NameServer) -> None:
    """It is on the list itself."""
    decision = running.relay(Client("192.0.2.38"), HELO, FROM)
    assert (decision["rule"], decision["dnslist"]) == ("default", "")
    assert server.queries.count("38.2.0.192.bl.example", "A") == 1
    assert server.queries.count("5.0.0.127.bl.example", "A") == 0


def test_replay_judges_alike(running: Relayed) -> None:
    replay = Replay(Evaluator(load(str(running.behind.daemon.path)), date(2026, 12, 1)))
    for line in running.behind.daemon.lines():
        replay.add(line)
    assert replay.decisions > 10
    assert (replay.changed, replay.uncertain, replay.others, replay.cut) == (0, 0, 0, 0)
