"""Postfix's log with content filters and header_checks, and lines that are about no mail. The lines are as Postfix 3.7 writes them,
with made-up names."""

from __future__ import annotations

import pytest

from rdns_milter.logs import mta_deliveries
from rdns_milter.logs.mta_deliveries import ACCEPTED, DEFERRED, REFUSED, Delivery, MailLog
from tests.unit.logs.test_mta_deliveries import found, sendmail

FROM_OUTSIDE = "mail.good.example[203.0.113.7]"
GOOD = Delivery("203.0.113.7", None, "anna@good.example", ("user@rcpt.example", "info@rcpt.example"), False, ACCEPTED)
GREETED = Delivery(
    "203.0.113.7", "mx.good.example", *[getattr(GOOD, name) for name in ("sender", "rcpts", "authenticated", "outcome")]
)
ENVELOPE = "from=<anna@good.example> to=<user@rcpt.example> proto=ESMTP helo=<mx.good.example>"


def message(queue_id: str, client: str, agent: str = "lmtp", pid: int = 1, removed: bool = True) -> tuple[str, ...]:
    """Return the lines of a message to two recipients."""
    to = "relay=127.0.0.1[127.0.0.1]:10024, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
    lines = (
        f"smtpd[{pid}]: {queue_id}: client={client}",
        f"cleanup[2]: {queue_id}: message-id=<x@y>",
        f"qmgr[3]: {queue_id}: from=<anna@good.example>, size=512, nrcpt=2 (queue active)",
        f"{agent}[4]: {queue_id}: to=<user@rcpt.example>, {to}",
        f"{agent}[4]: {queue_id}: to=<info@rcpt.example>, {to}",
        f"qmgr[3]: {queue_id}: removed",
    )
    return lines if removed else lines[:-1]


@pytest.mark.parametrize(
    "back",
    [
        "localhost[127.0.0.1]",
        "localhost[::1]",
        f"localhost[127.0.0.1], orig_queue_id=A1B2C3D4E5, orig_client={FROM_OUTSIDE}",
        f"filter.example[192.0.2.30], orig_queue_id=A1B2C3D4E5, orig_client={FROM_OUTSIDE}",
    ],
)
def test_after_the_queue_it_is_one_delivery(back: str) -> None:
    assert found(*message("A1B2C3D4E5", FROM_OUTSIDE, "smtp"), *message("B1B2C3D4E5", back)) == [GOOD]
    first, second = message("A1B2C3D4E5", FROM_OUTSIDE, "smtp"), message("B1B2C3D4E5", back)
    assert found(*first[:3], *second, *first[3:]) == [GOOD]


def proxied(
    queue_id: str = "", reply: str = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {}"
) -> tuple[str, ...]:
    return (
        "smtpd[9]: NOQUEUE: client=" + FROM_OUTSIDE,
        f"smtpd[9]: {queue_id}proxy-accept: END-OF-MESSAGE: {reply}; {ENVELOPE}",
    )


@pytest.mark.parametrize("orig", [f", orig_client={FROM_OUTSIDE}", ""])
@pytest.mark.parametrize("queue_id", ["", "NOQUEUE: "])
@pytest.mark.parametrize("late", [False, True])
def test_before_the_queue_it_is_the_clients(orig: str, queue_id: str, late: bool) -> None:
    first, accept = proxied(queue_id)
    lines = message("B1B2C3D4E5", f"localhost[127.0.0.1]{orig}")
    accept = accept.format("B1B2C3D4E5")
    # The queue manager may log before smtpd.
    assert found(first, *((*lines, accept) if late else (*lines[:2], accept, *lines[2:]))) == [GREETED]


def test_before_the_queue_where_the_filter_keeps_the_queue_id_to_itself() -> None:
    first, accept = proxied(reply="250 2.5.0 OK (2C225C68)")
    lines = message("B1B2C3D4E5", f"localhost[127.0.0.1], orig_client={FROM_OUTSIDE}")
    assert found(first, *lines, accept) == [GREETED]
    (delivery,) = found(first, *message("B1B2C3D4E5", "localhost[127.0.0.1]"), accept)
    assert (delivery.helo, delivery.rcpts) == ("mx.good.example", ("user@rcpt.example",))


def test_before_the_queue_without_the_server_before_it() -> None:
    """Its log may be on another host."""
    assert found(*message("B1B2C3D4E5", f"filter.example[192.0.2.30], orig_client={FROM_OUTSIDE}")) == [GOOD]
    assert found(*message("B1B2C3D4E5", "localhost[127.0.0.1], orig_client=unknown[unknown]")) == []


