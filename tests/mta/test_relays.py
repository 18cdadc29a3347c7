"""Mail through a relay of ours, with two real Postfixes: facts and tag are those of the client behind the relay, and the relay
never has to bounce or to wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.replay import Replay
from rdns_milter.checks.evidence import FACTS
from rdns_milter.config.load import load
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import until
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import send
from tests.mta.attached import BAD, BAD_FROM, BAD_HELO, HOST, POSTMASTER, USER, Attached, attached, attached_sendmail
from tests.mta.common_checks import Kind
from tests.mta.relayed import RELAY, RELAY_HOST, Relayed, relay_many, relayed
from tests.mta.test_postfix import KINDS

# The relay's Postfix writes the reverse name in place of a missing HELO name, other letters for those that could end a comment, and
# no dot at the end of a sender.
DIFFERENT = {
    "no-helo": {"helo_name", "helo_kind", "helo", "helo_match", "spf_helo"},
    "hostile-helo": {"helo_name"},
    "dotted-sender": {"mailfrom"},
}
FORGED = f"from mail.good.example (mail.good.example [192.0.2.10])\n\tby {RELAY_HOST} (Postfix) with ESMTPA id 1; D"
THROUGH_A_RELAY = {"reject": "tag", "tempfail": "tag"}


@pytest.fixture(scope="module")
def running(server: NameServer) -> Iterator[Relayed]:
    with relayed(server) as both:
        yield both


@pytest.fixture(scope="module")
def direct(server: NameServer) -> Iterator[Attached]:
    """The same milter without relays, to which the clients are connected themselves."""
    with attached(server) as alone:
        yield alone


def received(decision: dict[str, str]) -> dict[str, str]:
    """Return the facts of a decision, and whom it is about."""
    return {key: decision[key] for key in (*FACTS, "client", "helo_name", "ptr", "ptrs", "mailfrom", "rcpt")}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
def test_facts_and_tag_are_those_of_the_client(running: Relayed, direct: Attached, kind: Kind) -> None:
    title, client, helo, mailfrom, *_ = kind
    rcpt = POSTMASTER if title == "postmaster" else USER
    direct.send(client, helo, mailfrom, rcpt)
    (expected,) = direct.new_decisions()
    decision = running.relay(client, helo, mailfrom, rcpt)
    different = {key for key, value in received(expected).items() if received(decision)[key] != value}
    assert different <= DIFFERENT.get(title, set())
    assert (decision["via"], expected["via"]) == (RELAY, "")
    if title != "no-helo":
        assert decision["rule"] == expected["rule"]
        assert decision["action"] == THROUGH_A_RELAY.get(expected["action"], expected["action"])
    assert decision["would"] == (expected["action"] if expected["action"] in THROUGH_A_RELAY else "")
    fields = dict(reversed(running.behind.postfix.headers(decision["qid"])))
    tag = " ".join(fields.get("X-Rdns-Milter", "").split())
    assert bool(tag) == (decision["action"] == "tag")
    assert f" would={decision['would']} " in tag or not decision["would"]
    results = fields.get("Authentication-Results", "")
    if decision["rule"].startswith("exempt:"):
        assert not results
    else:
        assert results.startswith(f"{HOST};")
        assert f"policy.iprev={decision['client']}" in results.replace('"', "")
        assert RELAY not in results


def test_forged_hops_below_those_of_the_relay_are_not_believed(running: Relayed) -> None:
    headers = [("Received", FORGED), ("Authentication-Results", f"{HOST}; spf=pass"), ("Subject", "s")]
    decision = running.relay(BAD, BAD_HELO, BAD_FROM, headers=headers)
    expected = {
        "client": "198.51.100.20",
        "rule": "nothing-confirmed",
        "action": "tag",
        "would": "reject",
        "forged": "1",
    }
    assert {key: decision[key] for key in expected} == expected


@pytest.mark.parametrize("blank", [" ", "\t", "\x0b", "\xa0", "\u2003", "\u3000"])
def test_a_helo_name_with_blanks_and_another_address(running: Relayed, blank: str) -> None:
    """The relay's Postfix changes blanks of ASCII and leaves the others."""
    helo = blank.join(("mail.good.example", "[192.0.2.10]", "by", RELAY_HOST, "with", "ESMTPA")).encode()
    decision = running.relay(BAD, helo, BAD_FROM)
    expected = {"client": BAD.address, "rule": "nothing-confirmed", "action": "tag", "would": "reject"}
    assert {key: decision[key] for key in expected} == expected


@pytest.mark.parametrize("length", [*range(958, 975, 2), 1950, 1960])
def test_a_helo_name_so_long_that_the_relay_cuts_the_field(running: Relayed, length: int) -> None:
    """The relay's Postfix puts a newline into the address, or nearby."""
    decision = running.relay(BAD, "x" * length, BAD_FROM)
    expected = {"client": BAD.address, "rule": "nothing-confirmed", "action": "tag", "would": "reject"}
    assert {key: decision[key] for key in expected} == expected


def test_mail_that_is_made_on_the_relay(running: Relayed) -> None:
    """Its fields name loopback only."""
    before = running.deliveries().total()
    assert send(running.front.address, helo=BAD_HELO, mailfrom=BAD_FROM, rcpts=[USER]).accepted
    until(lambda: running.deliveries().total() > before)
    (decision,) = running.behind.new_decisions()
    expected = {"client": RELAY, "via": RELAY, "rule": "exempt:relay", "action": "accept"}
    assert {key: decision[key] for key in expected} == expected


def test_nothing_is_bounced_by_all_default_rules(running: Relayed) -> None:
    """A smaller number of what `python -m tests.mta.relayed` sends."""
    before = running.deliveries()
    decisions = relay_many(running, 90)
    assert running.deliveries() - before == Counter(sent=90)
    assert {action for _, action, _ in decisions} == {"accept", "tag"}
    rules = {rule.name for rule in load().policy.rules}
    assert {rule for rule, _, _ in decisions} == rules | {"default", "exempt:network", "exempt:authenticated"}
    assert {would for _, _, would in decisions} == {"", "reject"}


def test_replay_of_the_log_changes_nothing(running: Relayed) -> None:
    """The milter and replay judge alike."""
    config = load(str(running.behind.daemon.path))
    replay = Replay(Evaluator(config, date(2026, 12, 1)))
    for line in running.behind.daemon.lines():
        replay.add(line)
    assert replay.decisions > 100
    assert (replay.changed, replay.uncertain, replay.others, replay.cut) == (0, 0, 0, 0)
    assert replay.relayed["reject"] > 20


def test_behind_sendmail(names: NameServer) -> None:
    """Sendmail hands on the fields of the relay in their order, without its own."""
    relay = Client("198.51.100.25")
    field = f"from {BAD_HELO} (unknown [{BAD.address}])\n\tby {RELAY_HOST} (Postfix) with ESMTP id 1; D"
    with attached_sendmail(names, relays={"networks": [relay.address]}) as running:
        headers = [("Received", field), ("Received", FORGED), ("Subject", "s")]
        assert running.send(relay, RELAY_HOST, BAD_FROM, headers=headers).accepted
        (decision,) = running.new_decisions()
    expected = {"client": BAD.address, "helo_name": BAD_HELO, "via": relay.address, "action": "tag", "would": "reject"}
    assert {key: decision[key] for key in expected} == expected
