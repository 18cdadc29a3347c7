"""The milter behind a real Sendmail: the clients of test_postfix.py, the replies to them, and the log. RFC 5321, RFC 7372.

Sendmail puts the recipient into most replies to RCPT, and gives a message its queue id at MAIL: otherwise nothing may differ.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest

from rdns_milter.analysis.forecast import Forecaster
from rdns_milter.checks.evidence import Evidence
from rdns_milter.config.load import load
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line, parse
from rdns_milter.logs.mta_deliveries import ACCEPTED, REFUSED, deliveries
from rdns_milter.policy.rules import Verdict
from tests.kit.dns.nameserver import NameServer
from tests.kit.mta.network_namespace import NetworkNamespace
from tests.kit.mta.sendmail import OWN_ADDRESS, OWN_ADDRESS_6, Sendmail
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, send
from tests.mta.attached import (
    ABUSE,
    BAD,
    BAD_FROM,
    BAD_HELO,
    GOOD,
    GOOD_FROM,
    GOOD_HELO,
    HOST,
    POSTMASTER,
    USER,
    AttachedSendmail,
    attached_sendmail,
    facts,
)
from tests.mta.common_checks import Kind, check_burst, check_observed
from tests.mta.test_forecast import FACTS
from tests.mta.test_postfix import KINDS, TEMPFAIL

REFUSED_BY_SENDMAIL = {"hostile-helo": "501 5.0.0 Invalid domain name"}  # and the milter does not see them
NAMELESS = (451, 554)  # replies into which it does not put the recipient
_RECIPIENT = re.compile(r"(\d{3} \d\.\d{1,3}\.\d{1,3}) <([^<>]*)>\.\.\. ")


def on_sendmail(kind: Kind) -> Kind:
    """Return the same client with our address as it reaches Sendmail, where its greeting was our address."""
    title, client, helo, mailfrom, reply, logged = kind
    if helo == "[127.0.0.1]":
        helo = f"[{OWN_ADDRESS}]"
    return title, client, helo, mailfrom, reply.replace("2.1.5 Ok", "2.1.5 Recipient ok"), logged


KINDS_OF_CLIENTS = [on_sendmail(kind) for kind in KINDS if kind[0] not in REFUSED_BY_SENDMAIL]
REFUSED_KINDS = [kind for kind in KINDS_OF_CLIENTS if kind[4].startswith("550")]


def without_recipient(dialogue: Dialogue, rcpt: str = USER) -> str:
    """Return the reply without the recipient's name, which Sendmail has inserted."""
    (reply,) = dialogue.rcpts
    found = _RECIPIENT.match(str(reply))
    assert (found is None) is (reply.code in NAMELESS)
    if found is None:
        return str(reply)
    assert found[2] == rcpt
    return f"{found[1]} {str(reply)[found.end() :]}"


def check_reply_and_log(running: AttachedSendmail, kind: Kind) -> None:
    """Send a client's message; check the reply, and that the one line of the log has it and the facts."""
    title, client, helo, mailfrom, expected, logged = kind
    rcpt = POSTMASTER if title == "postmaster" else USER
    dialogue = running.send(client, helo, mailfrom, rcpt)
    (decision,) = running.new_decisions()
    reply = without_recipient(dialogue, rcpt)
    assert re.fullmatch(expected, reply), reply
    refused = reply.startswith("5")
    logged = re.sub(r"\bqid=NOQUEUE ", "", logged)
    assert facts(decision, logged) == logged
    assert decision["reply"] == (reply if refused else "")
    assert dialogue.accepted is not refused
    if refused:
        running.sendmail.await_log(rf"{decision['qid']}: Milter: to=<{rcpt}>, reject={re.escape(reply)}$")
    else:
        assert decision["qid"] == dialogue.queue_id


@pytest.mark.parametrize("kind", KINDS_OF_CLIENTS, ids=lambda kind: kind[0])
def test_every_kind_of_client(default_sendmail: AttachedSendmail, kind: Kind) -> None:
    check_reply_and_log(default_sendmail, kind)


