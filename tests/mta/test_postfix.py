"""The milter behind a real Postfix: the replies to clients, and the log. RFC 5321, RFC 7372."""

from __future__ import annotations

import re

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, Smtp
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
    Attached,
    attached,
    facts,
)
from tests.mta.common_checks import Kind, check_burst, check_observed

KINDS: list[Kind] = [
    ("good", GOOD, GOOD_HELO, GOOD_FROM, "250 2.1.5 Ok",
     "action=accept rule=default client=192.0.2.10 helo_name=mail.good.example mailfrom=anna@good.example rcpt=user@rcpt.example"
     " nrcpt=1 iprev=pass iprev_reason=confirmed ptr=mail.good.example ptrs=1 generic=no helo_kind=fqdn helo=pass"
     " helo_match=same helo_own=no spf_helo=none spf_mailfrom=pass mailfrom_match=aligned mode=enforce reply="),
    ("good-ipv6", Client("2001:db8::10"), GOOD_HELO, GOOD_FROM, "250 2.1.5 Ok",
     "action=accept rule=default client=2001:db8::10 iprev=pass ptr=mail.good.example helo=pass spf_mailfrom=pass"),
    ("mapped", Client("::ffff:192.0.2.10"), GOOD_HELO, GOOD_FROM, "250 2.1.5 Ok",
     "action=accept client=192.0.2.10 iprev=pass helo=pass spf_mailfrom=pass"),
    ("no-ptr", BAD, BAD_HELO, BAD_FROM,
     r"550 5\.7\.2[56] Client host \[198\.51\.100\.20\]: no reverse name \(PTR record\), .*"
     r"20\.100\.51\.198\.in-addr\.arpa\. PTR mail\.nothing\.example\.",
     "action=reject rule=nothing-confirmed qid=NOQUEUE iprev=permerror iprev_reason=no-ptr ptr= ptrs=0 helo=permerror"),
    ("no-ptr-ipv6", Client("2001:db8::20"), BAD_HELO, BAD_FROM,
     r"550 5\.7\.2[56] .* 0\.2\.0\.0\.[0.]+8\.b\.d\.0\.1\.0\.0\.2\.ip6\.arpa\. .*",
     "action=reject rule=nothing-confirmed client=2001:db8::20 iprev=permerror"),
    ("unconfirmed", Client("198.51.100.30", reverse_name="mail.good.example"), "mail.good.example", BAD_FROM,
     r"550 5\.7\.2[56] .*: reverse name mail\.good\.example does not resolve back to 198\.51\.100\.30, .*",
     "action=reject rule=nothing-confirmed iprev=fail iprev_reason=not-confirmed ptr=mail.good.example helo=fail"),
    ("no-forward", Client("198.51.100.31"), "gone.good.example", BAD_FROM,
     r"550 5\.7\.2[56] .*: reverse name gone\.good\.example of 198\.51\.100\.31 has no A record, .*",
     "action=reject rule=nothing-confirmed iprev=fail iprev_reason=no-forward"),
    ("generic", Client("203.0.113.44"), "203-0-113-44.dyn.isp.example", "joe@isp.example", "250 2.1.5 Ok",
     "action=tag rule=generic-name iprev=pass generic=yes helo=pass spf_mailfrom=none"),
    ("spf-fail", Client("198.51.100.50"), "vps7.hosting.example", GOOD_FROM,
     r"550 5\.7\.26 .*: no reverse name \(PTR record\), the SPF record of good\.example does not authorize 198\.51\.100\.50 .*",
     "action=reject rule=spf-fail-unconfirmed iprev=permerror helo=pass spf_mailfrom=fail"),
    ("spf-fail-of-a-proper-host", GOOD, GOOD_HELO, "ceo@odd.good.example", "250 2.1.5 Ok",
     "action=tag rule=spf-fail iprev=pass spf_mailfrom=fail"),
    ("spf-softfail", GOOD, GOOD_HELO, "x@soft.example", "250 2.1.5 Ok", "action=tag rule=spf-softfail spf_mailfrom=softfail"),
    ("spf-permerror", GOOD, GOOD_HELO, "x@twice.example", "250 2.1.5 Ok", "action=tag rule=spf-permerror spf_mailfrom=permerror"),
    ("spf-helo-fail", Client("192.0.2.11"), "odd.good.example", "x@isp.example", "250 2.1.5 Ok",
     "action=tag rule=spf-helo-fail iprev=pass helo=pass spf_helo=fail spf_mailfrom=none"),
    ("own-name", GOOD, HOST.upper(), GOOD_FROM, r"550 5\.7\.1 .*: HELO name MX\.RCPT\.EXAMPLE is the receiving server's own; .*",
     "action=reject rule=forged-own-name helo_name=MX.RCPT.EXAMPLE helo_own=yes"),
    ("own-address", GOOD, "[127.0.0.1]", GOOD_FROM, r"550 5\.7\.1 .*",
     "action=reject rule=forged-own-name helo_kind=literal helo_own=yes"),
    ("servfail", Client("198.51.100.80", trouble=True), "mail.unlucky.example", "carla@unlucky.example", "250 2.1.5 Ok",
     "action=accept rule=default iprev=temperror iprev_reason=servfail helo=temperror spf_helo=temperror spf_mailfrom=temperror"),
    ("silent", Client("198.51.100.90"), "mail.asleep.example", "otto@asleep.example", "250 2.1.5 Ok",
     "action=accept rule=default iprev=temperror helo=temperror spf_mailfrom=temperror"),
    ("half-servfail", Client("198.51.100.81"), BAD_HELO, GOOD_FROM, "250 2.1.5 Ok",
     "action=tag rule=spf-fail iprev=temperror iprev_reason=servfail helo=permerror spf_mailfrom=fail"),
    ("postmaster", BAD, BAD_HELO, BAD_FROM, "250 2.1.5 Ok", "action=accept rule=postmaster rcpt=Postmaster@rcpt.example"),
    ("login", Client("203.0.113.130", login="joe"), "joes-laptop", "joe@rcpt.example", "250 2.1.5 Ok",
     "action=accept rule=exempt:authenticated iprev=none iprev_reason=exempt helo_kind=unqualified helo=none spf_mailfrom=none"),
    ("network", Client("10.1.2.3"), BAD_HELO, BAD_FROM, "250 2.1.5 Ok",
     "action=accept rule=exempt:network client=10.1.2.3 queries=0"),
    ("null-sender", GOOD, "odd.good.example", "<>", "250 2.1.5 Ok",
     "action=tag rule=spf-fail mailfrom=<> helo_match=aligned spf_helo=fail spf_mailfrom=fail"),
    ("no-helo", GOOD, None, GOOD_FROM, "250 2.1.5 Ok",
     "action=tag rule=malformed-helo helo_name= helo_kind=missing helo=none spf_helo=none spf_mailfrom=pass"),
    ("bare-address", GOOD, "192.0.2.10", GOOD_FROM, "250 2.1.5 Ok", "action=tag rule=malformed-helo helo_kind=address iprev=pass"),
    ("literal", GOOD, "[192.0.2.10]", GOOD_FROM, "250 2.1.5 Ok", "action=accept rule=default helo_kind=literal helo=pass"),
    ("literal-ipv6", Client("2001:db8::10"), "[IPv6:2001:DB8:0::10]", GOOD_FROM, "250 2.1.5 Ok",
     "action=accept helo_kind=literal helo=pass"),
    ("hostile-helo", GOOD, 'x" action=accept rule=<script>;(%s', GOOD_FROM, "250 2.1.5 Ok",
     "action=tag rule=malformed-helo helo_kind=invalid"),
    ("quoted-sender", GOOD, GOOD_HELO, b'<"a b\\"@x.example"@good.example>', "250 2.1.5 Ok", "action=accept spf_mailfrom=pass"),
    ("routed-sender", GOOD, GOOD_HELO, "<@relay.example:anna@good.example>", "250 2.1.5 Ok", "action=accept spf_mailfrom=pass"),
    ("dotted-sender", GOOD, GOOD_HELO, "anna@good.example.", "250 2.1.5 Ok", "action=accept spf_mailfrom=pass"),
]  # fmt: skip
REFUSED = [kind for kind in KINDS if kind[4].startswith("550")]


