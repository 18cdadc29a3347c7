"""The milter behind a real Postfix: changes of an accepted message. RFC 8601, RFC 7208 9.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.endpoint import postfix_style
from tests.kit.milter.probe import Probe
from tests.kit.smtp.client_identity import Client
from tests.mta.attached import (
    GOOD,
    GOOD_FROM,
    GOOD_HELO,
    HOST,
    Attached,
    attached,
    facts,
)

FORGED = [
    ("Authentication-Results", f"{HOST}; spf=pass smtp.mailfrom=bank.example"),
    ("Authentication-Results", "mx.elsewhere.example; dkim=pass header.d=good.example"),
    ("authentication-results", f'(a comment)\n\t"{HOST.upper()}" 1; iprev=pass policy.iprev=192.0.2.10'),
    ("Received", "from somewhere by elsewhere; Sat, 21 Nov 2026 02:08:25 +0000"),
    ("Authentication-Results", "other.example; none"),
    ("Authentication-Results ", f"{HOST} ; dmarc=pass"),
]


def test_header_of_a_queued_message(default: Attached) -> None:
    rest = [("From", GOOD_FROM), ("Date", "Sat, 21 Nov 2026 02:08:25 +0000"), ("Message-Id", "<1@good.example>")]
    dialogue = default.send(GOOD, GOOD_HELO, GOOD_FROM, headers=[*FORGED, *rest])
    default.new_decisions()
    first, received, *kept = default.postfix.headers(dialogue.queue_id)
    assert first == (
        "Authentication-Results",
        f"{HOST};\n\tiprev=pass policy.iprev=192.0.2.10 (mail.good.example);\n\tspf=none smtp.helo=mail.good.example;\n"
        "\tspf=pass smtp.mailfrom=good.example (a:mail.good.example)",
    )
    assert received[0] == "Received"
    assert "(Postfix)" in received[1]
    assert kept == [FORGED[1], FORGED[3], FORGED[4], *rest]


def test_forged_results_are_removed_for_any_client(default: Attached) -> None:
    for client, left in ((Client("203.0.113.9", login="joe"), 2), (Client("10.0.0.1"), 2)):
        dialogue = default.send(client, "host.example", GOOD_FROM, headers=FORGED)
        default.new_decisions()
        names = [name.strip().lower() for name, _ in default.postfix.headers(dialogue.queue_id)]
        assert names.count("authentication-results") == left


def test_tag_field(default: Attached) -> None:
    dialogue = default.send(Client("203.0.113.44"), "203-0-113-44.dyn.isp.example", "joe@isp.example")
    default.new_decisions()
    fields = default.postfix.headers(dialogue.queue_id)
    assert [name for name, _ in fields[:3]] == ["Authentication-Results", "X-Rdns-Milter", "Received"]
    assert fields[1][1].split() == [
        "tag",
        "rule=generic-name",
        "iprev=pass",
        "generic=yes",
        "helo_kind=fqdn",
        "helo=pass",
        "helo_match=same",
        "spf_helo=none",
        "spf_mailfrom=none",
    ]


def test_what_the_header_options_change(server: NameServer) -> None:
    headers = {"authserv_id": "id.example", "received_spf": True, "tag": "X-Weighed", "remove_forged": False}
    with attached(server, headers=headers) as running:
        sent = [("Authentication-Results", "id.example; none"), ("From", "joe@isp.example")]
        dialogue = running.send(GOOD, GOOD_HELO, "x@soft.example", headers=sent)
        running.new_decisions()
        fields = running.postfix.headers(dialogue.queue_id)
    names = ["Authentication-Results", "Received-SPF", "X-Weighed", "Received", "Authentication-Results", "From"]
    assert [name for name, _ in fields[:6]] == names
    assert fields[0][1].startswith("id.example;\n\tiprev=pass")
    assert fields[1][1].split("\n\t")[:2] == [
        "softfail",
        "(id.example: soft.example does not seem to authorize 192.0.2.10)",
    ]
    assert fields[2][1].startswith("tag rule=spf-softfail")


@pytest.mark.parametrize(
    ("sender", "result", "envelope_from"),
    [
        ("a@[192.0.2.9]", 'spf=none smtp.mailfrom="[192.0.2.9]"', '"a@[192.0.2.9]"'),
        ("root", f"spf=none smtp.mailfrom={HOST}", f'"root@{HOST}"'),  # as Postfix takes it: append_at_myorigin
        ("a@b\u00fccher.example", "spf=none smtp.mailfrom=xn--bcher-kva.example", '"a@xn--bcher-kva.example"'),
    ],
)
def test_senders_without_an_ascii_domain_name(
    with_received_spf: Attached, sender: str, result: str, envelope_from: str
) -> None:
    arguments = () if sender.isascii() else ("SMTPUTF8",)
    dialogue = with_received_spf.send(GOOD, "mail..example", sender, mail_args=arguments)
    with_received_spf.new_decisions()
    (_, results), (_, received_spf), *_ = with_received_spf.postfix.headers(dialogue.queue_id)
    assert results.split(";\n\t")[2:] == ['spf=none smtp.helo="mail..example"', result]
    assert f"envelope-from={envelope_from}" in received_spf.split()


@pytest.fixture(scope="module")
def with_received_spf(server: NameServer) -> Iterator[Attached]:
    """A milter that writes Received-SPF, behind a Postfix that accepts internationalized senders (RFC 6531)."""
    with attached(server, headers={"received_spf": True}, postfix={"smtputf8_enable": "yes"}) as running:
        yield running


def test_quarantine_holds_the_message(server: NameServer) -> None:
    rules = '[[rule]]\nname = "suspect"\nwhen = { spf_mailfrom = "softfail" }\naction = "quarantine"\n'
    with attached(server, rules, hold=False) as running:
        through = running.send(GOOD, GOOD_HELO, GOOD_FROM)
        kept = running.send(GOOD, GOOD_HELO, "x@soft.example")
        assert through.accepted
        assert running.postfix.held() == [kept.queue_id]
        first, second = running.new_decisions(2)
        logged = f"action=quarantine rule=suspect qid={kept.queue_id} reply="
        assert (first["action"], facts(second, logged)) == ("accept", logged)
        running.postfix.await_log(rf"{kept.queue_id}: milter-hold: END-OF-MESSAGE")


@pytest.mark.parametrize("first", [True, False])
def test_beside_another_milter_ours_must_be_the_first(server: NameServer, first: bool) -> None:
    """Postfix shows each milter what those before it have added: a result under our authserv-id from one of them is removed,
    too."""
    theirs = ("Authentication-Results", f"{HOST}; dkim=pass header.d=good.example")
    wish = ("X-Do", "insert 0 " + " ".join(theirs))
    with Probe("unix") as probe, attached(server) as running:
        ours = running.postfix.settings["smtpd_milters"]
        order = [ours, postfix_style(probe.socket)] if first else [postfix_style(probe.socket), ours]
        running.postfix.reload(smtpd_milters=", ".join(order))
        dialogue = running.send(GOOD, GOOD_HELO, GOOD_FROM, headers=[FORGED[0], FORGED[1], wish])
        running.new_decisions()
        results = [field for field in running.postfix.headers(dialogue.queue_id) if field[0] == theirs[0]]
    assert (theirs in results) is first
    assert FORGED[0] not in results
    assert results[-1] == FORGED[1]
