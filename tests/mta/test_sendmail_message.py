"""The milter behind a real Sendmail: changes of an accepted message, and what Sendmail tells a milter. RFC 8601, RFC 7208 9.1."""

from __future__ import annotations

import re
from typing import Any

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.probe import Probe
from tests.kit.mta.sendmail import LOGIN, OWN_ADDRESS, OWN_ADDRESS_6, Sendmail
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import send
from tests.mta.attached import (
    GOOD,
    GOOD_FROM,
    GOOD_HELO,
    HOST,
    USER,
    AttachedSendmail,
    attached_sendmail,
    facts,
)
from tests.mta.test_postfix_message import FORGED

OURS = f"""\
{HOST};
\tiprev=pass policy.iprev=192.0.2.10 (mail.good.example);
\tspf=none smtp.helo=mail.good.example;
\tspf=pass smtp.mailfrom=good.example (a:mail.good.example)"""
ANY_ADDRESS = "IPv6:0:0:0:0:0:0:0:0"  # {daemon_addr} where the daemon listens on all addresses, with Family=inet6
REST = [("From", GOOD_FROM), ("Date", "Sat, 21 Nov 2026 02:08:25 +0000"), ("Message-Id", "<1@good.example>")]


def test_header_of_a_queued_message(default_sendmail: AttachedSendmail) -> None:
    dialogue = default_sendmail.send(GOOD, GOOD_HELO, GOOD_FROM, headers=[*FORGED, *REST])
    default_sendmail.new_decisions()
    first, received, *kept = default_sendmail.sendmail.headers(dialogue.queue_id)
    assert first == ("Authentication-Results", OURS)
    assert received[0] == "Received"
    assert f"by {HOST} (8." in received[1]
    assert sorted(kept) == sorted([FORGED[1], FORGED[3], FORGED[4], *REST])


def test_header_of_a_delivered_message(names: NameServer) -> None:
    with attached_sendmail(names) as running:
        sent = running.send(GOOD, GOOD_HELO, GOOD_FROM, "one@rcpt.example", headers=[*FORGED, *REST], body=b"text\r\n")
        running.sendmail.run_queue()
        running.sendmail.await_log(rf"{sent.queue_id}: to=<one@rcpt.example>, .*stat=Sent")
        message = running.sendmail.delivered("one")
    separator, _, message = message.partition("\n")
    assert separator.startswith(f"From {GOOD_FROM} ")
    header, _, body = message.partition("\n\n")
    assert header.startswith(
        f"Authentication-Results: {OURS}\nReceived: from mail.good.example (mail.good.example [192"
    )
    results = re.findall(r"^authentication-results\s*: *(\S+)", header, re.MULTILINE | re.IGNORECASE)
    assert results == [f"{HOST};", "mx.elsewhere.example;", "other.example;"]
    assert body.strip() == "text"


def test_forged_results_are_removed_for_any_client(
    default_sendmail: AttachedSendmail,
) -> None:
    for client, left in ((Client("203.0.113.9", login=LOGIN), 2), (Client("10.0.0.1"), 2)):
        dialogue = default_sendmail.send(client, "host.example", GOOD_FROM, headers=FORGED)
        default_sendmail.new_decisions()
        names = [name.strip().lower() for name, _ in default_sendmail.sendmail.headers(dialogue.queue_id)]
        assert names.count("authentication-results") == left


def test_tag_field(default_sendmail: AttachedSendmail) -> None:
    dialogue = default_sendmail.send(Client("203.0.113.44"), "203-0-113-44.dyn.isp.example", "joe@isp.example")
    default_sendmail.new_decisions()
    fields = default_sendmail.sendmail.headers(dialogue.queue_id)
    assert [name for name, _ in fields[:3]] == ["Authentication-Results", "X-Rdns-Milter", "Received"]
    assert fields[1][1].split()[:3] == ["tag", "rule=generic-name", "iprev=pass"]


def test_what_the_header_options_change(names: NameServer) -> None:
    headers = {"authserv_id": "id.example", "received_spf": True, "tag": "X-Weighed", "remove_forged": False}
    with attached_sendmail(names, headers=headers) as running:
        sent = [("Authentication-Results", "id.example; none"), *REST]
        dialogue = running.send(GOOD, GOOD_HELO, "x@soft.example", headers=sent)
        running.new_decisions()
        fields = running.sendmail.headers(dialogue.queue_id)
    assert [name for name, _ in fields[:4]] == ["Authentication-Results", "Received-SPF", "X-Weighed", "Received"]
    assert fields[0][1].startswith("id.example;\n\tiprev=pass")
    assert fields[1][1].startswith("softfail\n\t(id.example: soft.example does not seem to authorize 192.0.2.10)")
    assert fields[2][1].startswith("tag rule=spf-softfail")
    assert sent[0] in fields[4:]


