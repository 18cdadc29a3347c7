"""The forecast's reader of logs that Postfix writes behind content filters, with header_checks and for VRFY."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from rdns_milter.logs.mta_deliveries import ACCEPTED, DEFERRED, REFUSED, Delivery, deliveries
from tests.kit.mta.postfix import Postfix, installed
from tests.kit.smtp import smtp_client
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Smtp

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")

CLIENT = Client("203.0.113.7", name="mail.good.example")
HELO, SENDER = "greets.good.example", "anna@good.example"
FIRST, SECOND = "user@rcpt.example", "info@rcpt.example"
# The filter changes nothing: the server behind it matters.
INNER = "{inner} inet n - n - 10 smtpd -o content_filter= -o smtpd_proxy_filter= -o syslog_name=postfix/inner"
XFORWARD = " -o smtpd_authorized_xforward_hosts=127.0.0.0/8"
SCAN = "scan unix - - n - 5 smtp -o smtp_send_xforward_command=yes\n"
TAKEN = Delivery("203.0.113.7", None, SENDER, (SECOND, FIRST), False, ACCEPTED)
GREETED = Delivery("203.0.113.7", HELO, SENDER, (SECOND, FIRST), False, ACCEPTED)

PATIENCE = 20.0
CHECKS = """/^Subject: warn/ WARN look <here>
/^Subject: hold/ HOLD
/^Subject: discard/ DISCARD gone
/^Subject: refuse/ REJECT 5.7.1 not such a one
/^Subject: later/ REJECT 4.7.1 not now
/^Subject: replace/ REPLACE Subject: x
/^Subject: prepend/ PREPEND X-Seen: yes
/^Subject: redirect/ REDIRECT other@rcpt.example
/^Subject: filter/ FILTER discard:thus
/^Subject: info/ INFO seen
"""


def send(postfix: Postfix, subject: str = "kit") -> None:
    smtp_client.send(
        postfix.address, CLIENT, helo=HELO, mailfrom=SENDER, rcpts=[FIRST, SECOND], headers=(("Subject", subject),)
    )


def awaited(postfix: Postfix, text: str, count: int) -> None:
    """Wait until the log contains the text this many times."""
    until = time.monotonic() + PATIENCE
    while postfix.log().count(text) < count:
        assert time.monotonic() < until, f"not {count} times {text!r} in\n{postfix.log()}"
        time.sleep(0.05)


def read(postfix: Postfix) -> list[Delivery]:
    """Return the deliveries; delivery agents may take recipients in any order."""
    found = deliveries(postfix.log().splitlines())
    return [replace(each, rcpts=tuple(sorted(each.rcpts))) for each in found]


@pytest.mark.parametrize("more", [XFORWARD, ""], ids=["xforward", "plain"])
def test_after_the_queue(more: str) -> None:
    with Postfix(services=f"{INNER}{more}\n{SCAN}", content_filter="scan:{inner}") as postfix:
        send(postfix)
        back = postfix.await_log(r"queued as (\w+)")[1]
        postfix.await_log(rf"{back}: removed")
        awaited(postfix, ": removed", 2)
        assert f"{back}: client=unknown[127.0.0.1]{', orig_queue_id=' if more else chr(10)}" in postfix.log()
        assert read(postfix) == [TAKEN]


@pytest.mark.parametrize("more", [XFORWARD, ""], ids=["xforward", "plain"])
def test_before_the_queue(more: str) -> None:
    with Postfix(services=f"{INNER}{more}\n", smtpd_proxy_filter="{inner}") as postfix:
        send(postfix)
        queue_id = postfix.await_log(r"proxy-accept: .*queued as (\w+)")[1]
        postfix.await_log(rf"{queue_id}: removed")
        assert read(postfix) == [GREETED]


def test_refused_before_the_queue(tmp_path: Path) -> None:
    cleanup = f"strict unix n - n - 0 cleanup -o header_checks=regexp:{checks(tmp_path)}"
    services = f"{INNER}{XFORWARD} -o cleanup_service_name=strict\n{cleanup}\n"
    with Postfix(services=services, smtpd_proxy_filter="{inner}") as postfix:
        for subject in ("refuse", "later"):
            send(postfix, subject)
        awaited(postfix, "proxy-reject: ", 2)
        assert [(each.helo, each.outcome) for each in read(postfix)] == [(HELO, REFUSED), (HELO, DEFERRED)]


def checks(tmp_path: Path) -> Path:
    path = tmp_path / "checks"
    path.write_text(CHECKS)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    return path


def test_header_checks_tell_the_greeting(tmp_path: Path) -> None:
    forged = "warn from evil[192.0.2.99]; from=<x@evil.example> to=<y@rcpt.example> proto=ESMTP helo=<evil.example>"
    accepted = (forged, "hold", "discard", "replace", "prepend", "redirect", "filter", "info")
    with Postfix(header_checks=f"regexp:{checks(tmp_path)}") as postfix:
        for subject in (*accepted, "refuse", "later"):
            send(postfix, subject)
        awaited(postfix, "helo=<greets.good.example>", 10)
        awaited(postfix, ": removed", 6)
        found = read(postfix)
    assert {(each.client, each.helo, each.sender) for each in found} == {("203.0.113.7", HELO, SENDER)}
    assert sorted(each.outcome for each in found) == sorted([ACCEPTED] * len(accepted) + [DEFERRED, REFUSED])
    assert {rcpt for each in found for rcpt in each.rcpts} == {FIRST, SECOND}


def test_vrfy_is_no_mail() -> None:
    with Postfix(smtpd_relay_restrictions="reject") as postfix, Smtp(postfix.address) as session:
        session.xclient(CLIENT)
        session.helo(HELO)
        session.command(b"VRFY <nobody@elsewhere.example>")
        session.command(b"VRFY user@rcpt.example")
        postfix.await_log("reject: VRFY from mail.good.example")
        session.command(b"QUIT")
        postfix.await_log("disconnect from mail.good.example")
        assert read(postfix) == []
