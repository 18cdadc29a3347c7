"""The tests' own MTA side of the milter protocol beside a real Postfix: it tells a milter the same, and edits messages the same.

And a smoke test of the private Postfix and of the SMTP client that all tests of this folder use.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.milter.probe import Probe
from tests.kit.milter.process_group import ends_with_its_parent
from tests.kit.milter.transaction import RECEIVED, deliver
from tests.kit.mta.postfix import Postfix, PostfixFailed, installed
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import send

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")

CLIENTS = [
    Client("203.0.113.7", name="mail.spoof.example"),
    Client("203.0.113.8"),
    Client("203.0.113.9", login="joe"),
    Client("203.0.113.9", trouble=True),
    Client("2001:db8::25", name="six.spoof.example"),
    Client("203.0.113.9", reverse_name="claimed.example"),
]
ASKED = "j v _ {daemon_name} {daemon_addr} {client_addr} {client_name} {client_port} {client_ptr}"
# Postfix sends these without being asked (and those of TLS).
DEFAULT = frozenset(
    ("i", "j", "v", "_", "{daemon_name}", "{daemon_addr}", "{auth_authen}", "{auth_type}", "{mail_addr}", "{rcpt_addr}")
)
FIELDS = [
    ("From", "a@sender.example"),
    ("Date", "Sat, 21 Nov 2026 02:08:25 +0000"),
    ("Message-Id", "<1@sender.example>"),
    *(("X-A", "1"), ("Received", "from elsewhere"), ("X-A", "2"), ("X-A", "3")),
]


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with Probe("unix") as running:
        yield running


@pytest.fixture(scope="module")
def postfix(probe: Probe) -> Iterator[Postfix]:
    with Postfix(probe.socket, hold=True, milter_connect_macros=ASKED) as running:
        yield running


def test_a_message_by_xclient_is_held(postfix: Postfix) -> None:
    dialogue = send(postfix.address, CLIENTS[0], helo="mail.spoof.example", body=b".dot\r\n\xff\r\n")
    assert dialogue.accepted
    assert dialogue.reply("xclient")
    assert postfix.held() == [dialogue.queue_id]
    headers = dict(postfix.headers(dialogue.queue_id))
    assert headers["Received"].startswith("from mail.spoof.example (mail.spoof.example [203.0.113.7])\n\tby ")
    assert headers["Subject"] == "kit"
    assert postfix.message(dialogue.queue_id).endswith("\n\n.dot\n\udcff\n")
    postfix.await_log(rf"{dialogue.queue_id}: client=mail.spoof.example\[203.0.113.7\]")
    postfix.delete("ALL")
    assert postfix.held() == []


def without_close(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] != "close"]


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_the_kit_tells_a_milter_what_postfix_tells_it(postfix: Postfix, probe: Probe, client: Client) -> None:
    before = len(probe.events())
    rcpts = ["b@rcpt.example", "c@rcpt.example"]
    assert send(postfix.address, client, rcpts=rcpts).accepted, postfix.log()
    real = without_close(probe.events()[before:])
    real = real[[event["event"] for event in real].index("connect", 1) :]  # XCLIENT causes the second CONNECT
    before = len(probe.events())
    deliver(
        probe.socket,
        client=client,
        rcpts=rcpts,
        headers=[(event["name"], event["value"]) for event in real if event["event"] == "header"],
        macros={
            "i": real[-1]["macros"]["i"],
            "v": real[0]["macros"]["v"],
            "auth_type": "XCLIENT" if client.login else "",
        },
    )
    ours = without_close(probe.events()[before:])
    assert [event["event"] for event in ours] == [event["event"] for event in real]
    for mine, theirs in zip(ours, real, strict=True):
        macros = theirs.pop("macros", {})
        assert {name: value for name, value in mine.pop("macros", {}).items() if value} == {
            name: value for name, value in macros.items() if name in DEFAULT and value
        }
        assert mine == theirs


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
def test_the_kit_applies_changes_as_postfix_does(postfix: Postfix, probe: Probe, wishes: list[str]) -> None:
    headers = [*FIELDS, *(("X-Do", wish) for wish in wishes)]
    real = postfix.headers(send(postfix.address, headers=headers).queue_id)
    own = next(at for at, (name, value) in enumerate(real) if "(Postfix)" in value)
    real[own] = RECEIVED
    assert list(deliver(probe.socket, headers=headers).headers) == real


def test_a_failed_start_says_why_and_leaves_nothing() -> None:
    failing = Postfix(inet_protocols="bogus")
    with pytest.raises(PostfixFailed, match="bogus"), failing:
        pass
    assert failing.master is None
    assert not failing.base.exists()


def test_it_ends_with_the_process_that_started_it() -> None:
    assert ends_with_its_parent(
        "from tests.kit.mta.postfix import Postfix\nwith Postfix() as p:", "p.master.pid, p.base"
    )
