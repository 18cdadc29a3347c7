"""The kit's private Postfix and its SMTP client; and that the kit's own MTA treats a message as the real one does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.milter.probe import Probe
from tests.kit.milter.process_group import alive, dies_with_us
from tests.kit.milter.transaction import RECEIVED, deliver
from tests.kit.mta.postfix import Postfix, PostfixFailed, installed
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Smtp, send

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = [
    Client("203.0.113.7", name="mail.spoof.example"),
    Client("203.0.113.8"),
    Client("203.0.113.9", login="joe"),
    Client("203.0.113.9", trouble=True),
    Client("2001:db8::25", name="six.spoof.example"),
]


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with Probe("unix") as running:
        yield running


@pytest.fixture(scope="module")
def bare() -> Iterator[Postfix]:
    with Postfix(hold=True) as running:
        yield running


@pytest.fixture(scope="module")
def attached(probe: Probe) -> Iterator[Postfix]:
    with Postfix(probe.socket, hold=True) as running:
        yield running


def test_a_message_by_xclient_is_held(bare: Postfix) -> None:
    dialogue = send(bare.address, CLIENTS[0], helo="mail.spoof.example", body=b".dot\r\n\xff\r\n")
    assert dialogue.accepted
    assert dialogue.reply("xclient")
    assert bare.held() == [dialogue.queue_id]
    headers = dict(bare.headers(dialogue.queue_id))
    assert headers["Received"].startswith("from mail.spoof.example (mail.spoof.example [203.0.113.7])\n\tby ")
    assert headers["Subject"] == "kit"
    assert bare.queue_headers(dialogue.queue_id) == bare.headers(dialogue.queue_id)
    assert bare.message(dialogue.queue_id).endswith("\n\n.dot\n\udcff\n")
    bare.await_log(rf"{dialogue.queue_id}: client=mail.spoof.example\[203.0.113.7\]")
    bare.delete("ALL")
    assert bare.held() == []


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.xclient())
def test_the_milter_sees_the_client(attached: Postfix, probe: Probe, client: Client) -> None:
    before = len(probe.events())
    dialogue = send(attached.address, client, helo="greeting.example", mailfrom="<>", mail_args=["BODY=8BITMIME"])
    assert dialogue.accepted
    told = probe.events()[before:]
    assert [event["hostaddr"][0] for event in told if event["event"] == "connect"] == ["127.0.0.1", client.address]
    last = {event["event"]: event for event in told}
    assert last["connect"]["hostname"] == client.hostname
    assert last["connect"]["hostaddr"][1] == client.port
    assert last["helo"]["name"] == "greeting.example"
    assert (last["mail"]["sender"], last["mail"]["arguments"]) == ("<>", ["BODY=8BITMIME"])
    assert last["mail"]["macros"].get("{auth_authen}", "") == client.login
    assert last["end"]["macros"]["i"] == dialogue.queue_id


@pytest.mark.parametrize("client", [*CLIENTS, Client("203.0.113.9", reverse_name="claimed.example")], ids=str)
def test_the_kit_tells_a_milter_what_postfix_tells_it(probe: Probe, client: Client) -> None:
    asked = "j v _ {daemon_name} {daemon_addr} {client_addr} {client_name} {client_port} {client_ptr}"
    with Postfix(probe.socket, milter_connect_macros=asked) as postfix:
        before = len(probe.events())
        dialogue = send(postfix.address, client, rcpts=["b@rcpt.example", "c@rcpt.example"])
        assert dialogue.accepted, postfix.log()
        real = [event for event in probe.events()[before:] if event["event"] != "close"]
    real = real[[event["event"] for event in real].index("connect", 1) :]
    before = len(probe.events())
    headers = [(e["name"], e["value"]) for e in real if e["event"] == "header"]
    queue_id = real[-1]["macros"]["i"]
    deliver(
        probe.socket,
        client=client,
        rcpts=["b@rcpt.example", "c@rcpt.example"],
        headers=headers,
        macros={"i": queue_id, "v": real[0]["macros"]["v"], "auth_type": "XCLIENT" if client.login else ""},
    )
    played = [event for event in probe.events()[before:] if event["event"] != "close"]
    assert [event["event"] for event in played] == [event["event"] for event in real]
    for mine, theirs in zip(played, real, strict=True):
        macros = theirs.pop("macros", {})
        assert {name: value for name, value in mine.pop("macros", {}).items() if value} == {
            name: value for name, value in macros.items() if name in DEFAULT and value
        }
        assert mine == theirs


# Asked for by no milter and no setting, Postfix sends these (and the TLS ones).
DEFAULT = {
    "i",
    "j",
    "v",
    "_",
    "{daemon_name}",
    "{daemon_addr}",
    "{auth_authen}",
    "{auth_type}",
    "{mail_addr}",
    "{rcpt_addr}",
}
FIELDS = [
    ("From", "a@sender.example"),
    ("Date", "Sat, 21 Nov 2026 02:08:25 +0000"),
    ("Message-Id", "<1@sender.example>"),
    *(("X-A", "1"), ("Received", "from elsewhere"), ("X-A", "2"), ("X-A", "3")),
]


@pytest.mark.parametrize(
    "wishes",
    [
        *(["insert 0 Top t"], ["insert 1 Top t"], ["insert 3 Top t"], ["insert 99 Top t"], ["add Low l"]),
        *(["change 1 X-A", "change 2 X-A"], ["change 2 X-A", "change 1 X-A"], ["change 0 X-A new"], ["change 9 X-A"]),
        *(["change 1 Received"], ["change 1 Received other"], ["change 2 Received other"], ["change 9 X-A added"]),
        *(["add X-A 4", "change 4 X-A four"], ["insert 0 X-A 0", "change 1 X-A"], ["add x-a 4", "change 2 x-A"]),
        *(["insert 0 Received 0", "change 1 Received"], ["change 1 X-A", "insert 2 Top t"]),
    ],
    ids="; ".join,
)
def test_the_kit_applies_changes_as_postfix_does(attached: Postfix, probe: Probe, wishes: list[str]) -> None:
    headers = [*FIELDS, *(("X-Do", wish) for wish in wishes)]
    real = attached.headers(send(attached.address, headers=headers).queue_id)
    own = next(at for at, (name, value) in enumerate(real) if "(Postfix)" in value)
    real[own] = RECEIVED
    assert list(deliver(probe.socket, headers=headers).headers) == real


def test_a_refused_recipient(attached: Postfix) -> None:
    dialogue = send(
        attached.address, CLIENTS[0], rcpts=["reply@rcpt.example", "tempfail@rcpt.example", "a@rcpt.example"]
    )
    assert [reply.code for reply in dialogue.rcpts] == [550, 451, 250]
    assert dialogue.rcpts[0].enhanced == "5.7.25"
    assert dialogue.rcpts[0].lines == ("5.7.25 first line", "5.7.25 second line")
    assert dialogue.accepted
    alone = send(attached.address, CLIENTS[0], rcpts=["reject@rcpt.example"])
    assert str(alone.verdict).startswith("550 5.7.1 ")
    assert not alone.accepted
    assert alone.reply("data") is None
    assert alone.queue_id == ""
    assert not send(attached.address, CLIENTS[0], rcpts=["b@elsewhere.example"]).accepted, "no open relay"


def test_quarantined_mail_is_held(probe: Probe) -> None:
    with Postfix(probe.socket) as postfix:
        through = send(postfix.address)
        postfix.await_log(rf"{through.queue_id}: removed")
        assert postfix.held() == []
        kept = send(postfix.address, headers=[("Subject", "x"), ("X-Do", "quarantine not sure")])
        assert postfix.held() == [kept.queue_id]
        postfix.await_log("milter-hold")


def test_settings_and_reload(probe: Probe) -> None:
    with Postfix("inet:1@127.0.0.1", milter_default_action="accept", hold=True) as postfix:
        port = postfix.port
        assert send(postfix.address, rcpts=["reply@rcpt.example"]).accepted, "no milter there, and told not to mind"
        postfix.reload(smtpd_milters=probe.socket)
        assert send(postfix.address, rcpts=["reply@rcpt.example"]).verdict.code == 550
        postfix.reload(smtpd_milters="", smtpd_helo_required="yes")
        assert send(postfix.address, helo=None).verdict.code == 503
        assert send(postfix.address, rcpts=["reply@rcpt.example"], esmtp=False).accepted
        assert (postfix.port, len(postfix.held())) == (port, 2)


def test_starting_asks_nothing_of_the_milter(probe: Probe) -> None:
    before = len(probe.events())
    with Postfix(probe.socket):
        assert probe.events()[before:] == []


def test_several_messages_and_raw_bytes_in_one_session(bare: Postfix) -> None:
    with Smtp(bare.address) as smtp:
        smtp.xclient(CLIENTS[0])
        smtp.helo("x.example")
        assert smtp.message().ok
        assert smtp.message(b"<a\xe4@sender.example>").code in (250, 500, 501, 553)
        assert smtp.command("RSET").ok
        smtp.send_raw(b"NOOP\r\nNOOP\r\n")
        assert [smtp.read_reply().code, smtp.read_reply().code] == [250, 250]
        assert smtp.dialogue.replies("xclient")[0].code == 220


def test_two_side_by_side_leave_nothing_behind() -> None:
    with Postfix(hold=True) as one, Postfix() as other:
        assert one.port != other.port
        send(one.address)
        assert (len(one.held()), other.held()) == (1, [])
        masters = [postfix.master.pid for postfix in (one, other) if postfix.master]
        assert all(alive(pid) for pid in masters)
        assert masters == [int((p.base / "spool/pid/master.pid").read_text()) for p in (one, other)]
    assert not any(alive(pid) for pid in masters)
    assert not one.base.exists()
    assert not other.base.exists()


def test_it_stops_after_a_failure() -> None:
    pids = []

    def fail_within(postfix: Postfix) -> None:
        with postfix:
            pids.extend([postfix.master.pid] if postfix.master else [])
            raise ZeroDivisionError

    postfix = Postfix()
    with pytest.raises(ZeroDivisionError):
        fail_within(postfix)
    assert [alive(pid) for pid in pids] == [False]
    assert not postfix.base.exists()


def test_a_failed_start_says_why_and_leaves_nothing() -> None:
    postfix = Postfix(inet_protocols="bogus")
    with pytest.raises(PostfixFailed, match="bogus"), postfix:
        pass
    assert postfix.master is None
    assert not postfix.base.exists()


def test_it_dies_with_us() -> None:
    assert dies_with_us("from tests.kit.mta.postfix import Postfix\nwith Postfix() as p:", "p.master.pid, p.base")
