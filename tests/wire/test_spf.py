"""SPF results of the running milter: senders and greetings that are not names, and records whose reading RFC 7208 leaves open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.data.scenario import OWN_NAME
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, command
from tests.kit.smtp.authentication_results import results
from tests.kit.smtp.client_identity import Client

CLIENT = Client("192.0.2.7")
ZONE = f"""
host.example      A    192.0.2.9
tenth.example     A    192.0.2.7
target.example    TXT  "v=spf1 -all exp=why.example"
why.example       TXT  "%{{i}} may not send for us, says %{{d}} to %{{r}}"
strict.example    TXT  "v=spf1 -all exp=why.example"
upper.example     TXT  "v=spf1 REDIRECT=target.example"
mixed.example     TXT  "v=spf1 -all Exp=why.example"
twice.example     TXT  "v=spf1 redirect=target.example Redirect=target.example"
unknown.example   TXT  "v=spf1 ip4:192.0.2.7 rr=e rr=f -all"
ten.example       TXT  "v=spf1 {"a:host.example " * 9}a:tenth.example redirect=target.example"
all.example       TXT  "v=spf1 redirect=target.example {"a:host.example " * 10}?all"
exists.example    TXT  "v=spf1 ~exists -all"
include.example   TXT  "v=spf1 ?include -all"
xn--bcher-kva.example  TXT  "v=spf1 ip4:192.0.2.7 -all"
"""
RULES = [{"name": "spf", "when": {"spf_mailfrom": "fail", "rcpt": "strict@"}, "action": "reject"}]


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    config: dict[str, dict[str, Any]] = {
        "headers": {"received_spf": True},
        "exempt": {"networks": [], "own_names": [OWN_NAME]},
    }
    with Daemon(config, RULES, server) as running:
        yield running


@pytest.mark.parametrize(
    ("domain", "result"),
    [
        ("upper.example", "fail"),
        ("mixed.example", "fail"),
        ("twice.example", "permerror"),
        ("unknown.example", "pass"),
        ("ten.example", "pass"),
        ("all.example", "neutral"),
        ("exists.example", "permerror"),
        ("include.example", "permerror"),
    ],
)
def test_records(daemon: Daemon, domain: str, result: str) -> None:
    outcome, (decision,) = daemon.judge(client=CLIENT, mailfrom=f"a@{domain}")
    assert decision["spf_mailfrom"] == result
    assert ("spf", result, {"smtp.mailfrom": domain}) in results(outcome.header("Authentication-Results")[0])


@pytest.mark.parametrize("name", ["mx1.receiver.example", "mx2.receiver.example"])
def test_an_explanation_names_the_mta_that_asks(daemon: Daemon, name: str) -> None:
    """Two MTAs share the milter: the explanation for one does not name the other."""
    for domain in ("strict.example", "mixed.example"):
        outcome, _ = daemon.judge(
            client=CLIENT, mailfrom=f"a@{domain}", rcpts=["strict@rcpt.example"], macros={"j": name}
        )
        assert f'"192.0.2.7 may not send for us, says {domain} to {name}"' in outcome.verdict.text


def test_an_explanation_names_this_host_in_check(daemon: Daemon) -> None:
    arguments = ("192.0.2.7", "--from", "a@strict.example", "--rcpt", "strict@rcpt.example")
    found = command("check", "--json", "-c", str(daemon.path), *arguments)
    assert f'says strict.example to {OWN_NAME}"' in json.loads(found.stdout)["reply"]


@pytest.mark.parametrize(
    ("sender", "pvalue"),
    [
        ("a@[192.0.2.9]", "[192.0.2.9]"),
        ("a@b..example", "b..example"),
        (f"a@{'b' * 64}.example", f"{'b' * 64}.example"),
        ("a@localhost", "localhost"),
        ("a@b;spf=pass.example", "b?spf?pass.example"),
        ("root", None),
        ("a@b.example..", None),
    ],
)
def test_a_sender_without_a_domain_name(daemon: Daemon, sender: str, pvalue: str | None) -> None:
    outcome, (decision,) = daemon.judge(client=CLIENT, helo="h..example", mailfrom=sender)
    assert (decision["spf_helo"], decision["spf_mailfrom"]) == ("none", "none")
    found = [
        (method, result, told)
        for method, result, told in results(outcome.header("Authentication-Results")[0])
        if method == "spf"
    ]
    assert [result for _, result, _ in found] == ["none", "none"]
    assert found[0][2] == {"smtp.helo": "h..example"}
    assert pvalue is None or found[1][2] == {"smtp.mailfrom": pvalue}


def test_an_internationalized_sender_is_written_in_a_labels(daemon: Daemon) -> None:
    outcome, (decision,) = daemon.judge(client=CLIENT, helo="mx.b\u00fccher.example", mailfrom="a@b\u00fccher.example")
    assert decision["spf_mailfrom"] == "pass"
    (field,) = outcome.header("Received-SPF")
    assert 'envelope-from="a@xn--bcher-kva.example"' in field
    assert "helo=mx.xn--bcher-kva.example" in field
    assert "?" not in field