def check_reply_and_log(running: Attached, kind: Kind) -> tuple[Dialogue, dict[str, str]]:
    """Send a client's message; check the reply, and that the one line of the log has it and the facts."""
    title, client, helo, mailfrom, reply, logged = kind
    rcpt = POSTMASTER if title == "postmaster" else USER
    dialogue = running.send(client, helo, mailfrom, rcpt)
    (decision,) = running.new_decisions()
    told = str(dialogue.rcpts[0])
    assert re.fullmatch(reply, told), told
    assert facts(decision, logged) == logged
    refused = told.startswith("5")
    assert decision["reply"] == (told if refused else "")
    assert dialogue.accepted is not refused
    assert decision["qid"] == (dialogue.queue_id or "NOQUEUE")
    return dialogue, decision


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
def test_every_kind_of_client(default: Attached, kind: Kind) -> None:
    check_reply_and_log(default, kind)


def test_tcp_socket_and_checks_before_rcpt(server: NameServer) -> None:
    with attached(server, socket="inet", postfix={"smtpd_delay_reject": "no"}) as running:
        for kind in (KINDS[0], *REFUSED):
            check_reply_and_log(running, kind)


def test_postfix_logs_the_refusal_with_sender_and_recipient(default: Attached) -> None:
    default.send(BAD, BAD_HELO, BAD_FROM)
    default.new_decisions()
    default.postfix.await_log(
        rf"NOQUEUE: milter-reject: RCPT from unknown\[198.51.100.20\]: 550 5\.7\.2[56] Client host .*"
        rf" from=<{BAD_FROM}> to=<{USER}> proto=ESMTP helo=<{BAD_HELO}>"
    )