@pytest.mark.parametrize(
    ("reply", "outcome"), [("554 5.7.0 Reject, id=00020-01", REFUSED), ("451 4.3.0 later", DEFERRED)]
)
def test_refused_by_the_filter(reply: str, outcome: str) -> None:
    reject = f"smtpd[9]: NOQUEUE: proxy-reject: END-OF-MESSAGE: {reply}; {ENVELOPE}"
    (delivery,) = found(proxied()[0], reject)
    assert delivery == Delivery(
        "203.0.113.7", "mx.good.example", "anna@good.example", ("user@rcpt.example",), False, outcome
    )
    (delivery,) = found(reject.replace("MESSAGE:", f"MESSAGE from {FROM_OUTSIDE}:"))
    assert (delivery.client, delivery.outcome) == ("203.0.113.7", outcome)
    assert found(reject) == [], "nobody says whose it was"
    # The smtpd behind the filter logs it as well.
    code = reply[4:]
    behind = f"cleanup[2]: B1B2C3D4E5: reject: header Subject: x from {FROM_OUTSIDE}; {ENVELOPE}: {code}"
    client = f"smtpd[8]: B1B2C3D4E5: client=localhost[127.0.0.1], orig_client={FROM_OUTSIDE}"
    (delivery,) = found(proxied()[0], client, behind, reject)
    assert (delivery.client, delivery.outcome) == ("203.0.113.7", outcome)


def test_login_before_a_filter() -> None:
    first, accept = proxied()
    lines = message("B1B2C3D4E5", f"localhost[127.0.0.1], orig_client={FROM_OUTSIDE}")
    (delivery,) = found(first + ", sasl_method=PLAIN, sasl_username=anna", *lines, accept.format("B1B2C3D4E5"))
    assert delivery.authenticated


def test_what_waits_behind_a_filter_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mta_deliveries, "MAX_WAITING", 10)
    log, complete = MailLog(), 0
    for number in range(100):
        for line in message(f"B1B2C3{number:04}", f"localhost[127.0.0.1], orig_client={FROM_OUTSIDE}"):
            complete += len(log.add(f"Nov 21 03:53:19 mx postfix/{line}"))
    assert (complete, len(log._waiting)) == (90, 10)
    for number in range(100):
        for line in message(f"C1B2C3{number:04}", f"localhost[127.0.0.1], orig_client={FROM_OUTSIDE}")[:1]:
            log.add(f"Nov 21 03:53:19 mx postfix/{line}")
        envelope = ENVELOPE.replace("anna", f"a{number}")
        end = f"C1B2C3{number:04}: reject: header Subject: x from {FROM_OUTSIDE}; {envelope}: 5.7.1 no"
        assert len(log.add(f"Nov 21 03:53:19 mx postfix/cleanup[2]: {end}")) == 1
    assert len(log._refused_behind) <= 10


def test_loopback_is_not_outside() -> None:
    for client in ("localhost[127.0.0.1]", "localhost[127.8.9.1]", "localhost[::1]"):
        assert found(*message("B1B2C3D4E5", client)) == []
        assert found(f"smtpd[1]: NOQUEUE: reject: RCPT from {client}: 550 5.1.1 no; {ENVELOPE}") == []
    lines = (
        "sm-mta[1]: 5AL3rJ7c000001: from=<anna@good.example>, size=512, nrcpts=1, proto=ESMTP, relay=localhost [127.0.0.1]",
        "sm-mta[1]: 5AL3rJ7c000001: to=<user@rcpt.example>, delay=1, stat=Sent",
    )
    assert sendmail(*lines) == []


@pytest.mark.parametrize("stage", ["VRFY", "ETRN"])
def test_commands_that_carry_no_mail(stage: str) -> None:
    assert (
        found(
            f"smtpd[1]: NOQUEUE: reject: {stage} from {FROM_OUTSIDE}: 450 4.1.2 no; from=<> to=<u@rcpt.example> proto=SMTP helo=<x>"
        )
        == []
    )
    assert (
        found(
            f"smtpd[1]: NOQUEUE: reject: {stage} from {FROM_OUTSIDE}: 502 5.5.1 no; to=<user@rcpt.example> proto=SMTP helo=<x>"
        )
        == []
    )
    assert found(f"smtpd[1]: NOQUEUE: reject: CONNECT from {FROM_OUTSIDE}: 554 5.7.1 no; proto=SMTP") == []


