"""`rdns-milter check --self`: how others see this host, by its own addresses and names, or by those given."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rdns_milter.cli.main import main
from rdns_milter.doctor.own_addresses import OwnAddress
from rdns_milter.net.names import parse_address
from rdns_milter.text.exit_status import EX_REFUSED, EX_TEMPFAIL, EX_USAGE
from tests.kit.data.scenario import GOOD_HELO, ZONE
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.mta.network_namespace import NetworkNamespace

MORE = """
tld.example         TXT v=spf1 ip4:192.0.2.8 -all
vps.tld.example     A   192.0.2.8
"""
ADDRESSES = "rdns_milter.cli.check.self_check.interface_addresses"
IDENTITY = "rdns_milter.doctor.mta_identity.read_postfix"


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE, MORE)) as running:
        yield running


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], server: NameServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run `check --self` on a host that has neither an MTA nor an address."""
    path = tmp_path / "r.toml"
    # The address is exempt and the name is our own here, which must not count: others do not know this.
    path.write_text(
        f'[dns]\nnameservers = ["{server.hostport}"]\ntimeout = 0.4\ntries = 1\n'
        f'[exempt]\nnetworks = ["192.0.2.0/24"]\nown_names = ["{GOOD_HELO}"]\n'
        '[[rule]]\nname = "everyone"\naction = "reject"\n'
    )
    monkeypatch.setattr(IDENTITY, lambda host: None)
    monkeypatch.setattr(ADDRESSES, lambda host: [])

    def check(*arguments: str) -> tuple[int, str, str]:
        status = main(["check", "--self", "-c", str(path), *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return check


def interfaces(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [OwnAddress(address, "interface eth0") for each in addresses if (address := parse_address(each))]
    monkeypatch.setattr(ADDRESSES, lambda host: found)


def test_a_host_in_order(run: Callable[..., tuple[int, str, str]]) -> None:
    status, text, _ = run("192.0.2.1", "--helo", GOOD_HELO, "--from", "good.example")
    assert status == 0
    assert "This host greets as mail.good.example (--helo)" in text
    assert "sender postmaster@good.example, --from" in text
    assert text.count("accept by rule default") == 2
    assert "to publish" not in text


@pytest.mark.parametrize(
    ("address", "helo", "sender", "status", "default", "strict", "advice"),
    [
        ("192.0.2.8", "vps.tld.example", "tld.example", EX_REFUSED, "tag", "no-confirmed-reverse-name", "192.in-addr.arpa. PTR"),
        ("192.0.2.8", "pc", "x.example", EX_REFUSED, "reject", "no-confirmed-reverse-name", "is not fully qualified"),
        ("192.0.2.9", "192-0-2-9.dyn.isp.example", "x.example", EX_REFUSED, "tag", "generic-reverse-name", "generic name"),
        ("192.0.2.1", "[192.0.2.1]", "good.example", EX_REFUSED, "accept", "helo-is-no-host-name", "address literal"),
        ("192.0.2.1", "mx.liar.example", "good.example", EX_REFUSED, "accept", "helo-does-not-resolve", "does not resolve to"),
        ("192.0.2.1", GOOD_HELO, "nothing.example", EX_REFUSED, "accept", "spf-does-not-pass", 'TXT "v=spf1 ip4:192.0.2.1 -all"'),
        ("192.0.2.1", GOOD_HELO, "nobody.example", EX_REFUSED, "tag", "spf-does-not-pass", "does not authorize 192.0.2.1"),
        ("192.0.2.66", "mail.trouble.example", "trouble.example", EX_TEMPFAIL, "accept", "", "name servers"),
    ],
)  # fmt: skip
def test_each_fault_is_seen_by_the_strict_receiver_and_comes_with_advice(
    run: Callable[..., tuple[int, str, str]],
    address: str, helo: str, sender: str, status: int, default: str, strict: str, advice: str,
) -> None:  # fmt: skip
    found, text, _ = run(address, "--helo", helo, "--from", f"a@{sender}", "--json")
    document: dict[str, Any] = json.loads(text)
    (check,) = document["checks"]
    assert (check["verdict"]["action"], check["strict"]["rule"] if strict else "") == (default, strict)
    assert found == status
    assert advice in " ".join(check["advice"])
    assert check["evidence"]["helo_own"] == "no"
    assert not check["verdict"]["rule"].startswith("exempt")


def test_the_addresses_of_the_interfaces(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    interfaces(monkeypatch, "192.0.2.1", "2001:db8::25", "10.1.2.3")
    status, text, _ = run("--helo", GOOD_HELO, "--from", "good.example")
    assert status == EX_REFUSED, "the HELO name has no AAAA record"
    assert "from 192.0.2.1  interface eth0" in text
    assert "from 2001:db8::25  interface eth0" in text
    assert "10.1.2.3 (interface eth0) is private" in text
    assert "from 10.1.2.3" not in text


def test_behind_nat_the_address_is_asked_for(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    interfaces(monkeypatch, "192.168.1.5", "fd00::5")
    status, text, error = run()
    assert (status, text) == (EX_USAGE, "")
    assert "private addresses only: 192.168.1.5 (interface eth0), fd00::5 (interface eth0)" in error
    assert "rdns-milter check --self ADDRESS" in error
    interfaces(monkeypatch)
    assert "no address of this host was found" in run()[2]


def test_names_that_no_one_can_look_up(run: Callable[..., tuple[int, str, str]]) -> None:
    _, text, _ = run("192.0.2.1", "--helo", "host.localdomain", "--from", "host.localdomain")
    assert "host.localdomain (--helo) is no name of the public DNS" in text
    assert "or give --from" in text
    _, text, _ = run("192.0.2.1", "--helo", GOOD_HELO, "--from", "<>")
    assert "notes" not in text
    assert "sender <>, --from" in text


def test_hostile_names_are_escaped(run: Callable[..., tuple[int, str, str]]) -> None:
    for more in ((), ("--json",)):
        _, text, _ = run("192.0.2.1", "--helo", "\x1b[31mred\x07", "--from", "\x1b]0;x\x07@good.example", *more)
        assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("arguments", [[], ["192.0.2.1", "192.0.2.2"], ["mail.good.example", "--self"]])
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["check", *arguments]) == EX_USAGE
    assert capsys.readouterr().err


@pytest.mark.skipif(not Path("/usr/sbin/postconf").exists(), reason="no Postfix on this machine")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network of its own")
def test_postfix_and_real_interfaces(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "master.cf").write_text("smtp unix - - n - - smtp\n  -o smtp_helo_name=mail.good.example\n")
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmyhostname = host.good.example\nmyorigin = $mydomain\n"
    )
    monkeypatch.setenv("MAIL_CONFIG", str(tmp_path))
    found: list[tuple[int, dict[str, Any]]] = []

    def in_a_network_of_its_own() -> None:
        with NetworkNamespace(), NameServer(Zone(ZONE, MORE)) as server:
            subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True, timeout=20)
            for settings in ("", "smtp_bind_address = 192.0.2.9\n"):
                with (tmp_path / "main.cf").open("a") as file:
                    file.write(settings)
                os.utime(tmp_path / "main.cf", (1, 1))  # Postfix waits until a file is two seconds old
                status = main(["check", "--self", "--json", "--dns", server.hostport])
                found.append((status, json.loads(capsys.readouterr().out)))

    thread = threading.Thread(target=in_a_network_of_its_own)
    thread.start()
    thread.join()
    (status, document), (other, bound) = found
    (check,) = document["checks"]
    assert (check["address"], check["address_from"]) == ("192.0.2.1", "interface lo")
    assert document["helo_name"] == {"name": "mail.good.example", "from": "smtp_helo_name"}
    assert (check["sender"], check["sender_from"]) == ("good.example", "myorigin")
    assert (status, check["evidence"]["iprev"], check["evidence"]["spf_mailfrom"]) == (0, "pass", "pass")
    (check,) = bound["checks"]
    assert (check["address"], check["address_from"]) == ("192.0.2.9", "smtp_bind_address")
    assert other == EX_REFUSED