def test_each_recipient_is_judged_separately(default: Attached) -> None:
    dialogue = default.send(BAD, BAD_HELO, BAD_FROM, USER, POSTMASTER, "b@rcpt.example", ABUSE)
    assert [reply.code for reply in dialogue.rcpts] == [550, 250, 550, 250]
    assert dialogue.accepted
    refused, taken = default.new_decisions(2)
    logged = "action=reject rule=nothing-confirmed rcpt=user@rcpt.example,b@rcpt.example nrcpt=2"
    assert facts(refused, logged) == logged
    logged = f"action=accept rule=postmaster rcpt={POSTMASTER},{ABUSE} nrcpt=2 reply="
    assert facts(taken, logged) == logged
    assert refused["qid"] == taken["qid"] == dialogue.queue_id


def test_a_client_that_hangs_up_after_a_refusal_is_logged(default: Attached) -> None:
    with Smtp(default.postfix.address) as smtp:
        smtp.xclient(BAD)
        smtp.helo(BAD_HELO)
        smtp.mail(BAD_FROM)
        assert smtp.rcpt(USER).code == 550
    logged = "action=reject rule=nothing-confirmed qid=NOQUEUE"
    assert facts(default.new_decisions()[0], logged) == logged


def test_several_messages_on_one_connection(default: Attached) -> None:
    with Smtp(default.postfix.address) as smtp:
        smtp.xclient(GOOD)
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
    decisions = default.new_decisions(4)
    assert [facts(decision, logged) for decision, logged in zip(decisions, expected, strict=True)] == expected
    assert len({decision["qid"] for decision in decisions}) == 4


def test_a_refused_message_does_not_have_the_previous_queue_id(default: Attached) -> None:
    with Smtp(default.postfix.address) as smtp:
        smtp.xclient(BAD)
        smtp.helo(BAD_HELO)
        assert smtp.message(BAD_FROM, [POSTMASTER]).ok
        assert smtp.message(BAD_FROM, [USER]).code == 550
        smtp.command("QUIT")
    first, second = default.new_decisions(2)
    assert (first["action"], second["action"], second["qid"]) == ("accept", "reject", "NOQUEUE")
    assert first["qid"] != "NOQUEUE"


TEMPFAIL = """
[[rule]]
name = "own-words"
when = { rcpt = "picky@rcpt.example" }
action = "reject"
code = 554
enhanced = "5.7.0"
text = "Go away, {client} ({helo}): 100% {reason}"

[[rule]]
name = "nobody-speaks"
when = { iprev = ["fail", "permerror"] }
action = "reject"

[[rule]]
name = "dns-trouble"
when = { iprev = "temperror" }
action = "tempfail"
"""


def test_replies_of_other_rules(server: NameServer) -> None:
    with attached(server, TEMPFAIL) as running:
        own = running.send(GOOD, GOOD_HELO, GOOD_FROM, "picky@rcpt.example").rcpts[0]
        assert (
            str(own) == "554 5.7.0 Go away, 192.0.2.10 (mail.good.example): 100% local policy of the receiving server"
        )
        reverse = running.send(BAD, BAD_HELO, BAD_FROM).rcpts[0]
        assert (reverse.code, reverse.enhanced) == (550, "5.7.25")
        trouble = running.send(Client("198.51.100.80"), "mail.unlucky.example", "c@unlucky.example").rcpts[0]
        assert (trouble.code, trouble.enhanced) == (451, "4.7.25")
        assert "Temporary DNS error, please try again later" in trouble.text
        logged = "action=tempfail rule=dns-trouble qid=NOQUEUE iprev=temperror"
        assert facts(running.new_decisions(3)[2], logged) == logged


def test_observe_mode_refuses_no_message(server: NameServer) -> None:
    with attached(server, milter={"mode": "observe"}) as running:
        check_observed(running, REFUSED)


def test_a_burst_with_silent_dns_is_not_served_two_at_a_time(server: NameServer) -> None:
    with attached(server) as running:
        check_burst(running)