@pytest.mark.parametrize("title", REFUSED_BY_SENDMAIL)
def test_clients_that_sendmail_itself_refuses(default_sendmail: AttachedSendmail, title: str) -> None:
    (client, helo, mailfrom) = next(kind[1:4] for kind in KINDS if kind[0] == title)
    assert str(default_sendmail.send(client, helo, mailfrom).verdict) == REFUSED_BY_SENDMAIL[title]
    default_sendmail.new_decisions(0)


def test_our_ipv6_address_is_ours(default_sendmail: AttachedSendmail) -> None:
    default_sendmail.send(Client("2001:db8::10"), f"[IPv6:{OWN_ADDRESS_6}]", GOOD_FROM)
    logged = "action=reject rule=forged-own-name helo_kind=literal helo_own=yes"
    assert facts(default_sendmail.new_decisions()[0], logged) == logged


def test_tcp_socket_and_checks_delayed_until_rcpt(names: NameServer) -> None:
    settings = ["FEATURE(`delay_checks')dnl", "FEATURE(`access_db', `hash -o /mnt/access')dnl"]
    with attached_sendmail(names, socket="inet", sendmail={"settings": settings}) as running:
        for kind in (KINDS_OF_CLIENTS[0], *REFUSED_KINDS):
            check_reply_and_log(running, kind)


def test_each_recipient_is_judged_separately(default_sendmail: AttachedSendmail) -> None:
    dialogue = default_sendmail.send(BAD, BAD_HELO, BAD_FROM, USER, POSTMASTER, "b@rcpt.example", ABUSE)
    assert [reply.code for reply in dialogue.rcpts] == [550, 250, 550, 250]
    assert dialogue.accepted
    refused, taken = default_sendmail.new_decisions(2)
    logged = "action=reject rule=nothing-confirmed rcpt=user@rcpt.example,b@rcpt.example nrcpt=2"
    assert facts(refused, logged) == logged
    logged = f"action=accept rule=postmaster rcpt={POSTMASTER},{ABUSE} nrcpt=2 reply="
    assert facts(taken, logged) == logged
    assert refused["qid"] == taken["qid"] == dialogue.queue_id


def test_a_client_that_hangs_up_after_a_refusal_is_logged(default_sendmail: AttachedSendmail) -> None:
    with default_sendmail.sendmail.connect_as(BAD, 20) as smtp:
        smtp.helo(BAD_HELO)
        smtp.mail(BAD_FROM)
        assert smtp.rcpt(USER).code == 550
    (decision,) = default_sendmail.new_decisions()
    logged = "action=reject rule=nothing-confirmed"
    assert facts(decision, logged) == logged
    default_sendmail.sendmail.await_log(rf"{decision['qid']}: Milter: to=<{USER}>, reject=550")


def test_several_messages_on_one_connection(default_sendmail: AttachedSendmail) -> None:
    with default_sendmail.sendmail.connect_as(GOOD, 20) as smtp:
        smtp.helo("first.example")
        assert smtp.message(GOOD_FROM, [USER]).ok
        assert smtp.message("x@soft.example", [USER]).ok
        smtp.mail(GOOD_FROM)
        smtp.command("RSET")
        smtp.helo(HOST)
        assert smtp.message(GOOD_FROM, [USER]).code == 550
        smtp.helo(GOOD_HELO)
        assert smtp.message(GOOD_FROM, [USER]).ok
        smtp.command("QUIT")
    expected = [
        "action=accept helo_name=first.example helo=permerror spf_mailfrom=pass",
        "action=tag rule=spf-softfail helo_name=first.example mailfrom=x@soft.example",
        f"action=reject rule=forged-own-name helo_name={HOST}",
        "action=accept helo_name=mail.good.example helo=pass helo_match=same spf_mailfrom=pass",
    ]
    decisions = default_sendmail.new_decisions(4)
    assert [facts(decision, logged) for decision, logged in zip(decisions, expected, strict=True)] == expected
    assert len({decision["qid"] for decision in decisions} - {"NOQUEUE"}) == 4


