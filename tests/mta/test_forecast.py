"""The forecast on a real Postfix log gives the verdicts that the milter gave for the same messages."""

from __future__ import annotations

from collections import Counter
from datetime import date

from rdns_milter.analysis.forecast import Forecaster
from rdns_milter.config.load import load
from rdns_milter.logs.mta_deliveries import ACCEPTED, REFUSED, deliveries
from tests.kit.dns.nameserver import NameServer
from tests.kit.smtp.client_identity import Client
from tests.mta.attached import DEADLINE, GOOD, GOOD_FROM, GOOD_HELO, HOST, POSTMASTER, USER, attached
from tests.mta.test_postfix import KINDS

FACTS = ("iprev", "iprev_reason", "generic", "helo_kind", "helo", "helo_match", "helo_own", "spf_helo", "spf_mailfrom")


def test_verdicts_are_those_of_the_milter(server: NameServer) -> None:
    # HOLD makes Postfix log the greeting of an accepted message.
    with attached(
        server, hold=True, exempt={"own_names": [HOST, "127.0.0.1"]}, milter={"deadline": DEADLINE}
    ) as running:
        for title, client, helo, mailfrom, _, _ in KINDS:
            running.send(client, helo, mailfrom, POSTMASTER if title == "postmaster" else USER)
        decisions = running.new_decisions(len(KINDS))
        config = load(str(running.daemon.path))
        log = running.postfix.log()
    found = list(deliveries(log.splitlines()))
    assert len(found) == len(KINDS)
    assert all(delivery.helo is not None for delivery in found)
    with Forecaster(config, config.dns.nameservers, date.today()) as forecaster:
        outlooks = [outlook for each in forecaster.judge_all(found) for outlook in each]
    said = Counter(
        (
            str(outlook.evidence.client), outlook.delivery.sender, outlook.evidence.rcpt, outlook.action, outlook.verdict.rule,
            outlook.evidence.iprev.result, outlook.evidence.iprev.reason, outlook.evidence.generic.result,
            outlook.evidence.helo.kind, outlook.evidence.helo.result, outlook.evidence.helo.match, outlook.evidence.helo.own,
            outlook.evidence.spf_helo.result, outlook.evidence.spf_mailfrom.result,
            outlook.delivery.outcome,
        )
        for outlook in outlooks
    )  # fmt: skip
    given = Counter(
        (
            decision["client"], decision["mailfrom"].replace("<>", ""), decision["rcpt"], decision["action"], decision["rule"],
            *(decision[fact] for fact in FACTS),
            REFUSED if decision["action"] == "reject" else ACCEPTED,
        )
        for decision in decisions
    )  # fmt: skip
    assert said == given


def test_accepted_mail_without_its_greeting_is_no_false_verdict(server: NameServer) -> None:
    with attached(server, hold=False) as running:
        dialogue = running.send(GOOD, GOOD_HELO, GOOD_FROM)
        running.send(Client("198.51.100.20"), "mail.nothing.example", "offer@nothing.example")
        running.new_decisions(2)
        running.postfix.await_log(rf"{dialogue.queue_id}: removed")
        config = load(str(running.daemon.path))
        taken, refused = sorted(deliveries(running.postfix.log().splitlines()), key=lambda each: each.outcome)
    assert (taken.outcome, taken.helo, taken.sender, taken.rcpts) == (ACCEPTED, None, GOOD_FROM, (USER,))
    assert (refused.outcome, refused.helo) == (REFUSED, "mail.nothing.example")
    with Forecaster(config, config.dns.nameservers, date.today()) as forecaster:
        assert [forecaster.judge(each)[0].action for each in (taken, refused)] == ["accept", "reject"]
