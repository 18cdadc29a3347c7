"""Verdicts through the running milter: each action, each way to judge, each kind of client and recipient."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.data.scenario import GOOD, GOOD6, GOOD_FROM, GOOD_HELO, LIAR, NAMELESS, OWN_NAME, RULES, TROUBLED, part
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import deliver
from tests.kit.smtp.client_identity import Client


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(rules=RULES, nameserver=server) as running:
        yield running
        assert [line for line in running.log().split("\n") if "internal error" in line] == []


# Actions


def test_accepted(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM)
    assert outcome.accepted
    assert [change.kind for change in outcome.changes] == ["insert"]
    assert outcome.headers[0] == (
        "Authentication-Results",
        f"{OWN_NAME};\n\tiprev=pass policy.iprev=192.0.2.1 (mail.good.example);\n"
        "\tspf=pass smtp.helo=mail.good.example (a);\n"
        "\tspf=pass smtp.mailfrom=good.example (ip4:192.0.2.1)",
    )
    assert outcome.headers[1][0] == "Received"
    costs = ("dns_ms", "waited_ms", "policy", "queries")
    assert {key: value for key, value in decision.items() if key not in costs} == {
        "action": "accept",
        "rule": "default",
        "qid": "4KitQ00001",
        "client": "192.0.2.1",
        "helo_name": "mail.good.example",
        "mailfrom": "a@good.example",
        "rcpt": "b@rcpt.example",
        "nrcpt": "1",
        "iprev": "pass",
        "iprev_reason": "confirmed",
        "ptr": "mail.good.example",
        "ptrs": "1",
        "generic": "no",
        "helo_kind": "fqdn",
        "helo": "pass",
        "helo_match": "same",
        "helo_own": "no",
        "spf_helo": "pass",
        "spf_mailfrom": "pass",
        "mailfrom_match": "aligned",
        "client_spf": "",
        "dnslist": "",
        "via": "",
        "forged": "0",
        "score": "0",
        "mode": "enforce",
        "would": "",
        "shadow_rule": "",
        "cached": decision["cached"],
        "reply": "",
    }


def test_tagged(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=NAMELESS, rcpts=["tag@rcpt.example"])
    (tag,) = outcome.header("X-Rdns-Milter")
    assert " ".join(tag.split()).startswith("tag rule=mark iprev=permerror generic=none helo_kind=fqdn")
    assert [name for name, _ in outcome.headers[:3]] == ["Authentication-Results", "X-Rdns-Milter", "Received"]
    assert part(decision, "action", "rule", "reply") == {"action": "tag", "rule": "mark", "reply": ""}


def test_quarantined(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, rcpts=["quarantine@rcpt.example"])
    assert outcome.quarantined == "rdns-milter: rule hold"
    assert outcome.header("Authentication-Results")
    assert part(decision, "action", "rule", "reply") == {"action": "quarantine", "rule": "hold", "reply": ""}


@pytest.mark.parametrize(
    ("rcpt", "code", "enhanced", "action", "rule"),
    [
        ("reject@rcpt.example", 550, "5.7.1", "reject", "refuse"),
        ("tempfail@rcpt.example", 451, "4.7.1", "tempfail", "defer"),
        ("judged@rcpt.example", 550, "5.7.25", "reject", "lies"),
        ("Judged@RCPT.example", 550, "5.7.25", "reject", "lies"),
    ],
)
def test_refused(daemon: Daemon, rcpt: str, code: int, enhanced: str, action: str, rule: str) -> None:
    outcome, (decision,) = daemon.judge(client=LIAR, mailfrom="a@liar.example", rcpts=[rcpt])
    assert not outcome.accepted
    assert (outcome.verdict.code, outcome.verdict.enhanced) == (code, enhanced)
    assert part(decision, "action", "rule", "qid", "rcpt", "reply") == {
        "action": action,
        "rule": rule,
        "qid": "NOQUEUE",
        "rcpt": rcpt,
        "reply": outcome.verdict.line,
    }
    assert outcome.changes == ()


def test_refused_by_the_senders_spf(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, mailfrom="a@strict.example", rcpts=["judged@rcpt.example"])
    assert (outcome.verdict.code, outcome.verdict.enhanced) == (550, "5.7.23")
    assert '; the domain strict.example explains: "192.0.2.1 may not send for us"' in outcome.verdict.text
    assert part(decision, "rule", "spf_mailfrom") == {"rule": "spf", "spf_mailfrom": "fail"}


def test_trouble_never_refuses_for_good(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(
        client=TROUBLED, helo="mail.trouble.example", mailfrom="a@trouble.example", rcpts=["strict@rcpt.example"]
    )
    assert (outcome.verdict.code, outcome.verdict.enhanced) == (451, "4.7.25")
    assert part(decision, "action", "rule", "iprev", "iprev_reason", "helo", "spf_helo", "spf_mailfrom") == {
        "action": "tempfail",
        "rule": "strict",
        "iprev": "temperror",
        "iprev_reason": "servfail",
        "helo": "temperror",
        "spf_helo": "temperror",
        "spf_mailfrom": "temperror",
    }


def test_trouble_alone_changes_nothing(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=TROUBLED, mailfrom="a@trouble.example", rcpts=["judged@rcpt.example"])
    assert outcome.accepted
    assert part(decision, "action", "rule", "iprev") == {"action": "accept", "rule": "default", "iprev": "temperror"}
    (results,) = outcome.header("Authentication-Results")
    assert "iprev=temperror policy.iprev=192.0.2.66 (servfail)" in results


# Other ways to judge


def test_shadow_rule(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, rcpts=["shadow@rcpt.example"])
    assert outcome.accepted
    assert part(decision, "action", "rule", "would", "shadow_rule") == {
        "action": "accept",
        "rule": "default",
        "would": "reject",
        "shadow_rule": "tried",
    }


def test_rule_that_has_ended(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, rcpts=["over@rcpt.example"])
    assert outcome.accepted
    assert decision["rule"] == "default"
    assert 'rdns-milter: rule "over" ended on 2020-01-01 and is no longer in force' in daemon.notices()


def test_a_rule_with_a_text(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=LIAR, helo="h.example", mailfrom="a@x.example", rcpts=["text@r.example"])
    line = outcome.verdict.line.replace("%%", "%")  # libmilter's escape for "%"
    assert line.startswith("554 5.7.0 100% said: 192.0.2.7 h.example <a@x.example> mx.liar.example, ")
    assert decision["reply"] == line


@pytest.mark.parametrize(
    ("client", "mailfrom", "score", "rule"),
    [
        (LIAR, "a@liar.example", "3.5", "enough"),
        (LIAR, "a@nosuch.example", "2", "default"),
        (GOOD, "a@liar.example", "1.5", "default"),
        (GOOD, GOOD_FROM, "0", "default"),
    ],
)
def test_scores_add_up(daemon: Daemon, client: Client, mailfrom: str, score: str, rule: str) -> None:
    outcome, (decision,) = daemon.judge(client=client, mailfrom=mailfrom, rcpts=["score@rcpt.example"])
    assert part(decision, "score", "rule") == {"score": score, "rule": rule}
    assert outcome.accepted == (rule == "default")


@pytest.mark.parametrize(("macros", "rule"), [({"tls_version": "TLSv1.3"}, "encrypted"), ({}, "plain")])
def test_tls(daemon: Daemon, macros: dict[str, str], rule: str) -> None:
    _, (decision,) = daemon.judge(client=GOOD, rcpts=["tls@rcpt.example"], macros=macros)
    assert decision["rule"] == rule


@pytest.mark.parametrize("helo", [OWN_NAME, OWN_NAME.upper() + ".", "[127.0.0.1]"])
def test_a_foreign_client_greets_with_our_name(daemon: Daemon, helo: str) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, helo=helo)
    assert outcome.verdict.code == 550
    assert part(decision, "rule", "helo_own", "helo_name") == {"rule": "ours", "helo_own": "yes", "helo_name": helo}


@pytest.mark.parametrize(
    ("macros", "helo", "own"),
    [
        ({"daemon_addr": "0.0.0.0", "if_addr": "198.51.100.25"}, "[198.51.100.25]", "yes"),
        ({"daemon_addr": "0.0.0.0", "if_addr": "198.51.100.25"}, "[0.0.0.0]", "no"),
        ({"daemon_addr": "IPv6:0:0:0:0:0:0:0:0", "if_addr": "IPv6:2001:db8::25"}, "[IPv6:2001:db8::25]", "yes"),
        ({"daemon_addr": "198.51.100.25", "if_addr": ""}, "[198.51.100.25]", "yes"),
        ({"daemon_addr": "IPv6:0:0:0:0:0:0:0:0", "if_addr": ""}, "[IPv6:::]", "no"),
        ({"daemon_addr": "", "if_addr": ""}, "[198.51.100.25]", "no"),
    ],
)
def test_our_own_address_as_sendmail_sends_it(daemon: Daemon, macros: dict[str, str], helo: str, own: str) -> None:
    """{daemon_addr} is the address that the daemon listens on, {if_addr} the one that the client reached, if not on loopback."""
    _, (decision,) = daemon.judge(client=GOOD, helo=helo, macros=macros, mta="sendmail")
    assert decision["helo_own"] == own


@pytest.mark.parametrize(("mta", "queue_id"), [("postfix", "NOQUEUE"), ("sendmail", "4KitQ00001")])
def test_queue_id_of_a_refused_message(daemon: Daemon, mta: str, queue_id: str) -> None:
    """Sendmail has assigned one by MAIL, and logs the refusal under it."""
    _, (decision,) = daemon.judge(client=GOOD, rcpts=["reject@rcpt.example"], mta=mta)
    assert part(decision, "action", "qid") == {"action": "reject", "qid": queue_id}


# Recipients


def test_each_recipient_has_a_verdict_of_its_own(daemon: Daemon) -> None:
    rcpts = ["judged@rcpt.example", "postmaster@rcpt.example", "tempfail@rcpt.example", "tag@rcpt.example"]
    outcome, decisions = daemon.judge(4, client=LIAR, rcpts=rcpts)
    assert [reply.code for reply in outcome.rcpts] == [550, 0, 451, 0]
    assert outcome.accepted
    assert len(outcome.header("X-Rdns-Milter")) == 1
    assert {(line["rcpt"], line["action"], line["rule"], line["qid"]) for line in decisions} == {
        ("judged@rcpt.example", "reject", "lies", "4KitQ00001"),
        ("tempfail@rcpt.example", "tempfail", "defer", "4KitQ00001"),
        ("postmaster@rcpt.example", "accept", "postmaster", "4KitQ00001"),
        ("tag@rcpt.example", "tag", "mark", "4KitQ00001"),
    }


def test_equal_verdicts_share_a_line(daemon: Daemon) -> None:
    accepted = [f"b{number}@rcpt.example" for number in range(3)]
    refused = ["reject@one.example", "reject@two.example"]
    outcome, decisions = daemon.judge(
        2, client=GOOD, rcpts=[accepted[0], refused[0], accepted[1], refused[1], accepted[2]]
    )
    assert outcome.accepted
    assert {(line["action"], line["rcpt"], line["nrcpt"]) for line in decisions} == {
        ("reject", ",".join(refused), "2"),
        ("accept", ",".join(accepted), "3"),
    }


# Who is judged, and who is not


@pytest.mark.parametrize(
    ("client", "why", "shown"),
    [
        (Client("10.1.2.3"), "network", "10.1.2.3"),
        (Client("::1"), "network", "::1"),
        (Client("::ffff:127.0.0.1"), "network", "127.0.0.1"),
        (Client("192.0.2.7", login="joe"), "authenticated", "192.0.2.7"),
        (Client("/var/run/some.socket", name="localhost"), "not-ip", ""),
        (Client("", name="localhost"), "not-ip", ""),
    ],
)
def test_exempt(daemon: Daemon, client: Client, why: str, shown: str) -> None:
    outcome, (decision,) = daemon.judge(client=client, helo=OWN_NAME, rcpts=["reject@rcpt.example"])
    assert outcome.accepted
    assert outcome.changes == ()
    assert part(decision, "action", "rule", "client", "iprev", "iprev_reason", "helo_own", "queries") == {
        "action": "accept",
        "rule": f"exempt:{why}",
        "client": shown,
        "iprev": "none",
        "iprev_reason": "exempt",
        "helo_own": "no",
        "queries": "0",
    }


@pytest.mark.parametrize("address", ["2001:db8::25", "IPv6:2001:db8::25"])
def test_ipv6(daemon: Daemon, address: str) -> None:
    outcome, (decision,) = daemon.judge(client=Client(address), helo="mail6.good.example", mailfrom=GOOD_FROM)
    assert part(decision, "client", "iprev", "helo", "helo_match", "spf_helo", "spf_mailfrom") == {
        "client": "2001:db8::25",
        "iprev": "pass",
        "helo": "pass",
        "helo_match": "same",
        "spf_helo": "pass",
        "spf_mailfrom": "pass",
    }
    assert 'policy.iprev="2001:db8::25"' in outcome.header("Authentication-Results")[0]


def test_ipv4_mapped_is_ipv4(daemon: Daemon) -> None:
    _, (decision,) = daemon.judge(client=Client("::ffff:192.0.2.1"), helo=GOOD_HELO, mailfrom=GOOD_FROM)
    assert part(decision, "client", "iprev", "spf_mailfrom") == {
        "client": "192.0.2.1",
        "iprev": "pass",
        "spf_mailfrom": "pass",
    }


def test_the_client_s_address_in_its_greeting(daemon: Daemon) -> None:
    _, decisions = daemon.judge(client=GOOD6, helo="[IPv6:2001:DB8::25]")
    assert part(decisions[0], "helo_kind", "helo") == {"helo_kind": "literal", "helo": "pass"}


def test_over_a_unix_socket(server: NameServer) -> None:
    with Daemon(rules=RULES, nameserver=server, socket="unix") as daemon:
        assert deliver(daemon.spec, client=GOOD).accepted
        assert deliver(daemon.spec, client=LIAR, rcpts=["judged@rcpt.example"]).verdict.code == 550


@pytest.mark.parametrize("socket", ["unix", "inet"])
@pytest.mark.parametrize("remove_forged", [True, False])
def test_a_message_without_header_fields_has_an_end(server: NameServer, socket: str, remove_forged: bool) -> None:
    """Over a unix socket DATA and the end of the header are negotiated away, over TCP they are not."""
    headers = {"headers": {"remove_forged": remove_forged}}
    with Daemon(headers, rules=RULES, nameserver=server, socket=socket) as daemon:
        for fields in ((), (("Subject", "s"),), ()):
            assert deliver(daemon.spec, client=GOOD, headers=fields).accepted
