"""The mailbox that the running milter reads: from the MTA's macro, else from the path itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.data.scenario import part
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.conversation import Conversation
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.packets import Steps
from tests.kit.smtp.client_identity import Client

BANK = Zone(
    """
    bank.example     TXT  "v=spf1 -all"
    mx.thief.example A    203.0.113.9
    local.example    TXT  "v=spf1 exists:%{l}.who.example -all"
    o.who.example    A    192.0.2.1
    """
)
THIEF = Client("203.0.113.9")
RULES = """
[[rule]]
name   = "postmaster"
when   = { rcpt = "postmaster@" }
action = "accept"

[[rule]]
name   = "strict"
when   = { rcpt = ["strict@rcpt.example", '"a b"@rcpt.example'] }
action = "reject"

[[rule]]
name   = "spf"
when   = { spf_mailfrom = "fail" }
action = "reject"

[[rule]]
name   = "permerror"
when   = { spf_mailfrom = "permerror" }
action = "tag"
"""
SENDERS = [
    "<ceo@bank.example>",
    "<ceo@ bank.example>",
    "<ceo@(x)bank.example>",
    "<Ceo <ceo@bank.example>>",
    b"Ceo <ceo@bank.example>",
    '<"ceo"@bank.example>',
    r"<c\eo@bank.example>",
    "<@r.example:ceo@bank.example>",
    '<"ceo@bank.example">',
    "<bank.example!ceo>",
    "<ceo%bank.example>",
]
RECIPIENTS = [
    "<strict@rcpt.example>",
    '<"strict"@rcpt.example>',
    r"<st\rict@rcpt.example>",
    "<strict@ rcpt.example>",
    "<Strict <strict@rcpt.example>>",
    "<STRICT@Rcpt.Example>",
    '<"STRICT"@rcpt.example>',
    r'<"a\ b"@rcpt.example>',
    r"<a\ b@rcpt.example>",
]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with NameServer(BANK) as server, Daemon(rules=RULES, nameserver=server) as running:
        yield running
        assert [line for line in running.log().split("\n") if "internal error" in line] == []


def talk(daemon: Daemon, *, silent: bool = True) -> Conversation:
    """A connection on which the client has greeted. `silent`: the MTA sends neither macro."""
    dialogue = Conversation(daemon.spec, macros={"client_addr": THIEF.address})
    if silent:
        for stage in ("mail", "rcpt"):
            dialogue.default_lists = {**dialogue.default_lists, stage: ()}
        dialogue.negotiated.symlists.clear()
    dialogue.connect(THIEF.hostname, THIEF.address)
    dialogue.helo("mx.thief.example")
    return dialogue


def said(daemon: Daemon, before: int) -> dict[str, str]:
    (decision,) = daemon.wait_for_decisions(before + 1)[before:]
    return part(decision, "action", "rule", "mailfrom", "rcpt", "spf_mailfrom")


@pytest.mark.parametrize("sender", SENDERS)
def test_a_sender_without_a_macro(daemon: Daemon, sender: str | bytes) -> None:
    before = len(daemon.decisions())
    with talk(daemon) as dialogue:
        assert dialogue.mail(sender).goes_on
        assert dialogue.rcpt("b@rcpt.example").code == 550
    assert said(daemon, before) == {
        "action": "reject",
        "rule": "spf",
        "mailfrom": "ceo@bank.example",
        "rcpt": "b@rcpt.example",
        "spf_mailfrom": "fail",
    }


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_a_recipient_without_a_macro(daemon: Daemon, recipient: str) -> None:
    before = len(daemon.decisions())
    with talk(daemon) as dialogue:
        assert dialogue.mail("a@good.example").goes_on
        assert dialogue.rcpt(recipient).code == 550
    decision = said(daemon, before)
    assert decision["rule"] == "strict"
    assert decision["rcpt"].lower() in ("strict@rcpt.example", '"a b"@rcpt.example')


@pytest.mark.parametrize("recipient", ["<postmaster>", '<"postmaster"@rcpt.example>', r"<Post\master@ rcpt.example>"])
def test_postmaster_in_any_spelling(daemon: Daemon, recipient: str) -> None:
    with talk(daemon) as dialogue:
        assert dialogue.mail("ceo@bank.example").goes_on
        assert dialogue.rcpt(recipient).goes_on


def test_macros_take_precedence(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon, silent=False) as dialogue:
        assert dialogue.mail("<odd>", macros={"mail_addr": "ceo@bank.example"}).goes_on
        assert dialogue.rcpt("<odd>", macros={"rcpt_addr": '"strict"@rcpt.example'}).code == 550
        assert dialogue.rcpt("<b@rcpt.example>", macros={"rcpt_addr": "b@rcpt.example"}).code == 550
        assert dialogue.rcpt("<pm>", macros={"rcpt_addr": "postmaster@rcpt.example"}).goes_on
        dialogue.end()
    decisions = daemon.wait_for_decisions(before + 3)[before:]
    assert {(each["rule"], each["rcpt"]) for each in decisions} == {
        ("strict", "strict@rcpt.example"),
        ("spf", "b@rcpt.example"),
        ("postmaster", "postmaster@rcpt.example"),
    }
    assert {each["mailfrom"] for each in decisions} == {"ceo@bank.example"}


def test_both_macros_are_asked_for(daemon: Daemon) -> None:
    with Conversation(daemon.spec) as dialogue:
        asked = {name.strip("{}") for names in dialogue.negotiated.symlists.values() for name in names}
    assert {"mail_addr", "rcpt_addr"} <= asked


def test_a_macro_of_an_earlier_message_does_not_count(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon) as dialogue:
        dialogue.send_macros(b"M", {"mail_addr": "good@good.example"})
        assert dialogue.mail("<good@good.example>").goes_on
        dialogue.send_macros(b"R", {"rcpt_addr": "b@rcpt.example"})
        assert dialogue.rcpt("<b@rcpt.example>").goes_on
        assert dialogue.rcpt("<strict@rcpt.example>").code == 550
        dialogue.abort()
        assert dialogue.mail("<ceo@bank.example>").goes_on
        assert dialogue.rcpt("<c@rcpt.example>").code == 550
        dialogue.abort()
        assert dialogue.mail("<>").goes_on
        assert dialogue.rcpt("<strict@rcpt.example>").code == 550
    decisions = daemon.wait_for_decisions(before + 3)[before:]
    assert [(each["rule"], each["mailfrom"], each["rcpt"]) for each in decisions] == [
        ("strict", "good@good.example", "strict@rcpt.example"),
        ("spf", "ceo@bank.example", "c@rcpt.example"),
        ("strict", "<>", "strict@rcpt.example"),
    ]


def test_what_cannot_be_read_is_no_domain_without_spf(daemon: Daemon) -> None:
    before = len(daemon.decisions())
    with talk(daemon) as dialogue:
        assert dialogue.mail("<a,ceo@bank.example>").goes_on
        assert dialogue.rcpt("b@rcpt.example").goes_on
        dialogue.end()
    assert said(daemon, before) == {
        "action": "tag",
        "rule": "permerror",
        "mailfrom": "<a,ceo@bank.example>",
        "rcpt": "b@rcpt.example",
        "spf_mailfrom": "permerror",
    }


def test_macros_of_spf_use_what_the_local_part_means(daemon: Daemon) -> None:
    with talk(daemon) as dialogue:
        assert dialogue.mail(r'<"\o"@local.example>').goes_on
        assert dialogue.rcpt("b@rcpt.example").goes_on


@pytest.mark.parametrize("headers", [False, True])
def test_data_gets_its_reply(daemon: Daemon, headers: bool) -> None:
    """And the message ends, though it has no header: libmilter goes from DATA to the end only after a header or its end."""
    with talk(daemon) as dialogue:
        assert not dialogue.negotiated.steps & Steps.NO_DATA
        dialogue.mail("a@good.example")
        dialogue.rcpt("b@rcpt.example")
        assert dialogue.data().action == "continue"
        if headers:
            dialogue.header("Subject", "x")
        dialogue.eoh()
        assert dialogue.end().reply.goes_on
