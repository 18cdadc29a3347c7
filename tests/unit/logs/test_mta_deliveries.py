"""Deliveries in the log of Postfix or Sendmail, with every prefix and with text of hostile clients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.logs import mta_deliveries
from rdns_milter.logs.mta_deliveries import ACCEPTED, DEFERRED, REFUSED, Delivery, MailLog, deliveries
from tests.kit.data.strategies import hostile_text

HEAD = "Nov 21 03:53:19 mx postfix/"


def found(*lines: str, head: str = HEAD) -> list[Delivery]:
    return list(deliveries(head + line for line in lines))


GOOD = Delivery("192.0.2.10", None, "anna@good.example", ("user@rcpt.example",), False, ACCEPTED)
PLAIN = (
    "smtpd[1]: connect from mail.good.example[192.0.2.10]",
    "smtpd[1]: 4bQ1Xz2Lq9zT1: client=mail.good.example[192.0.2.10]",
    "cleanup[2]: 4bQ1Xz2Lq9zT1: message-id=<x@y>",
    "qmgr[3]: 4bQ1Xz2Lq9zT1: from=<anna@good.example>, size=512, nrcpt=1 (queue active)",
    "smtpd[1]: disconnect from mail.good.example[192.0.2.10] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
    "local[4]: 4bQ1Xz2Lq9zT1: to=<user@rcpt.example>, relay=local, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent",
    "qmgr[3]: 4bQ1Xz2Lq9zT1: removed",
)


def test_an_ordinary_delivery() -> None:
    assert found(*PLAIN) == [GOOD]
    log = MailLog()
    assert [log.add(HEAD + line) for line in PLAIN] == [[]] * 6 + [[GOOD]]
    assert log.rest() == []


@pytest.mark.parametrize(
    "head",
    [
        "postfix/",
        "2026-11-21T03:53:19.123456+01:00 mx postfix/",
        "<22>Nov  1 03:53:19 mx postfix/",
        "Sat 2026-11-21 03:53:19 UTC mx postfix/",
        "Nov 21 03:53:19 mx postfix-in/",
        "Nov 21 03:53:19 mx mx2-postfix/",
    ],
)
def test_with_the_prefix_of_a_log_daemon(head: str) -> None:
    assert found(*PLAIN, head=head) == [GOOD]


def test_solaris() -> None:
    assert found(*(line.replace("]: ", "]: [ID 197553 mail.info] ") for line in PLAIN)) == [GOOD]


@pytest.mark.parametrize(
    "line",
    [
        "Nov 21 03:53:19 mx dovecot: imap(user): postfix/smtpd[1]: A1B2C3: client=x[192.0.2.1]",
        "Nov 21 03:53:19 mx postfix/smtpd[1]: warning: postfix/smtpd[1]: A1B2C3: client=x[192.0.2.1]",
        "Nov 21 03:53:19 mx postfix/smtpd[1]: A1B2C3: client=unknown[unknown]",
        "Nov 21 03:53:19 mx postfix/pickup[1]: A1B2C3: uid=0 from=<root>",
        "A1B2C3: client=x[192.0.2.1]",
    ],
)
def test_other_lines_are_no_deliveries(line: str) -> None:
    queue = HEAD + "qmgr[3]: A1B2C3: from=<a@b.example>, size=512, nrcpt=1 (queue active)"
    to = HEAD + "local[4]: A1B2C3: to=<u@x.example>, relay=local, delay=0.1, status=sent"
    assert list(deliveries([line, queue, to])) == []


def test_login_and_address_forms() -> None:
    for client, address in (
        ("[2001:db8::7]", "2001:db8::7"),
        ("x[192.0.2.1]:4711", "192.0.2.1"),
        ("unknown[192.0.2.1]", "192.0.2.1"),
    ):
        for more, login in (("", False), (", sasl_method=PLAIN, sasl_username=joe", True)):
            lines = [PLAIN[1].replace("mail.good.example[192.0.2.10]", client + more), *PLAIN[3:6]]
            (delivery,) = found(*lines)
            assert (delivery.client, delivery.authenticated) == (address, login)


def test_recipients_as_they_were_in_rcpt() -> None:
    (delivery,) = found(
        *PLAIN[1:4],
        "virtual[4]: 4bQ1Xz2Lq9zT1: to=<box7@store.example>, orig_to=<info@rcpt.example>, relay=virtual, delay=0.1, status=sent",
        "smtp[4]: 4bQ1Xz2Lq9zT1: to=<other@rcpt.example>, relay=x[192.0.2.9]:25, delay=0.1, status=deferred (x)",
        "smtp[4]: 4bQ1Xz2Lq9zT1: to=<other@rcpt.example>, relay=x[192.0.2.9]:25, delay=9, status=sent (250 ok)",
        "lmtp[4]: 4bQ1Xz2Lq9zT1: to=<box8@store.example>, orig_to=<info@rcpt.example>, relay=x, delay=0.1, status=sent",
    )
    assert delivery.rcpts == ("info@rcpt.example", "other@rcpt.example")


def refusal(text: str, queue_id: str = "NOQUEUE", helo: str = " helo=<mail.evil.example>", stage: str = "RCPT") -> str:
    envelope = f"from=<offer@evil.example> to=<user@rcpt.example> proto=ESMTP{helo}"
    return f"smtpd[1]: {queue_id}: {text.split(' ')[0]}: {stage} from unknown[198.51.100.20]: {text.partition(' ')[2]}; {envelope}"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("reject 554 5.7.1 <user@rcpt.example>: Relay access denied", REFUSED),
        ("reject 450 4.7.25 Client host rejected: cannot find your hostname, [198.51.100.20]", DEFERRED),
        ("reject 504 5.5.2 <x;y: 450 4>: Helo command rejected: need fully-qualified hostname", REFUSED),
        ("milter-reject 550 5.7.25 Client host [198.51.100.20]: no reverse name; ask", REFUSED),
        ("milter-reject 451 4.7.25 Client host [198.51.100.20]: try; again", DEFERRED),
    ],
)
def test_refusals(text: str, outcome: str) -> None:
    expected = Delivery(
        "198.51.100.20", "mail.evil.example", "offer@evil.example", ("user@rcpt.example",), False, outcome
    )
    assert found(refusal(text)) == [expected]


def test_an_absent_helo_is_known_to_be_absent() -> None:
    (delivery,) = found(refusal("reject 554 5.7.1 no", helo=""))
    assert delivery.helo == ""


def test_postscreen() -> None:
    (delivery,) = found(
        "postscreen[1]: NOQUEUE: reject: RCPT from [198.51.100.20]:49152: 550 5.7.1 Service unavailable; client [198.51.100.20]"
        " blocked using x; from=<a@b.example>, to=<u@rcpt.example>, proto=ESMTP, helo=<ylmf-pc>"
    )
    assert delivery == Delivery("198.51.100.20", "ylmf-pc", "a@b.example", ("u@rcpt.example",), False, REFUSED)


HOLD = "smtpd[1]: NOQUEUE: hold: RCPT from x[192.0.2.10]: <{}>: Recipient address triggers HOLD action; from=<anna@good.example>"


def hold(rcpt: str, sender: str = "anna@good.example") -> str:
    return f"{HOLD.format(rcpt).replace('anna@good.example', sender)} to=<{rcpt}> proto=ESMTP helo=<mx.good.example>"


def test_the_greeting_of_accepted_mail_where_a_rule_logs_it() -> None:
    lines = [
        PLAIN[0],
        hold("first@rcpt.example"),
        PLAIN[1],
        hold("second@rcpt.example").replace("NOQUEUE", "4bQ1Xz2Lq9zT1"),
        refusal("reject 550 5.1.1 unknown user", "4bQ1Xz2Lq9zT1").replace("198.51.100.20", "192.0.2.10"),
        *PLAIN[4:5],
    ]
    refused, taken = found(*lines)
    assert (refused.outcome, refused.rcpts) == (REFUSED, ("user@rcpt.example",))
    assert taken.outcome == ACCEPTED
    assert taken.rcpts == ("first@rcpt.example", "second@rcpt.example")


def test_another_session_or_transaction_does_not_count() -> None:
    other = found(hold("a@rcpt.example"), "smtpd[1]: disconnect from x[192.0.2.10]", *PLAIN[1:6])
    assert other == [GOOD]
    another_process = found(hold("a@rcpt.example").replace("smtpd[1]", "smtpd[7]"), *PLAIN[1:6])
    assert another_process == [GOOD]
    another_client = found(hold("a@rcpt.example").replace("192.0.2.10", "192.0.2.99"), *PLAIN[1:6])
    assert another_client == [GOOD]
    (transaction,) = found(hold("a@rcpt.example", "other@x.example"), hold("b@rcpt.example"), PLAIN[1])
    assert (transaction.sender, transaction.rcpts) == ("anna@good.example", ("b@rcpt.example",))
    (refused,) = found(
        hold("user@rcpt.example"),
        refusal("milter-reject 550 5.7.1 no").replace("198.51.100.20", "192.0.2.10"),
        PLAIN[1],
    )
    assert refused.outcome == REFUSED


def test_refused_at_the_end_of_the_message() -> None:
    text = refusal("milter-reject 5.7.1 spam", "4bQ1Xz2Lq9zT1", stage="END-OF-MESSAGE").replace(
        "smtpd[1]", "cleanup[2]"
    )
    (delivery,) = found(
        hold("a@rcpt.example"), PLAIN[1], hold("b@rcpt.example").replace("NOQUEUE", "4bQ1Xz2Lq9zT1"), text, *PLAIN[3:]
    )
    assert (delivery.outcome, delivery.rcpts) == (REFUSED, ("a@rcpt.example", "b@rcpt.example"))
    (deferred,) = found(PLAIN[1], text.replace("5.7.1", "4.7.1"))
    assert deferred.outcome == DEFERRED


def test_queue_ids_are_used_again() -> None:
    again = [line.replace("192.0.2.10", "192.0.2.11").replace("anna@", "bob@") for line in PLAIN]
    first, second = found(*PLAIN[:6], *again)
    assert (first, second.client, second.sender) == (GOOD, "192.0.2.11", "bob@good.example")


def test_open_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mta_deliveries, "MAX_OPEN", 10)
    log, complete = MailLog(), 0
    for number in range(100):
        for line in (*PLAIN[1:4], PLAIN[5]):
            complete += len(
                log.add(
                    HEAD + line.replace("4bQ1Xz2Lq9zT1", f"4bQ1X{number:04}").replace("smtpd[1]", f"smtpd[{number}]")
                )
            )
        log.add(HEAD + hold("a@rcpt.example").replace("smtpd[1]", f"smtpd[{1000 + number}]"))
    assert complete == 90
    assert len(log.rest()) == 10
    assert len(log._sessions) <= 10


SENDMAIL = (
    "sm-mta[1]: 5AL3rJ7c000001: from=<anna@good.example>, size=512, class=0, nrcpts=2, msgid=<x@y>, proto=ESMTP, daemon=MTA-v4,"
    " relay=mail.good.example [192.0.2.10]",
    "sm-mta[2]: 5AL3rJ7c000001: to=<user@rcpt.example>,<info@rcpt.example>, delay=00:00:00, xdelay=00:00:00, mailer=local,"
    " pri=30512, dsn=2.0.0, stat=Sent",
)


def sendmail(*lines: str) -> list[Delivery]:
    return found(*lines, head="Nov 21 03:53:19 mx ")


def test_sendmail() -> None:
    (delivery,) = sendmail(*SENDMAIL)
    assert delivery == replace_rcpts(GOOD, "user@rcpt.example", "info@rcpt.example")
    for relay, address in (
        ("[192.0.2.9]", "192.0.2.9"),
        ("x.example [IPv6:2001:db8::7] (may be forged)", "2001:db8::7"),
        ("x.example [192.0.2.9] (may be forged)", "192.0.2.9"),
    ):
        (delivery,) = sendmail(SENDMAIL[0].replace("mail.good.example [192.0.2.10]", relay), SENDMAIL[1])
        assert delivery.client == address
    assert sendmail(SENDMAIL[0].replace("mail.good.example [192.0.2.10]", "root@localhost"), SENDMAIL[1]) == []
    (bounce,) = sendmail(SENDMAIL[0].replace("<anna@good.example>", "<>"), SENDMAIL[1])
    assert bounce.sender == ""
    (quoted,) = sendmail(SENDMAIL[0].replace("<anna@", r'<"a\\"b"@'), SENDMAIL[1])
    assert quoted.sender == r'"a\"b"@good.example', "a backslash is logged as two"


def replace_rcpts(delivery: Delivery, *rcpts: str) -> Delivery:
    return Delivery(delivery.client, delivery.helo, delivery.sender, rcpts, delivery.authenticated, delivery.outcome)


def test_sendmail_refuses() -> None:
    found_ = sendmail(
        "sm-mta[1]: 5AL3rJ7c000001: Milter: to=<user@rcpt.example>, reject=550 5.7.25 Client host [192.0.2.10]: no",
        "sm-mta[1]: 5AL3rJ7c000001: ruleset=check_rcpt, arg1=<x@other.example>, relay=[192.0.2.10], reject=451 4.7.1 later",
        *SENDMAIL,
    )
    assert [(delivery.rcpts, delivery.outcome) for delivery in found_] == [
        (("info@rcpt.example",), ACCEPTED),
        (("user@rcpt.example",), REFUSED),
        (("x@other.example",), DEFERRED),
    ]


def test_sendmail_login() -> None:
    (delivery,) = sendmail("sm-mta[1]: AUTH=server, relay=[192.0.2.10], authid=joe, mech=PLAIN, bits=0", *SENDMAIL)
    assert delivery.authenticated
    (delivery,) = sendmail(SENDMAIL[0].replace("proto=ESMTP,", "proto=ESMTPSA,"), SENDMAIL[1])
    assert delivery.authenticated


@pytest.mark.parametrize("proto", ["ESMTP", "ESMTPSA"])
@pytest.mark.parametrize(
    ("own", "forged"),
    [
        ("<anna@good.example>", "<proto=ESMTPA@good.example>"),
        ("<x@y>", "<x, proto=ESMTPSA, daemon=MTA, relay=y [192.0.2.1]>"),
        ("relay=mail", "relay=IDENT:x, proto=ESMTPA, daemon=MTA, relay=mail"),
    ],
    ids=["sender", "message id", "IDENT answer"],
)
def test_text_of_the_client_is_no_login(own: str, forged: str, proto: str) -> None:
    line = SENDMAIL[0].replace("proto=ESMTP,", f"proto={proto},").replace(own, forged)
    assert not any(delivery.authenticated for delivery in sendmail(line, SENDMAIL[1]))


@given(st.lists(hostile_text(200) | st.text(max_size=200), max_size=6))
def test_never_raises_and_every_client_is_an_address(texts: list[str]) -> None:
    heads = (
        "smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 ",
        "smtpd[1]: A1B2C3: client=",
        "qmgr[1]: A1B2C3: from=<",
    )
    lines = [HEAD + head + text for text in texts for head in heads] + texts
    for delivery in deliveries(lines):
        assert delivery.outcome in mta_deliveries.OUTCOMES
        assert delivery.rcpts


@given(hostile_text(100), hostile_text(100))
def test_hostile_envelopes(sender: str, helo: str) -> None:
    """A client can make its own line unreadable; it cannot appear as another client, or as two."""
    line = (
        f"smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.20]: 550 5.7.1 no; from=<{sender}> to=<u@rcpt.example>"
        f" proto=ESMTP helo=<{helo}>"
    )
    hits = found(line)
    assert len(hits) <= 1
    assert all((hit.client, hit.outcome) == ("198.51.100.20", REFUSED) for hit in hits)


def test_a_long_hostile_line_takes_no_time() -> None:
    for piece in ("; from=<", "> to=<", "[", "postfix/", "x[192.0.2.1]: 550 <", "; from=<a> to=<b> proto=ESMTP helo=<"):
        assert len(found(f"smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 {piece * 20_000}")) <= 1
