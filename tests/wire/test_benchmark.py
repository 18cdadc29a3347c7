"""The benchmark works: all of its scenarios run, with counts too small for real figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dns.message
import dns.reversename
import pytest

from tests.bench.clients import HOLES, address, host, record, sender
from tests.bench.peers import FLOOR, MILTER
from tests.bench.scenarios import BURST, SCENARIOS
from tests.bench.stub_nameserver import respond
from tests.kit.milter.daemon import ROOT, environment

PATIENCE = 60.0


def bench(*arguments: str) -> str:
    """Run the benchmark with small counts; return its output."""
    command = [sys.executable, "-m", "tests.bench", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_every_scenario(tmp_path: Path) -> None:
    out = bench("--quick", "--json", str(tmp_path / "figures.json"))
    found: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    assert list(found["scenarios"]) == [scenario.name for scenario in SCENARIOS]
    for scenario in SCENARIOS:
        assert f"\n{scenario.name} " in out
        peers = found["scenarios"][scenario.name]
        assert list(peers) == [FLOOR, MILTER]
        for figures in peers.values():
            assert figures["failed"] == 0
            assert min(figures[name] for name in ("messages", "rate", "wait_p50", "cpu", "load_cpu")) > 0
            assert figures["wait_p50"] <= figures["wait_p99"]
        assert peers[FLOOR]["queries"] == 0
        # The client's name and address, SPF of its greeting, and SPF of its sender with three includes.
        assert peers[MILTER]["queries"] < 1 if scenario.warm else 6 <= peers[MILTER]["queries"] <= 8
    burst = found[BURST]
    assert burst["answered"] == burst["conversations"] == burst["ended"]["accepted"]
    assert burst["longest"] >= burst["deadline"] * 0.9
    assert 0 < burst["peak_mb"] < 1000


def test_million(tmp_path: Path) -> None:
    out = bench("million", "--quick", "--json", str(tmp_path / "figures.json"))
    parts = json.loads((tmp_path / "figures.json").read_text())["parts"]
    assert [part["messages"] for part in parts] == list(range(50, 501, 50))
    assert all(part["rate"] > 0 and part["cpu"] > 0 and part["memory_mb"] > 1 for part in parts)
    assert all(6 <= part["queries"] <= 8 for part in parts)
    assert "last part beside the first" in out


NUMBER = 0x123456


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        (dns.reversename.from_address(address(NUMBER)).to_text(), "PTR", f"{host(NUMBER)}."),
        (host(NUMBER), "A", address(NUMBER)),
        (host(NUMBER), "TXT", ""),
        (sender(NUMBER), "TXT", f'"{record(NUMBER)}"'),
        (sender(NUMBER), "A", ""),
        ("c123456.last.test", "TXT", '"v=spf1 ip4:10.0.0.0/8 -all"'),
    ],
)
@pytest.mark.parametrize("edns", [False, 0])
def test_the_stub_answers_as_a_name_server_does(name: str, kind: str, answer: str, edns: bool | int) -> None:
    query = dns.message.make_query(name, kind, use_edns=edns)
    wire = respond(query.to_wire())
    assert wire is not None
    message = dns.message.from_wire(wire)
    assert query.is_response(message)
    assert [rdata.to_text() for rrset in message.answer for rdata in rrset] == ([answer] if answer else [])
    assert len(message.authority) == (not answer)


def test_the_stub_is_silent_about_holes() -> None:
    for name, kind in ((sender(HOLES), "TXT"), (host(HOLES + 5), "A"), ("1.0.128.10.in-addr.arpa", "PTR")):
        assert respond(dns.message.make_query(name, kind).to_wire()) is None


def test_floods(tmp_path: Path) -> None:
    out = bench("floods", "--quick", "--json", str(tmp_path / "figures.json"))
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["floods"].values()
    assert figures["accepted"] == figures["refused"] == figures["messages"] > 0
    assert min(figures["quiet"], figures["beside"], figures["rounds"]) > 0
    assert "p95 quiet" in out
