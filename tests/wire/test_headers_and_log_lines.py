"""What the running milter writes: header fields of the message, log lines, and how the configuration changes both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rdns_milter.logs.decision_keys import KEYS
from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, LIAR, NAMELESS, OWN_NAME
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import deliver
from tests.kit.smtp.client_identity import Client

RESULTS = "Authentication-Results"
RULES: list[dict[str, Any]] = [
    {"name": "refuse", "when": {"rcpt": "reject@"}, "action": "reject"},
    {"name": "defer", "when": {"rcpt": "tempfail@"}, "action": "tempfail"},
    {"name": "mark", "when": {"rcpt": "tag@"}, "action": "tag"},
    {"name": "hold", "when": {"rcpt": "quarantine@"}, "action": "quarantine"},
    {"name": "ours", "when": {"helo_own": "yes"}, "action": "reject"},
    {"name": "known", "when": {"authenticated": True}, "action": "tag"},
    {"name": "lies", "when": {"iprev": ["fail", "permerror"]}, "action": "reject", "shadow": True},
]
FORGED = [
    f"{OWN_NAME}; spf=pass smtp.mailfrom=bank.example",
    f"{OWN_NAME.upper()} ;spf=pass",
    f'"{OWN_NAME}" 1; dkim=pass header.d=bank.example',
    f"(a (nested) comment) {OWN_NAME} (another); dkim=pass",
    f"\n\t{OWN_NAME};\n\tdmarc=pass",
    f"{OWN_NAME}",
    "elsewhere.example 2; spf=pass",  # an unknown version
]
FOREIGN = ["elsewhere.example; spf=pass", f"x.{OWN_NAME}; spf=pass", f"{OWN_NAME}.example; none", "; none", ""]


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(rules=RULES, nameserver=server) as running:
        yield running


def results_of(*values: str, name: str = RESULTS) -> list[tuple[str, str]]:
    """Return a header with these fields, and others between them."""
    return [field for value in values for field in ((name, value), ("Subject", "s"))]


# Fields of the incoming message


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
@pytest.mark.parametrize("name", [RESULTS, RESULTS.lower(), RESULTS.upper(), "aUTHENTICATION-rESULTS"])
def test_forged_results_are_removed(daemon: Daemon, mta: str, name: str) -> None:
    mixed = [value for pair in zip(FORGED, FOREIGN * 2, strict=False) for value in pair]
    outcome, _ = daemon.judge(client=GOOD, headers=results_of(*mixed, name=name), mta=mta)
    assert outcome.header(RESULTS)[0].startswith(f"{OWN_NAME};\n\tiprev=pass")
    assert outcome.header(RESULTS)[1:] == [value for value in mixed if value not in FORGED]
    removed = [change.index for change in outcome.changes if change.kind == "change"]
    assert removed == sorted(removed, reverse=True)
    assert len(removed) == len(FORGED)


def test_a_forgery_behind_a_thousand_others(daemon: Daemon) -> None:
    many = [f"h{number}.example; none" for number in range(1500)]
    outcome, _ = daemon.judge(client=GOOD, headers=[(RESULTS, value) for value in (*many, FORGED[0])])
    assert outcome.header(RESULTS)[1:] == many


def test_fields_of_another_message_do_not_count(daemon: Daemon) -> None:
    outcome, _ = daemon.judge(client=GOOD, headers=results_of(FORGED[0]), rcpts=["tempfail@rcpt.example"])
    assert not outcome.accepted
    outcome, _ = daemon.judge(client=GOOD, headers=results_of(FOREIGN[0]))
    assert outcome.header(RESULTS)[1:] == FOREIGN[:1]


@pytest.mark.parametrize(
    ("client", "left"),
    [
        (Client("192.0.2.7", login="joe"), [FOREIGN[0]]),
        (Client("10.0.0.1"), [FOREIGN[0]]),
        (Client("127.0.0.1"), [FORGED[0], FOREIGN[0]]),
        (Client("::1"), [FORGED[0], FOREIGN[0]]),
    ],
)
def test_fields_of_exempt_clients(daemon: Daemon, client: Client, left: list[str]) -> None:
    """An exempt client is not a trusted one: only hosts in trusted_networks keep their results."""
    outcome, (decision,) = daemon.judge(client=client, headers=results_of(FORGED[0], FOREIGN[0]))
    assert outcome.header(RESULTS) == left
    assert decision["forged"] == str(2 - len(left))


def test_trusted_networks(server: NameServer) -> None:
    with Daemon({"headers": {"trusted_networks": ["10.0.0.0/8", "192.0.2.1"]}}, RULES, server) as daemon:
        for client, kept in ((Client("10.0.0.1"), 1), (GOOD, 1), (Client("127.0.0.1"), 0), (Client("::1"), 0)):
            outcome, (decision,) = daemon.judge(client=client, headers=results_of(FORGED[0]))
            assert outcome.header(RESULTS).count(FORGED[0]) == kept
            assert decision["forged"] == str(1 - kept)


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_received_spf_and_the_tag_of_ours_are_removed(daemon: Daemon, mta: str) -> None:
    ours = [
        ("received-spf", f"pass ({OWN_NAME}: x) receiver={OWN_NAME}; identity=mailfrom"),
        ("X-Rdns-Milter", "tag rule=nothing iprev=pass"),
        ("Received-SPF", f'fail receiver="{OWN_NAME.upper()}"'),
        ("x-rdns-milter", ""),
    ]
    others = [("Received-SPF", "pass (mx.elsewhere.example: x) receiver=mx.elsewhere.example"), ("X-Rdns", "x")]
    mixed = [ours[0], others[0], ours[1], ours[2], others[1], ours[3]]
    outcome, (decision,) = daemon.judge(client=GOOD, headers=mixed, mta=mta)
    left = [field for field in outcome.headers if field in mixed]
    assert left == others
    assert decision["forged"] == "4"


@pytest.mark.parametrize("client", [GOOD, Client("10.0.0.1"), Client("192.0.2.7", login="joe")])
def test_a_message_with_more_forged_fields_than_are_removed_is_refused(daemon: Daemon, client: Client) -> None:
    many = results_of(*FORGED[:1] * 100)
    outcome, (decision,) = daemon.judge(client=client, headers=many)
    assert (outcome.accepted, decision["forged"]) == (True, "100")
    assert sum(change.kind == "change" for change in outcome.changes) == 100
    outcome, (decision,) = daemon.judge(client=client, headers=[*many, (RESULTS, FORGED[0])] * 105)
    assert not outcome.accepted
    assert outcome.changes == ()
    reply = outcome.reply("end")
    assert (reply.code, reply.enhanced) == (550, "5.7.0")
    assert (decision["action"], decision["rule"]) == ("reject", "limit:forged-results")
    assert (decision["forged"], decision["reply"]) == ("101", f"550 5.7.0 {reply.text}")


def test_in_observe_mode_it_is_only_logged(server: NameServer) -> None:
    with Daemon({"milter": {"mode": "observe"}}, RULES, server) as daemon:
        outcome, (decision,) = daemon.judge(client=GOOD, headers=results_of(*FORGED[:1] * 101))
    assert outcome.accepted
    assert [change.kind for change in outcome.changes if change.kind == "change"] == []
    facts = [decision[key] for key in ("action", "rule", "would", "forged", "reply")]
    note = "(observe mode: accepted although rule limit:forged-results would reject)"
    assert facts == ["accept", "limit:forged-results", "reject", "101", note]


def test_forged_results_are_kept_if_so_configured(server: NameServer) -> None:
    with Daemon({"headers": {"remove_forged": False}}, nameserver=server) as daemon:
        outcome, _ = daemon.judge(client=GOOD, headers=results_of(*FORGED))
    assert outcome.header(RESULTS)[1:] == FORGED
    assert outcome.reply("header").action == "unsent"


def test_a_configured_authserv_id(server: NameServer) -> None:
    with Daemon({"headers": {"authserv_id": "mail.all.example"}}, nameserver=server) as daemon:
        outcome, _ = daemon.judge(client=GOOD, headers=results_of("mail.all.example; spf=pass", *FORGED[:6]))
    assert outcome.header(RESULTS)[0].startswith("mail.all.example;\n\tiprev=pass")
    assert outcome.header(RESULTS)[1:] == FORGED[:6]


def test_several_authserv_ids(server: NameServer) -> None:
    """All are ours, in any letter case and encoding; the first is written."""
    names = ["mail.all.example", "xn--bcher-kva.example"]
    claims = [f"{each}; spf=pass" for each in (*names, "bu\u0308cher\u3002example", "=?utf-7?q?b+APw-cher.example?=")]
    with Daemon({"headers": {"authserv_id": names}}, nameserver=server) as daemon:
        outcome, _ = daemon.judge(client=GOOD, headers=results_of(*claims, *FOREIGN))
    assert outcome.header(RESULTS)[0].startswith("mail.all.example;\n\tiprev=pass")
    assert outcome.header(RESULTS)[1:] == FOREIGN


# Fields that it adds


def test_all_fields(server: NameServer) -> None:
    with Daemon({"headers": {"received_spf": True, "tag": "X-Hint"}}, RULES, server) as daemon:
        outcome, _ = daemon.judge(client=GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM, rcpts=["tag@rcpt.example"])
    assert [name for name, _ in outcome.headers[:4]] == [RESULTS, "Received-SPF", "X-Hint", "Received"]
    (received_spf,) = outcome.header("Received-SPF")
    assert " ".join(received_spf.split()) == (
        f"pass ({OWN_NAME}: good.example authorizes 192.0.2.1) receiver={OWN_NAME}; identity=mailfrom; client-ip=192.0.2.1;"
        ' helo=mail.good.example; envelope-from="a@good.example"; mechanism="ip4:192.0.2.1"'
    )


def test_no_field_at_all(server: NameServer) -> None:
    with Daemon({"headers": {"authentication_results": False, "tag": ""}}, RULES, server) as daemon:
        outcome, (decision,) = daemon.judge(client=GOOD, rcpts=["tag@rcpt.example"])
    assert outcome.changes == ()
    assert decision["action"] == "tag"


def test_lines_of_fields_are_folded(daemon: Daemon) -> None:
    """libmilter expects LF without CR, and a space after it; nothing else may end a line."""
    outcome, _ = daemon.judge(client=LIAR, helo="h" * 60 + ".example", mailfrom="a@" + "d" * 60 + ".example")
    (field,) = outcome.header(RESULTS)
    lines = f"{RESULTS}: {field}".split("\n")
    assert all(line.startswith("\t") for line in lines[1:])
    assert all(line.isascii() and line.lstrip("\t").isprintable() for line in lines)


# Modes and names


@pytest.mark.parametrize(
    ("rcpt", "action", "would"),
    [
        ("reject@rcpt.example", "accept", "reject"),
        ("tempfail@rcpt.example", "accept", "tempfail"),
        ("quarantine@rcpt.example", "accept", "quarantine"),
        ("tag@rcpt.example", "tag", ""),
        ("b@rcpt.example", "accept", ""),
    ],
)
def test_observe_mode(observer: Daemon, rcpt: str, action: str, would: str) -> None:
    outcome, (decision,) = observer.judge(client=GOOD, rcpts=[rcpt])
    assert outcome.accepted
    assert outcome.quarantined is None
    assert len(outcome.header("X-Rdns-Milter")) == (action == "tag")
    assert len(outcome.header(RESULTS)) == 1
    assert (decision["action"], decision["would"], decision["mode"]) == (action, would, "observe")
    note = f"(observe mode: accepted although rule {decision['rule']} would {would})"
    assert decision["reply"] == (note if would else "")


def test_shadow_rule_in_observe_mode(observer: Daemon) -> None:
    outcome, (decision,) = observer.judge(client=NAMELESS)
    assert outcome.accepted
    assert (decision["would"], decision["shadow_rule"]) == ("reject", "lies")


@pytest.fixture(scope="module")
def observer(server: NameServer) -> Iterator[Daemon]:
    with Daemon({"milter": {"mode": "observe"}}, RULES, server) as running:
        yield running


def test_own_names_and_authenticated_clients(server: NameServer) -> None:
    config = {"exempt": {"own_names": ["ours.example", "198.51.100.1"], "authenticated": False}}
    with Daemon(config, RULES, server) as daemon:
        own = {
            helo: daemon.judge(client=GOOD, helo=helo)[1][0]["helo_own"]
            for helo in ("ours.example", "OURS.example.", "[198.51.100.1]", OWN_NAME, "[127.0.0.1]", "x.ours.example")
        }
        outcome, (decision,) = daemon.judge(client=Client("192.0.2.1", login="joe"))
    assert own == {
        "ours.example": "yes",
        "OURS.example.": "yes",
        "[198.51.100.1]": "yes",
        OWN_NAME: "no",
        "[127.0.0.1]": "no",
        "x.ours.example": "no",
    }
    assert outcome.accepted
    assert (decision["rule"], decision["iprev"]) == ("known", "pass")


# The log


def test_json(server: NameServer, daemon: Daemon) -> None:
    message: dict[str, Any] = {"client": LIAR, "helo": "a b\x01", "rcpts": ["reject@rcpt.example", "x@rcpt.example"]}
    with Daemon({"log": {"format": "json"}}, RULES, server) as other:
        other.judge(2, **message)
        lines = [json.loads(line) for line in other.lines() if line.startswith("{")]
        parsed = other.decisions()
    _, plain = daemon.judge(2, **message)
    assert [list(line) for line in lines] == [list(KEYS)] * 2
    assert {type(line["nrcpt"]) for line in lines} == {int}
    assert {line["helo_name"] for line in lines} == {"a b\x01"}
    changing = ("dns_ms", "waited_ms", "queries", "cached")
    assert [{k: v for k, v in line.items() if k not in changing} for line in parsed] == [
        {k: v for k, v in line.items() if k not in changing} for line in plain
    ]


@pytest.mark.parametrize(
    ("decisions", "mode", "logged"),
    [
        ("all", "enforce", ["accept", "tag", "tempfail", "reject", "quarantine", "accept"]),
        ("not-accepted", "enforce", ["tag", "tempfail", "reject", "quarantine", "accept"]),
        ("refused", "enforce", ["tempfail", "reject", "quarantine", "accept"]),
        ("refused", "observe", ["accept", "accept", "accept", "accept"]),
    ],
)
def test_which_decisions_are_logged(server: NameServer, decisions: str, mode: str, logged: list[str]) -> None:
    """What a shadow rule, or enforcement, would have done counts as if it were done."""
    with Daemon({"log": {"decisions": decisions}, "milter": {"mode": mode}}, RULES, server) as daemon:
        for word in ("b", "tag", "tempfail", "reject", "quarantine"):
            deliver(daemon.spec, client=GOOD, rcpts=[f"{word}@rcpt.example"])
        deliver(daemon.spec, client=NAMELESS)
        daemon.wait_for_decisions(len(logged))
        assert daemon.terminate() == 0
        assert sorted(line["action"] for line in daemon.decisions()) == sorted(logged)