def test_quarantine_and_release(names: NameServer) -> None:
    """Quarantine as the documentation describes it: where it is shown, that a queue run leaves it alone, and how it is released."""
    rules = '[[rule]]\nname = "suspect"\nwhen = { spf_mailfrom = "softfail" }\naction = "quarantine"\n'
    with attached_sendmail(names, rules) as running:
        sendmail = running.sendmail
        through = running.send(GOOD, GOOD_HELO, GOOD_FROM, "good@rcpt.example")
        kept = running.send(GOOD, GOOD_HELO, "x@soft.example", "kept@rcpt.example")
        assert kept.accepted
        assert (sendmail.queued(), sendmail.held()) == ([through.queue_id], [kept.queue_id])
        first, second = running.new_decisions(2)
        logged = f"action=quarantine rule=suspect qid={kept.queue_id} reply="
        assert (first["action"], facts(second, logged)) == ("accept", logged)
        sendmail.run_queue()
        assert (sendmail.queued(), sendmail.held()) == ([], [kept.queue_id])
        assert sendmail.delivered("good").count("\nFrom: ") == 1
        assert "suspect" not in sendmail.run_queue("-bp")
        listed = sendmail.run_queue("-bp", "-qQ")
        assert kept.queue_id in listed
        assert "QUARANTINE: rdns-milter: rule suspect" in listed
        sendmail.run_queue("-qQ", "-Q", f"-qI{kept.queue_id}")
        assert (sendmail.queued(), sendmail.held()) == ([kept.queue_id], [])
        sendmail.run_queue()
        assert "smtp.mailfrom=soft.example" in sendmail.delivered("kept")


TLS_RULE = '[[rule]]\nname = "encrypted"\nwhen = { tls = true }\naction = "tag"\n'


def test_encrypted_or_not(names: NameServer) -> None:
    with attached_sendmail(names, TLS_RULE, sendmail={"tls": True}) as running:
        for encrypted in (True, False):
            with running.sendmail.connect_as(GOOD, 20) as smtp:
                smtp.helo(GOOD_HELO)
                if encrypted:
                    assert smtp.starttls().ok
                    smtp.helo(GOOD_HELO)
                assert smtp.message(GOOD_FROM, [USER]).ok
        assert [decision["rule"] for decision in running.new_decisions(2)] == ["encrypted", "default"]


# A client of Sendmail's, and the macros that it sends at CONNECT, if asked.
SAID_OF: list[tuple[Client, dict[str, str]]] = [
    (GOOD, {"{client_addr}": "192.0.2.10", "{client_name}": "mail.good.example", "{client_ptr}": "mail.good.example",
            "{client_resolve}": "OK", "{if_addr}": OWN_ADDRESS, "_": "mail.good.example [192.0.2.10]"}),
    (Client("2001:db8::10"), {"{client_addr}": "IPv6:2001:db8:0:0:0:0:0:10", "{client_name}": "mail.good.example",
                              "{client_resolve}": "OK", "{if_addr}": f"IPv6:{OWN_ADDRESS_6.replace('::', ':0:0:0:0:0:')}"}),
    (Client("198.51.100.20"), {"{client_addr}": "198.51.100.20", "{client_name}": "[198.51.100.20]",
                               "{client_ptr}": "[198.51.100.20]", "{client_resolve}": "FAIL"}),
    (Client("198.51.100.30"), {"{client_name}": "[198.51.100.30]", "{client_ptr}": "mail.good.example",
                               "{client_resolve}": "FORGED", "_": "mail.good.example [198.51.100.30] (may be forged)"}),
    (Client("198.51.100.80"), {"{client_name}": "[198.51.100.80]", "{client_resolve}": "TEMP"}),
]  # fmt: skip
ASKED = "j _ {daemon_addr} {if_addr} {client_addr} {client_name} {client_ptr} {client_resolve}"


def events(probe: Probe, sendmail: Sendmail, client: Client, **more: Any) -> list[dict[str, Any]]:
    """Return the callbacks for a message from that client."""
    before = len(probe.events())
    assert send(sendmail.address, client, connect_as=sendmail.connect_as, **more).accepted
    return [event for event in probe.events()[before:] if event["event"] != "close"]


def test_what_sendmail_says_of_a_client_where_its_configuration_tells_it_to(names: NameServer) -> None:
    setting = f"define(`confMILTER_MACROS_CONNECT', `{', '.join(ASKED.split())}')dnl"
    with Probe() as probe, Sendmail(probe.socket, host=HOST, settings=[setting]) as sendmail:
        for client, logged in SAID_OF:
            connect, *_, end = events(probe, sendmail, client)
            assert {name: connect["macros"].get(name) for name in logged} == logged
            assert connect["macros"]["j"] == HOST
            assert connect["macros"]["{daemon_addr}"] == ANY_ADDRESS, "of no use: so we take {if_addr}"
            assert end["macros"]["i"] in sendmail.queued()


def test_macros_of_sendmail_by_default_and_if_asked_for(names: NameServer) -> None:
    """A milter that asks by the protocol gets what it asks for, and nothing else at that stage: README need not tell anybody to
    set confMILTER_MACROS_CONNECT."""
    for options, expected in (
        ((), {"j": HOST, "_": "mail.good.example [192.0.2.10]", "{daemon_name}": "MTA", "{if_addr}": OWN_ADDRESS}),
        (("symlist",), {"{client_addr}": "192.0.2.10", "{client_ptr}": "mail.good.example"}),
    ):
        with Probe("inet", *options) as probe, Sendmail(probe.socket, host=HOST) as sendmail:
            connect, *_ = events(probe, sendmail, GOOD)
            macros = {name: value for name, value in connect["macros"].items() if name != "{if_name}"}
            assert macros == expected
            mail = next(
                event
                for event in events(probe, sendmail, Client("203.0.113.9", login=LOGIN))
                if event["event"] == "mail"
            )
            assert (mail["macros"]["{auth_authen}"], mail["macros"]["{auth_type}"]) == (LOGIN, "PLAIN")
            assert mail["macros"]["i"] in sendmail.queued()
