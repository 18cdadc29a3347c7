"""The order of commands, through the running milter: each one that an MTA may produce (RFC 5321 3.3, 4.1.4)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.data.scenario import GOOD, GOOD6, GOOD_FROM, GOOD_HELO, LIAR, OWN_NAME, POOL, RULES, part
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.macros import of_client as macros_of
from tests.kit.milter.transaction import Conversation
from tests.kit.smtp.client_identity import Client


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(rules=RULES, nameserver=server) as running:
        yield running
        assert [line for line in running.log().split("\n") if "internal error" in line] == []


def talk(daemon: Daemon, client: Client = GOOD, helo: str | None = GOOD_HELO, **macros: str) -> Conversation:
    """A connection on which the client has greeted."""
    dialogue = Conversation(daemon.spec, macros={"client_addr": client.address, **macros})
    dialogue.connect(client.hostname, client.address)
    if helo is not None:
        dialogue.helo(helo)
    return dialogue


def test_no_line_for_a_message_without_recipients(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon) as dialogue:
        dialogue.mail(GOOD_FROM)
        dialogue.abort()
        dialogue.mail(GOOD_FROM)
        dialogue.rcpt("b@rcpt.example")
        dialogue.abort()  # accepted, but never sent
        dialogue.mail("last@good.example")
        dialogue.rcpt("b@rcpt.example")
        dialogue.end()
    assert [line["mailfrom"] for line in daemon.wait_for_decisions(before + 1)[before:]] == ["last@good.example"]


def test_several_messages_on_a_connection(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    senders = ["a@one.example", "a@two.example", "b@one.example"]
    with talk(daemon, POOL, "greeting.example") as dialogue:
        for number, sender in enumerate(senders):
            assert dialogue.mail(sender).goes_on
            assert dialogue.rcpt("b@rcpt.example", macros={"i": f"Q{number}"}).goes_on
            end = dialogue.end(macros={"i": f"Q{number}"})
            assert [change.name for change in end.changes] == ["Authentication-Results"]
    decisions = daemon.wait_for_decisions(before + 3)[before:]
    assert [(line["mailfrom"], line["qid"]) for line in decisions] == list(
        zip(senders, ("Q0", "Q1", "Q2"), strict=True)
    )
    # The connection's questions count for its first message only: PTR and A, A and TXT of the greeting.
    assert [int(line["queries"]) for line in decisions] == [5, 1, 0]


def test_reset_between_messages(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon, LIAR, "mx.liar.example") as dialogue:
        dialogue.mail("a@liar.example")
        assert dialogue.rcpt("judged@rcpt.example").code == 550
        dialogue.abort()
        dialogue.mail(GOOD_FROM)
        dialogue.rcpt("postmaster@rcpt.example")
        dialogue.end(macros={"i": "Q2"})
    decisions = daemon.wait_for_decisions(before + 2)[before:]
    assert [part(line, "mailfrom", "action", "qid", "spf_mailfrom") for line in decisions] == [
        {"mailfrom": "a@liar.example", "action": "reject", "qid": "NOQUEUE", "spf_mailfrom": "softfail"},
        {"mailfrom": GOOD_FROM, "action": "accept", "qid": "Q2", "spf_mailfrom": "fail"},
    ]


@pytest.mark.parametrize("helo", ["mail.good.example", "nosuch.example"])
def test_the_second_greeting_counts(daemon: Daemon, helo: str) -> None:
    before = len(daemon.decisions())
    with talk(daemon, helo="first.liar.example") as dialogue:
        dialogue.helo(helo, macros={"tls_version": "TLSv1.3"})
        dialogue.mail("<>")
        dialogue.rcpt("tls@rcpt.example")
    (decision,) = daemon.wait_for_decisions(before + 1)[before:]
    expected = "pass" if helo == GOOD_HELO else "none"
    assert part(decision, "helo_name", "rule", "spf_helo", "spf_mailfrom") == {
        "helo_name": helo,
        "rule": "encrypted",
        "spf_helo": expected,
        "spf_mailfrom": expected,
    }


def test_a_greeting_ends_the_message(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon, LIAR, "first.example") as dialogue:
        dialogue.mail("a@liar.example")
        dialogue.rcpt("judged@rcpt.example")
        dialogue.helo("second.example")
        dialogue.mail("a@liar.example")
        dialogue.rcpt("judged@rcpt.example")
    decisions = daemon.wait_for_decisions(before + 2)[before:]
    assert [line["helo_name"] for line in decisions] == ["first.example", "second.example"]


def test_mail_without_a_greeting(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, helo=None, mailfrom="<>")
    assert outcome.accepted
    assert part(decision, "helo_kind", "helo", "helo_match", "spf_helo", "spf_mailfrom", "helo_name", "iprev") == {
        "helo_kind": "missing",
        "helo": "none",
        "helo_match": "none",
        "spf_helo": "none",
        "spf_mailfrom": "none",
        "helo_name": "",
        "iprev": "pass",
    }


def test_the_null_sender_stands_for_the_greeting(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, helo=GOOD_HELO, mailfrom="<>")
    assert part(decision, "mailfrom", "spf_mailfrom", "mailfrom_match") == {
        "mailfrom": "<>",
        "spf_mailfrom": "pass",
        "mailfrom_match": "none",
    }
    assert "spf=pass smtp.mailfrom=mail.good.example (null sender" in outcome.header("Authentication-Results")[0]


@pytest.mark.parametrize("helo", [None, GOOD_HELO])
@pytest.mark.parametrize("client", [GOOD, GOOD6])
def test_mail_without_connect(daemon: Daemon, client: Client, helo: str | None) -> None:
    before = len(daemon.decisions())
    macros = macros_of(client)
    with Conversation(daemon.spec) as dialogue:
        dialogue.send_macros(b"C", {"client_addr": macros["client_addr"], "j": OWN_NAME})
        if helo is not None:
            dialogue.helo(helo)
        assert dialogue.mail("a@strict.example").goes_on
        assert dialogue.rcpt("judged@rcpt.example").code == 550
    (decision,) = daemon.wait_for_decisions(before + 1)[before:]
    assert part(decision, "client", "iprev", "helo_name", "helo_kind", "spf_helo", "spf_mailfrom") == {
        "client": client.address,
        "iprev": "pass",
        "helo_name": helo or "",
        "helo_kind": "fqdn" if helo else "missing",
        "spf_helo": ("pass" if client is GOOD else "fail") if helo else "none",
        "spf_mailfrom": "fail",
    }


def test_connect_with_a_name_that_pymilter_cannot_read(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with Conversation(daemon.spec, macros={"client_addr": "192.0.2.1"}) as dialogue:
        assert dialogue.connect(b"m\xe4il.good.example", "192.0.2.1").goes_on
        assert dialogue.helo(OWN_NAME).goes_on
        assert dialogue.mail(GOOD_FROM).goes_on
        assert dialogue.rcpt("b@rcpt.example").code == 550
    (decision,) = daemon.wait_for_decisions(before + 1)[before:]
    assert part(decision, "client", "iprev", "helo_own", "rule") == {
        "client": "192.0.2.1",
        "iprev": "pass",
        "helo_own": "yes",
        "rule": "ours",
    }


def test_one_connection_for_several_clients(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon, LIAR, "mx.liar.example") as dialogue:
        dialogue.mail("a@liar.example")
        dialogue.rcpt("judged@rcpt.example")
        dialogue.abort()
        dialogue.quit_nc()
        assert dialogue.connect(GOOD.hostname, GOOD.address, macros={"client_addr": GOOD.address}).goes_on
        assert dialogue.helo(GOOD_HELO).goes_on
        assert dialogue.mail(GOOD_FROM).goes_on
        assert dialogue.rcpt("judged@rcpt.example").goes_on
        dialogue.end()
    decisions = daemon.wait_for_decisions(before + 2)[before:]
    assert [part(line, "client", "helo_name", "iprev", "action") for line in decisions] == [
        {"client": "192.0.2.7", "helo_name": "mx.liar.example", "iprev": "fail", "action": "reject"},
        {"client": "192.0.2.1", "helo_name": "mail.good.example", "iprev": "pass", "action": "accept"},
    ]


def test_a_client_that_hangs_up(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    dialogue = talk(daemon, LIAR)
    dialogue.mail("a@liar.example")
    dialogue.rcpt("judged@rcpt.example")
    dialogue.close()
    (decision,) = daemon.wait_for_decisions(before + 1)[before:]
    assert decision["action"] == "reject"
