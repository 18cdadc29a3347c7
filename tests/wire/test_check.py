"""`rdns-milter check` against a name server: its output, its exit status, and that the milter gives the same verdict."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rdns_milter.cli.main import main
from rdns_milter.logs.decision_keys import KEYS
from rdns_milter.text.exit_status import EX_CONFIG, EX_REFUSED, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE
from tests.kit.data.scenario import (
    GOOD,
    GOOD6,
    GOOD_FROM,
    GOOD_HELO,
    LIAR,
    NAMELESS,
    OWN_NAME,
    POOL,
    SILENT,
    TROUBLED,
    ZONE,
)
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import ROOT, Daemon, command, environment
from tests.kit.smtp.client_identity import Client

HOSTILE = r"""
192.0.2.40            PTR!TARGET-BYTES 1b5d303b6f776e656407
192.0.2.41            PTR  \027[31mred.example
hostile.example       TXT  "v=spf1 ip4:192.0.2.99 \027[31m -all"
shouting.example      TXT  "v=spf1 exp=why.shouting.example -all"
why.shouting.example  TXT  "\027[31mred\007"
"""
CONFIG: dict[str, dict[str, Any]] = {
    "headers": {"authserv_id": OWN_NAME, "received_spf": True},
    "exempt": {"own_names": [OWN_NAME]},
    "milter": {"deadline": 20.0},
    "dns": {"timeout": 0.4, "tries": 1},
}
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "ours", "when": {"helo_own": "yes"}, "action": "reject"},
    {"name": "unclear", "when": {"iprev": "temperror", "spf_mailfrom": "temperror"}, "action": "tempfail"},
    {"name": "strict", "when": {"rcpt": "strict@"}, "unless": {"iprev": "pass"}, "action": "reject"},
    {"name": "nobody", "when": {"iprev": ["fail", "permerror"]}, "unless": {"helo": "pass"}, "action": "reject"},
    {"name": "spf", "when": {"spf_mailfrom": "fail"}, "action": "quarantine"},
    {"name": "pool", "when": {"generic": "yes"}, "action": "tag"},
    {"name": "soft", "when": {"spf_mailfrom": "softfail"}, "action": "reject", "shadow": True},
]


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE, HOSTILE)) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon(CONFIG, RULES, server) as running:
        yield running


@pytest.fixture
def config(daemon: Daemon) -> str:
    """The config file of the running milter."""
    return str(daemon.path)


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run with --json; return exit status and document."""
    status = main(["check", "--json", *arguments])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, document


# Exit status


@pytest.mark.parametrize(
    ("arguments", "status", "action"),
    [
        (["192.0.2.1", "--helo", GOOD_HELO, "--from", GOOD_FROM], 0, "accept"),
        (["192.0.2.9", "--helo", "x.example"], 0, "tag"),
        (["192.0.2.7"], EX_REFUSED, "reject"),
        (["192.0.2.7", "--rcpt", "postmaster@rcpt.example"], 0, "accept"),
        (["192.0.2.1", "--from", "a@nobody.example"], EX_REFUSED, "quarantine"),
        (["192.0.2.66", "--from", "a@trouble.example"], EX_TEMPFAIL, "tempfail"),
        (["192.0.2.66", "--rcpt", "strict@rcpt.example"], EX_TEMPFAIL, "tempfail"),
        (["10.0.0.1", "--helo", OWN_NAME], 0, "accept"),
        (["2001:db8::25", "--helo", "mail6.good.example"], 0, "accept"),
        (["::ffff:192.0.2.7"], EX_REFUSED, "reject"),
    ],
)
def test_status(
    capsys: pytest.CaptureFixture[str], config: str, arguments: list[str], status: int, action: str
) -> None:
    assert main(["check", "-c", config, *arguments]) == status
    printed = capsys.readouterr()
    assert re.search(rf"^verdict\n  {action} by rule ", printed.out, re.MULTILINE)
    assert printed.err == ""
    found, document = as_json(capsys, "-c", config, *arguments)
    assert (found, document["verdict"]["action"]) == (status, action)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["192.0.2.1", "extra"],
        ["192.0.2.300"],
        ["mail.good.example"],
        ["fe80::1%eth0"],
        ["192.0.2.1", "--dns", "localhost"],
        ["192.0.2.1", "--dns", "127.0.0.1:99999"],
        ["192.0.2.1", "--nonsense"],
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    try:
        status: object = main(["check", *arguments])
    except SystemExit as left:  # of argparse
        status = left.code
    assert status == EX_USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err


def test_broken_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[dns]\ntimeout = 0\ntries = 0\n")
    assert main(["check", "192.0.2.1", "-c", str(path)]) == EX_CONFIG
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [[f"{path}:2", "dns.timeout"], [f"{path}:3", "dns.tries"]]


def test_no_name_server_configured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdns_milter.resolver.nameservers.parse_resolv_conf", lambda octets: ())
    path = tmp_path / "system.toml"
    path.write_text("[dns]\nnameservers = []\n")
    assert main(["check", "192.0.2.1", "-c", str(path)]) == EX_UNAVAILABLE
    assert capsys.readouterr().err.startswith("rdns-milter: /etc/resolv.conf names no usable name server")


def test_the_server_on_the_command_line_is_asked(server: NameServer, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text('dns = { nameservers = ["127.0.0.1:1"] }\n')
    done = command("check", "192.0.2.1", "-c", str(path), "--dns", server.hostport, "--json")
    assert json.loads(done.stdout)["evidence"]["iprev"] == "pass"


def test_without_libmilter(config: str) -> None:
    """All commands but `run` work without it."""
    program = (
        "import sys; sys.modules['milter'] = None; from rdns_milter.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )

    def without(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert without("check", "192.0.2.1", "-c", config).returncode == 0
    assert without("config", "--check", "-c", config).returncode == 0
    run = without("run", "-n", "-c", config)
    assert run.returncode == EX_UNAVAILABLE
    assert run.stderr.startswith("rdns-milter: run needs pymilter and libmilter")


# What it prints


def test_document(capsys: pytest.CaptureFixture[str], config: str) -> None:
    _, document = as_json(capsys, "-c", config, "192.0.2.7", "--helo", "mx.liar.example", "--from", "a@liar.example")
    assert list(document) == ["evidence", "queries", "verdict", "reply", "headers", "advice"]
    evidence = document["evidence"]
    assert list(evidence) == list(KEYS)
    numbers = {"nrcpt", "ptrs", "forged", "score", "queries", "cached", "dns_ms", "waited_ms"}
    for key, value in evidence.items():
        assert isinstance(value, int | float if key in numbers else str | None), key
    assert document["verdict"] == {
        "action": "reject",
        "rule": "nobody",
        "would": "",
        "shadow_rule": "",
        "score": 0,
        "mode": "enforce",
    }
    assert document["reply"].startswith("550 5.7.25 ")
    assert document["reply"] == evidence["reply"]
    assert document["headers"] == []
    assert document["advice"]
    assert all(isinstance(sentence, str) for sentence in document["advice"])
    assert "mx.liar.example. A 192.0.2.7" in " ".join(document["advice"])
    for query in document["queries"]:
        assert list(query) == ["name", "type", "status", "answers", "ms"]
        assert isinstance(query["ms"], float)
    asked = {(query["name"], query["type"]): (query["status"], query["answers"]) for query in document["queries"]}
    assert asked["7.2.0.192.in-addr.arpa", "PTR"] == ("ok", ["mx.liar.example"])
    assert asked["mx.liar.example", "A"] == ("ok", ["192.0.2.99"])
    assert asked["liar.example", "TXT"] == ("ok", ["v=spf1 ~all"])
    assert asked["mx.liar.example", "TXT"] == ("nodata", [])


def test_in_observe_mode_the_rule_is_not_why_mail_is_accepted(tmp_path: Path, server: NameServer) -> None:
    path = tmp_path / "observe.toml"
    path.write_text(
        f'[milter]\nmode = "observe"\n[dns]\nnameservers = ["{server.hostport}"]\n'
        '[[rule]]\nname = "everybody"\naction = "reject"\n'
    )
    done = command("check", "-c", str(path), "192.0.2.7")
    assert done.returncode == 0
    assert b"\nverdict\n  accept in observe mode, although rule everybody would reject\n" in done.stdout
    document = json.loads(command("check", "-c", str(path), "192.0.2.7", "--json").stdout)
    assert (document["verdict"]["action"], document["verdict"]["would"], document["reply"]) == (
        "accept",
        "reject",
        None,
    )


def test_document_of_an_accepted_client(capsys: pytest.CaptureFixture[str], config: str) -> None:
    _, document = as_json(capsys, "-c", config, "192.0.2.9", "--helo", "h.example", "--from", "a@x.example")
    assert document["reply"] is None
    assert [name for name, _ in document["headers"]] == ["Authentication-Results", "Received-SPF", "X-Rdns-Milter"]


def test_text(config: str) -> None:
    done = command("check", "-c", config, "192.0.2.7", "--helo", "mx.liar.example", "--from", "a@liar.example")
    text = done.stdout.decode()
    assert done.stderr == b""
    assert text.startswith("Client 192.0.2.7\n\nreverse name\n  iprev           fail\n")
    for heading in (
        "reverse name",
        "greeting",
        "SPF",
        "sender",
        "DNS",
        "verdict",
        "advice for the sender's postmaster",
    ):
        assert f"\n\n{heading}\n" in text
    assert re.search(r"^  PTR +7\.2\.0\.192\.in-addr\.arpa +\d+ ms +ok +mx\.liar\.example *$", text, re.MULTILINE)
    assert re.search(r"^  reply: 550 5\.7\.25 Client host \[192\.0\.2\.7\]", text, re.MULTILINE)
    assert max(map(len, text.split("\n"))) < 1000


def test_long_names_leave_room_for_the_other_columns(config: str) -> None:
    text = command("check", "-c", config, "2001:db8::7:25", "--helo", "mx.liar.example").stdout.decode()
    assert max(map(len, text.partition("\nDNS\n")[2].partition("\nverdict\n")[0].split("\n"))) <= 80
    assert re.search(r"^  PTR +5\.2\.0\.0\.7\.\S+ +\d+ ms +nxdomain *\n +\S+ip6\.arpa *$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["192.0.2.40", "--helo", "\x1b]0;owned\x07", "--from", "\x1b[2Ja@hostile.example"],
        [
            "192.0.2.41",
            "--helo",
            "[/red][bold]x[link=http://x]",
            "--from",
            "a@shouting.example",
            "--rcpt",
            "\x9b31m\r\nx",
        ],
        ["192.0.2.1", "--helo", "mail.g\udce4\udcff.example", "--from", "ä@例え.example", "--rcpt", "\u202edlrow"],
        ["192.0.2.1", "--helo", "h" * 20_000, "--from", "a@" + "b." * 10_000 + "example"],
        ["192.0.2.1", "--helo", "", "--from", "<>"],
    ],
)
def test_hostile_text_in_a_pipe(config: str, arguments: list[str]) -> None:
    for more in ([], ["--json"]):
        done = command("check", "-c", config, *arguments, *more)
        assert done.returncode in (0, EX_REFUSED)
        assert done.stderr == b""
        text = done.stdout.decode("ascii")
        assert text.replace("\n", "").isprintable()
        assert len(text) < 30_000
        if more:
            assert json.loads(text)["evidence"]["client"] == arguments[0]


def test_on_a_terminal(config: str) -> None:
    arguments = ["192.0.2.40", "--helo", "\x1b]0;owned\x07", "--from", "\x1b[2Ja@hostile.example"]
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rdns_milter", "check", "-c", config, *arguments],
        cwd=ROOT,
        env=environment() | {"TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        text = _all_of(controller)
        assert process.wait(60) == EX_REFUSED
    assert "\x1b[1;31mreject\x1b[0m by rule nobody" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert plain.replace("\r\n", "").isprintable()


def _all_of(controller: int) -> str:
    chunks = []
    try:
        while chunk := os.read(controller, 65536):
            chunks.append(chunk)
    except OSError:  # EIO: the other end is closed
        pass
    os.close(controller)
    return b"".join(chunks).decode()


# The milter says the same

SAME: list[tuple[Client, str, str, str]] = [
    (GOOD, GOOD_HELO, GOOD_FROM, "b@rcpt.example"),
    (GOOD, GOOD_HELO, "<>", "b@rcpt.example"),
    (GOOD6, "mail6.good.example", GOOD_FROM, "b@rcpt.example"),
    (GOOD, OWN_NAME, GOOD_FROM, "b@rcpt.example"),
    (GOOD, "[192.0.2.1]", "a@nobody.example", "b@rcpt.example"),
    (GOOD, "x", "a@strict.example", "b@rcpt.example"),
    (GOOD, "h.example", "a@broken.example", "b@rcpt.example"),
    (GOOD, "m\xe4il.example", "a@liar.example", "b@rcpt.example"),
    (LIAR, "mx.liar.example", "a@liar.example", "b@rcpt.example"),
    (LIAR, "mx.liar.example", "a@liar.example", "postmaster@rcpt.example"),
    (NAMELESS, "192.0.2.8", "a@b@good.example", "strict@rcpt.example"),
    (POOL, "pc", "<@route.example:a@liar.example>", "b@rcpt.example"),
    (TROUBLED, "mail.trouble.example", "a@trouble.example", "b@rcpt.example"),
    (TROUBLED, GOOD_HELO, GOOD_FROM, "strict@rcpt.example"),
    (SILENT, "mail.silent.example", "a@silent.example", "b@rcpt.example"),
    (Client("192.0.2.41"), "\x1b[31m", "\x07@hostile.example", "b@rcpt.example"),
    (Client("10.9.8.7"), OWN_NAME, GOOD_FROM, "strict@rcpt.example"),
]
# What only an MTA knows, and what hangs on the moment and on what was asked before.
APART = {"qid", "queries", "cached", "dns_ms", "waited_ms"}


@pytest.mark.parametrize(("client", "helo", "mailfrom", "rcpt"), SAME, ids=lambda value: str(value)[:30])
def test_check_and_milter_agree(
    capsys: pytest.CaptureFixture[str],
    daemon: Daemon,
    config: str,
    client: Client,
    helo: str,
    mailfrom: str,
    rcpt: str,
) -> None:
    _, document = as_json(capsys, "-c", config, client.address, "--helo", helo, "--from", mailfrom, "--rcpt", rcpt)
    outcome, (decision,) = daemon.judge(client=client, helo=helo, mailfrom=mailfrom, rcpts=[rcpt])
    checked = {key: "" if value is None else str(value) for key, value in document["evidence"].items()}
    assert {key: value for key, value in decision.items() if key not in APART} == {
        key: value for key, value in checked.items() if key not in APART
    }
    assert document["verdict"]["action"] == decision["action"]
    assert document["verdict"]["rule"] == decision["rule"]
    assert (document["reply"] or "") == decision["reply"]
    added = [[change.name, change.value] for change in reversed(outcome.changes) if change.kind == "insert"]
    assert document["headers"] == added