def test_replies_of_other_rules(names: NameServer) -> None:
    with attached_sendmail(names, TEMPFAIL) as running:
        picky = "picky@rcpt.example"
        own = without_recipient(running.send(GOOD, GOOD_HELO, GOOD_FROM, picky), picky)
        assert own == "554 5.7.0 Go away, 192.0.2.10 (mail.good.example): 100% local policy of the receiving server"
        assert without_recipient(running.send(BAD, BAD_HELO, BAD_FROM)).startswith("550 5.7.25 Client host")
        trouble = without_recipient(running.send(Client("198.51.100.80"), "mail.unlucky.example", "c@unlucky.example"))
        assert trouble.startswith("451 4.7.25 ")
        assert "Temporary DNS error, please try again later" in trouble
        logged = "action=tempfail rule=dns-trouble iprev=temperror"
        assert facts(running.new_decisions(3)[2], logged) == logged


def test_observe_mode_refuses_no_message(names: NameServer) -> None:
    with attached_sendmail(names, milter={"mode": "observe"}) as running:
        check_observed(running, REFUSED_KINDS)


def test_a_burst_with_silent_dns_is_not_served_two_at_a_time(names: NameServer) -> None:
    with attached_sendmail(names) as running:
        check_burst(running)


def test_forecast_of_its_log_says_what_the_milter_said(names: NameServer) -> None:
    """Sendmail does not log the greeting: only facts that do not depend on it can be compared."""
    facts_known = ("client", "mailfrom", "rcpt", *(fact for fact in FACTS if "helo" not in fact))
    kinds = [kind for kind in KINDS_OF_CLIENTS if kind[3] != "<>"]  # whose SPF is that of the greeting
    with attached_sendmail(names, milter={"mode": "observe"}) as running:
        for title, client, helo, mailfrom, _, _ in kinds:
            sent = running.send(client, helo, mailfrom, POSTMASTER if title == "postmaster" else USER)
            running.sendmail.await_log(rf"{sent.queue_id}: to=")
        decisions = running.new_decisions(len(kinds))
        config = load(str(running.daemon.path))
        found = list(deliveries(running.sendmail.log().splitlines()))
    assert {(delivery.outcome, delivery.helo) for delivery in found} == {(ACCEPTED, None)}
    with Forecaster(config, config.dns.nameservers, date.today()) as forecaster:
        outlooks = [outlook for each in forecaster.judge_all(found) for outlook in each]
    logged = Counter(tuple(known(outlook.evidence)[fact] for fact in facts_known) for outlook in outlooks)
    assert logged == Counter(tuple(decision[fact] for fact in facts_known) for decision in decisions)


def test_recipients_that_sendmail_does_not_know(network: NetworkNamespace) -> None:
    with Sendmail(host=HOST) as running:
        for rcpts in ([f"nobody-{HOST}@{HOST}"], [USER, f"gone@{HOST}"]):
            send(running.address, GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM, rcpts=rcpts, connect_as=running.connect_as)
        running.await_log(r"gone@.*User unknown")
        taken = running.await_log(r"(\w+): from=<anna@good\.example>.*nrcpts=1")[1]
        running.await_log(rf"{taken}: to=")
        log = running.log()
        found = [(each.rcpts, each.outcome) for each in deliveries(log.splitlines())]
    assert sorted(found) == [
        ((f"gone@{HOST}",), REFUSED),
        ((f"nobody-{HOST}@{HOST}",), REFUSED),
        ((USER,), ACCEPTED),
    ], log


def known(evidence: Evidence) -> dict[str, str]:
    """Return the evidence as the milter would log it."""
    decision = Decision(Verdict("accept", "x"), evidence, (evidence.rcpt,))
    return parse(line(decision)) or {}