ACTIONS = ("warning", "hold", "redirect", "filter", "prepend", "replace", "info", "bcc", "strip")


@pytest.mark.parametrize(
    "where",
    ["header Subject: offer", "body offer", "mime-header Content-Type: x/y", "header X: a; b <c@d.example> [e]"],
)
@pytest.mark.parametrize("text", ["", ": see <https://rcpt.example/>", ": 5.7.1 x"])
def test_content_checks_log_the_helo_name(where: str, text: str) -> None:
    for action in ACTIONS:
        lines = message("A1B2C3D4E5", FROM_OUTSIDE)
        check = f"cleanup[2]: A1B2C3D4E5: {action}: {where} from {FROM_OUTSIDE}; {ENVELOPE}{text}"
        assert found(*lines[:1], check, *lines[2:]) == [GREETED]


@pytest.mark.parametrize(
    ("action", "text", "outcome"),
    [
        ("reject", "5.7.1 no", REFUSED),
        ("reject", "4.7.1 later", DEFERRED),
        ("reject", "", REFUSED),
        ("discard", "gone", ACCEPTED),
    ],
)
def test_outcomes_of_content_checks(action: str, text: str, outcome: str) -> None:
    check = f"cleanup[2]: A1B2C3D4E5: {action}: body x from {FROM_OUTSIDE}; {ENVELOPE}{f': {text}' if text else ''}"
    (delivery,) = found(message("A1B2C3D4E5", FROM_OUTSIDE)[0], check)
    assert delivery == Delivery(
        "203.0.113.7", "mx.good.example", "anna@good.example", ("user@rcpt.example",), False, outcome
    )


FORGED = "from evil.example[192.0.2.99]; from=<x@evil.example> to=<y@rcpt.example> proto=ESMTP helo=<evil.example>"


def test_a_subject_that_looks_like_the_end_of_the_line() -> None:
    for forged in (
        FORGED,
        FORGED.replace("192.0.2.99", "203.0.113.7"),
        f"{FORGED}: {FORGED}",
        f"from {FROM_OUTSIDE}; from=<",
    ):
        lines = message("A1B2C3D4E5", FROM_OUTSIDE)
        check = f"cleanup[2]: A1B2C3D4E5: warning: header Subject: {forged} from {FROM_OUTSIDE}; {ENVELOPE}"
        assert found(*lines[:1], check, *lines[2:]) == [GREETED]


def test_a_greeting_that_looks_like_another_client() -> None:
    lines = message("A1B2C3D4E5", FROM_OUTSIDE)
    check = f"cleanup[2]: A1B2C3D4E5: warning: body x from {FROM_OUTSIDE}; {ENVELOPE[:-1]}> {FORGED}>"
    assert {each.client for each in found(*lines[:1], check, *lines[2:])} == {"203.0.113.7"}


def test_hostile_content_takes_no_time() -> None:
    for piece in (FORGED, "> to=<", "; from=<", " from x[203.0.113.7]; from=<", ": ", "helo=<", "> proto=x helo=<"):
        check = f"cleanup[2]: A1B2C3D4E5: warning: header {piece * 20_000} from {FROM_OUTSIDE}; {ENVELOPE}"
        assert len(found(message("A1B2C3D4E5", FROM_OUTSIDE)[0], check)) <= 1


def test_sendmail_knows_no_such_user() -> None:
    from_ = "sm-mta[1]: 5AL3rJ7c000001: from=<anna@good.example>, size=0, class=0, nrcpts={}, proto=ESMTP, relay=x [192.0.2.10]"
    to = "sm-mta[1]: 5AL3rJ7c000001: to=<user@rcpt.example>, delay=00:00:01, mailer=local, stat=Sent"
    for text, outcome in (
        ("User unknown", REFUSED),
        ("550 5.1.1 User unknown", REFUSED),
        ("451 4.1.8 later", DEFERRED),
    ):
        unknown = f"sm-mta[1]: 5AL3rJ7c000001: <gone@rcpt.example>... {text}"
        assert [(each.rcpts, each.outcome) for each in sendmail(unknown, from_.format(0))] == [
            (("gone@rcpt.example",), outcome)
        ]
        both = [(each.rcpts, each.outcome) for each in sendmail(unknown, from_.format(1), to)]
        assert both == [(("user@rcpt.example",), ACCEPTED), (("gone@rcpt.example",), outcome)]
    assert sendmail("sm-mta[1]: 5AL3rJ7c000001: <list@rcpt.example>... aliased to x", from_.format(1), to)[0].rcpts == (
        "user@rcpt.example",
    )
