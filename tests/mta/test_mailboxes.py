"""The mailboxes in the log are those in the queues of Postfix and Sendmail, however a client spells them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.smtp.client_identity import Client
from tests.mta.attached import Attached, AttachedSendmail, attached, attached_sendmail
from tests.mta.postfix_mailboxes import RULES, SETTINGS, compare

THIEF = Client("203.0.113.9")
BANK = Zone('bank.example TXT "v=spf1 -all"\nmx.thief.example A 203.0.113.9')
STRICT = """
[[rule]]
name   = "strict"
when   = { rcpt = "strict@rcpt.example" }
action = "reject"

[[rule]]
name   = "postmaster"
when   = { rcpt = "postmaster@" }
action = "accept"

[[rule]]
name   = "spf"
when   = { spf_mailfrom = "fail" }
action = "reject"
"""
# Spellings of the address {} by a client.
SPELLINGS = [
    "<{0}@{1}>",
    "<{0}@ {1}>",
    "<{0}@(x){1}>",
    "<(x){0}@{1}>",
    "<Display <{0}@{1}>>",
    '<"{0}"@{1}>',
    "<\\{0}@{1}>",
    '<"\\{0}"@{1}>',
    "<@r.example:{0}@{1}>",
    '<"{0}@{1}">',
    "<{1}!{0}>",
    "<{0}%{1}>",
    "<{0}@{1}.>",
    "{0}@{1}",
]


@pytest.fixture(scope="module")
def any_path(server: NameServer) -> Iterator[Attached]:
    with attached(server, RULES, postfix=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def strict(server: NameServer) -> Iterator[Attached]:
    with NameServer(BANK) as bank, attached(bank, STRICT) as running:
        yield running


@pytest.fixture(scope="module")
def strict_sendmail(names: NameServer) -> Iterator[AttachedSendmail]:
    with NameServer(BANK) as bank, attached_sendmail(bank, STRICT) as running:
        yield running


@pytest.mark.parametrize("seed", range(3))
def test_the_log_has_the_mailboxes_that_postfix_queues(any_path: Attached, seed: int) -> None:
    found = compare(any_path, Random(seed), 200)
    assert len(found) > 100
    assert [each for each in found if not each.logged_right] == []
    assert [each for each in found if not each.read_right] == []
    assert sum(each.read.readable for each in found) > 0.7 * len(found)


def check(running: Attached | AttachedSendmail, spelling: str) -> None:
    """Check sender, recipient and postmaster in that spelling."""
    good, plain = "a@good.example", "b@rcpt.example"
    for sender, recipient, rule in (
        (spelling.format("ceo", "bank.example"), plain, "spf"),
        (good, spelling.format("strict", "rcpt.example"), "strict"),
        ("ceo@bank.example", spelling.format("postmaster", "rcpt.example"), "postmaster"),
    ):
        path = sender.encode() if sender.startswith(spelling[:1]) else sender
        dialogue = running.send(THIEF, "mx.thief.example", path, recipient)
        assert dialogue.rcpts[0].code == (250 if rule == "postmaster" else 550)
        (decision,) = running.new_decisions()
        assert decision["rule"] == rule
        mailboxes = {
            "spf": "ceo@bank.example",
            "strict": "strict@rcpt.example",
            "postmaster": "postmaster@rcpt.example",
        }
        said = decision["mailfrom" if rule == "spf" else "rcpt"]
        assert said.removesuffix(".") == mailboxes[rule]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_evades_a_rule_behind_postfix(strict: Attached, spelling: str) -> None:
    check(strict, spelling)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_evades_a_rule_behind_sendmail(strict_sendmail: AttachedSendmail, spelling: str) -> None:
    check(strict_sendmail, spelling)


def test_a_message_without_a_header_is_no_message_without_an_end(strict: Attached) -> None:
    """Postfix adds no header fields for remote clients, and does not show milters its own Received."""
    strict.postfix.reload(local_header_rewrite_clients="")
    dialogue = strict.send(THIEF, "mx.thief.example", "a@good.example", "b@rcpt.example", headers=())
    assert dialogue.accepted
    strict.new_decisions()
