"""client_spf and dnslist through the running milter and the commands: asked only if a rule asks, IPv6 too, and DNS trouble with
them refuses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rdns_milter.checks.dns_list import MAX_ANSWERS
from rdns_milter.cli import provider_lookup
from rdns_milter.cli.main import main
from rdns_milter.config.load import load
from tests.kit.data.metrics_page import page
from tests.kit.data.scenario import part
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.endpoint import free_port
from tests.kit.smtp.client_identity import Client

ZONE = """
_spf.bulk.example         TXT  "v=spf1 include:_a.bulk.example ip6:2001:db8:7::/48 -all"
_a.bulk.example           TXT  "v=spf1 ip4:192.0.2.0/28 -all"
_spf.late.example         TXT  "v=spf1 ip4:192.0.2.0/28 -all"
_spf.late.example         TXT!DELAY 0.3
_spf.slow.example         TXT  "v=spf1 ip4:192.0.2.0/28 -all"
_spf.slow.example         TXT!DELAY 0.3
_spf.down.example         SERVFAIL
_spf.cloud.example        TXT  "v=spf1 ip4:10.0.0.0/8 ip4:52.0.0.0/8 -all"
_spf.all.example          TXT  "v=spf1 +all"
_spf.exists.example       TXT  "v=spf1 exists:%{ir}.x.example -all"
40.2.0.192.wl.example     A    127.0.10.2
41.2.0.192.wl.example     A    127.0.10.0
42.2.0.192.wl.example     A    127.255.255.254
43.2.0.192.wl.example     A    203.0.113.80
44.2.0.192.wl.example     SERVFAIL
45.2.0.192.wl.example     SILENT
47.2.0.192.wl.example     CNAME entry.wl.example
entry.wl.example          A    127.0.7.3
48.2.0.192.wl.example     CNAME 48.2.0.192.wl.example
*.8.0.0.0.8.b.d.0.1.0.0.2.wl.example  A  127.0.3.3
"""
ZONE += "".join(
    f'_{n}.chain.example TXT "v=spf1 ip4:192.0.2.{n} include:_{n + 1}.chain.example -all"\n_{n}.chain.example TXT!DELAY 0.3\n'
    for n in range(20)
)
ZONE += "\n".join(f"46.2.0.192.wl.example A 127.0.0.{number}" for number in range(10, 210))
RULES: list[dict[str, Any]] = [
    {"name": "bulk", "when": {"client_spf": ["_spf.bulk.example"]}, "action": "accept"},
    {"name": "listed", "when": {"dnslist": "wl:127.0.*.1-3"}, "action": "accept"},
    {"name": "rest", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"},
]
CONFIG: dict[str, dict[str, Any]] = {
    "dnslists": {"wl": "wl.example"},
    "milter": {"deadline": 2.0},
    "dns": {"timeout": 0.4, "tries": 1},
}


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as running:
        yield running


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def daemon(server: NameServer, port: int) -> Iterator[Daemon]:
    with Daemon({**CONFIG, "metrics": {"listen": f"127.0.0.1:{port}"}}, RULES, server) as running:
        yield running
        assert [line for line in running.log().split("\n") if "internal error" in line] == []


@pytest.mark.parametrize(
    ("client", "action", "rule", "client_spf", "dnslist"),
    [
        ("192.0.2.7", "accept", "bulk", "_spf.bulk.example", ""),
        ("2001:db8:7::25", "accept", "bulk", "_spf.bulk.example", ""),
        ("192.0.2.40", "accept", "listed", "", "wl:127.0.10.2"),
        ("2001:db8:8::25", "accept", "listed", "", "wl:127.0.3.3"),
        ("192.0.2.41", "reject", "rest", "", "wl:127.0.10.0"),
        ("192.0.2.42", "tempfail", "rest", "", "wl:refused"),
        ("192.0.2.43", "tempfail", "rest", "", "wl:refused"),
        ("192.0.2.44", "tempfail", "rest", "", "wl:temperror"),
        ("192.0.2.45", "tempfail", "rest", "", "wl:temperror"),
        ("192.0.2.99", "reject", "rest", "", ""),
        ("2001:db8:9::25", "reject", "rest", "", ""),
    ],
)
def test_verdicts(daemon: Daemon, client: str, action: str, rule: str, client_spf: str, dnslist: str) -> None:
    _, (decision,) = daemon.judge(client=Client(client))
    expected = {"action": action, "rule": rule, "client_spf": client_spf, "dnslist": dnslist}
    assert part(decision, *expected) == expected
    if action == "tempfail":
        assert decision["reply"].startswith("451 4.4.3 Temporary DNS error")


def test_a_list_with_many_answers_and_one_with_strange_ones(daemon: Daemon) -> None:
    _, (decision,) = daemon.judge(client=Client("192.0.2.46"))
    assert decision["dnslist"] == ",".join(f"wl:127.0.0.{number}" for number in range(10, 10 + MAX_ANSWERS))
    _, (decision,) = daemon.judge(client=Client("192.0.2.47"))
    assert part(decision, "action", "dnslist") == {"action": "accept", "dnslist": "wl:127.0.7.3"}
    _, (decision,) = daemon.judge(client=Client("192.0.2.48"))
    assert part(decision, "action", "dnslist") == {"action": "tempfail", "dnslist": "wl:temperror"}


def test_a_list_that_refuses_is_an_alarm(daemon: Daemon) -> None:
    for client in ("192.0.2.42", "192.0.2.43"):
        daemon.judge(client=Client(client))
    (alarm,) = (notice for notice in daemon.notices() if "dnslist-refused" in notice or "refused by the list" in notice)
    assert "your resolver is refused by the list: use your own. The DNS list wl" in alarm


def test_they_are_counted(daemon: Daemon, port: int) -> None:
    for client in ("192.0.2.7", "192.0.2.40", "192.0.2.42", "192.0.2.44", "192.0.2.99"):
        daemon.judge(client=Client(client))

    def is_counted() -> bool:
        told = page(port)
        words = [("client_spf", "pass"), ("client_spf", "none"), ("dnslist", "listed"), ("dnslist", "none")]
        words += [("dnslist", "refused"), ("dnslist", "temperror")]
        return all(told.value("facts_total", fact=fact, value=value) >= 1 for fact, value in words)

    until(is_counted)
    assert page(port).value("alarms_total", alarm="dnslist-refused") == 1


def test_nothing_is_asked_without_a_rule(server: NameServer) -> None:
    with Daemon(CONFIG, RULES[2:], server) as running:
        server.queries.reset()
        running.judge(client=Client("192.0.2.7"))
        names = {name for name, _ in server.queries}
        assert names
        assert not [name for name in names if "bulk" in name or "wl.example" in name]


def test_they_are_asked_in_parallel_and_once_for_a_client(server: NameServer) -> None:
    late = ["_spf.late.example", "_spf.slow.example"]
    rules = [{"name": "late", "when": {"client_spf": late}, "action": "tag"}, RULES[2]]
    with Daemon(CONFIG, rules, server) as running:
        server.queries.reset()
        _, (first,) = running.judge(client=Client("192.0.2.8"))
        assert (first["rule"], first["client_spf"]) == ("late", ",".join(late))
        assert server.queries.outstanding_max == len(late)
        asked = len(server.queries)
        _, (second,) = running.judge(client=Client("192.0.2.8"))
        assert (second["rule"], second["client_spf"]) == ("late", first["client_spf"])
        assert len(server.queries) == asked


def test_a_provider_in_trouble(server: NameServer) -> None:
    rules = [{"name": "down", "when": {"client_spf": "_spf.down.example"}, "action": "accept"}, RULES[2]]
    with Daemon(CONFIG, rules, server) as running:
        _, (decision,) = running.judge(client=Client("192.0.2.8"))
        expected = {"action": "tempfail", "rule": "rest", "client_spf": "_spf.down.example:temperror"}
        assert part(decision, *expected) == expected


def test_check_shows_them(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", str(daemon.path), "192.0.2.40", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert part(document["evidence"], "client_spf", "dnslist") == {"client_spf": None, "dnslist": "wl:127.0.10.2"}
    assert "40.2.0.192.wl.example" in {query["name"] for query in document["queries"]}
    assert "_a.bulk.example" in {query["name"] for query in document["queries"]}
    assert main(["check", "-c", str(daemon.path), "192.0.2.40"]) == 0
    printed = capsys.readouterr().out
    assert (
        "asked by rules\n  client_spf      none  (not _spf.bulk.example)\n  dnslist         wl:127.0.10.2\n" in printed
    )


def test_lint_looks_up_what_providers_authorize(server: NameServer, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"_spf.{name}.example" for name in ("bulk", "cloud", "all", "exists", "down", "nothing")]
    with Daemon(CONFIG, [{"name": "r", "when": {"client_spf": names}, "action": "accept"}], server) as running:
        assert main(["config", "--lint", "-c", str(running.path)]) == 0
        printed = capsys.readouterr().out
    assert "_spf.bulk.example" not in printed
    for words in (
        '"_spf.cloud.example": authorizes 33,554,432 IPv4 addresses, the largest networks being 10.0.0.0/8, 52.0.0.0/8',
        '"_spf.all.example": authorizes every client (+all in the record of _spf.all.example)',
        '"_spf.exists.example": has terms that a name server decides for each client (exists:%{ir}.x.example)',
        '"_spf.down.example": the record of _spf.down.example could not be looked up (servfail)',
        '"_spf.nothing.example": _spf.nothing.example has no SPF record that can be evaluated',
    ):
        assert words in printed


def test_lint_takes_a_limited_time_for_a_provider(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_lookup, "SECONDS", 0.5)  # the records of the chain take six
    with Daemon(
        CONFIG, [{"name": "r", "when": {"client_spf": "_0.chain.example"}, "action": "accept"}], server
    ) as running:
        (reach,) = provider_lookup.provider_reaches(load(str(running.path))).values()
    assert reach.problem.endswith("could not be looked up (deadline)")
    assert reach.ipv4_addresses < 20
