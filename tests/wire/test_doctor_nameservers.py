"""What `rdns-milter doctor` says of name servers: dead, refusing, slow, without TCP, without validation, inventing answers, big and
public; of the clock, the log and the metrics. Real sockets on loopback."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path

import pytest

from rdns_milter.doctor.checks.clock_check import check_clock
from rdns_milter.doctor.checks.config_check import check_config
from rdns_milter.doctor.checks.log_check import check_log
from rdns_milter.doctor.checks.metrics_check import check_metrics
from rdns_milter.doctor.checks.nameserver_check import check_nameservers
from rdns_milter.doctor.checks.service_check import check_service
from rdns_milter.doctor.examination import examine
from rdns_milter.doctor.finding import BAD, Finding
from rdns_milter.doctor.host import Host
from rdns_milter.doctor.nameserver_probe import WHO_ASKS, Probe, probe
from rdns_milter.net.endpoints import Endpoint
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.endpoint import free_port

FINE = ". SOA a.root. b.root. 1 3600 600 86400 60"
NOW = 1_795_960_980.0
DAY = 86_400


def asked(zone: str, tcp: bool = True) -> list[Finding]:
    with NameServer(Zone(zone), tcp=tcp) as running:
        return list(check_nameservers([probe(Endpoint(*running.address), patience=0.5)]))


def faults(found: list[Finding]) -> dict[str, str]:
    return {each.text: each.level for each in found if each.level != "ok"}


def test_a_server_in_order_but_for_validation() -> None:
    (text,) = faults(asked(FINE))
    assert "does not validate" in text


def test_a_dead_server() -> None:
    server = Endpoint("127.0.0.1", free_port("127.0.0.1"))
    (found,) = check_nameservers([probe(server, patience=0.3)])
    assert found.level == BAD
    assert found.remedy
    one, _ = check_nameservers([probe(server, patience=0.3), Probe(server, "no answer")])
    assert one.level == "warn", "another server may serve"


@pytest.mark.parametrize(
    ("word", "says"),
    [("silent", "no answer within 0.5 seconds"), ("refused", "answers REFUSED"), ("servfail", "answers SERVFAIL")],
)
def test_a_server_that_does_not_serve(word: str, says: str) -> None:
    (found,) = asked(f". !{word}\n*. !{word}")
    assert found.level == BAD
    assert says in found.text


def test_a_server_without_tcp() -> None:
    assert any(
        "does not answer over TCP" in text and level == BAD for text, level in faults(asked(FINE, tcp=False)).items()
    )


def test_a_server_that_invents_answers() -> None:
    assert any(
        "invents answers" in text and level == BAD
        for text, level in faults(asked(f"{FINE}\n*.com. A 192.0.2.9")).items()
    )


DNS_LISTS = """
2.0.0.127.fine.example     A  127.0.10.0
2.0.0.127.refused.example  A  127.255.255.254
*.refused.example          A  127.255.255.254
*.limited.example          A  127.0.0.255
*.gone.example             A  127.0.0.2
*.parked.example           A  203.0.113.80
*.down.example             SERVFAIL
*.slow.example             SILENT
"""


@pytest.mark.parametrize(
    ("zone", "level", "says"),
    [
        ("fine.example", "ok", "answers"),
        ("refused.example", BAD, "refuses this server"),
        ("limited.example", BAD, "refuses this server"),
        ("parked.example", BAD, "refuses this server"),
        ("gone.example", BAD, "has every address"),
        ("typo.example", "warn", "does not have 127.0.0.2"),
        ("down.example", "warn", "could not be asked: answers SERVFAIL"),
        ("slow.example", "warn", "could not be asked: no answer within"),
        (".".join(["a" * 60] * 4) + ".example", "warn", "could not be asked: A DNS name is > 255 octets long"),
    ],
)
def test_dns_lists(zone: str, level: str, says: str) -> None:
    with NameServer(Zone(FINE + DNS_LISTS)) as running:
        found = check_nameservers([probe(Endpoint(*running.address), 0.6, [zone])])
    (finding,) = (each for each in found if "DNS list" in each.text)
    assert (finding.level, bool(finding.remedy)) == (level, level != "ok")
    assert f"the DNS list {zone} {says}" in finding.text


def test_providers_without_an_spf_record() -> None:
    long = " ".join(f"ip4:192.0.2.{number}" for number in range(200))
    zone = f"""{FINE}
    has.example    TXT  "V=SPF1 -all"
    long.example   TXT  "v=spf1 {long} -all"
    other.example  TXT  "v=spf10 -all"
    down.example   SERVFAIL
    """
    providers = ["has.example", "long.example", "other.example", "down.example", "none.example"]
    with NameServer(Zone(zone)) as running:
        found = check_nameservers([probe(Endpoint(*running.address), 0.6, providers=providers)])
    texts = [each.text.partition(": ")[2] for each in found if "SPF record" in each.text and each.level == "warn"]
    assert [text.partition(" has no SPF record")[0] for text in texts] == ["other.example", "none.example"]


def test_only_what_rules_ask_is_asked(tmp_path: Path) -> None:
    rules = """
    [dnslists]
    wl = "wl.example"
    unused = "unused.example"
    [[rule]]
    name = "listed"
    when = { dnslist = "wl" }
    action = "accept"
    [[rule]]
    name = "provider"
    when = { client_spf = "_spf.example.com" }
    action = "accept"
    """
    config = tmp_path / "c.toml"
    with NameServer(Zone(FINE)) as running:
        config.write_text(f'[dns]\nnameservers = ["{running.hostport}"]\n{rules}', "utf-8")
        texts = [each.text for each in examine(Host(), str(config)) if each.subject == "name server"]
        assert running.queries.count("2.0.0.127.unused.example", "A") == 0
    assert any("the DNS list wl.example does not have 127.0.0.2" in text for text in texts)
    assert any("_spf.example.com has no SPF record" in text for text in texts)


def test_a_server_that_forwards_to_a_public_resolver() -> None:
    assert any(
        "forwards to a big public resolver (8.8.8.8)" in text for text in faults(asked(f"{FINE}\n{WHO_ASKS} A 8.8.8.8"))
    )
    assert not any("public" in text for text in faults(asked(f"{FINE}\n{WHO_ASKS} A 192.0.2.1")))


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (Probe(Endpoint("8.8.8.8", 53), validates=True, tcp=True), "is a big public resolver"),
        (Probe(Endpoint("127.0.0.53", 53), validates=True, tcp=True), "systemd-resolved's stub"),
        (Probe(Endpoint("127.0.0.1", 53), ms=900.0, validates=True, tcp=True), "is slow: 900 ms"),
    ],
)
def test_what_needs_no_question(server: Probe, says: str) -> None:
    (text,) = faults(list(check_nameservers([server])))
    assert says in text


def test_no_server_at_all() -> None:
    (found,) = check_nameservers([])
    assert found.level == BAD


@pytest.mark.parametrize(
    ("shift", "synchronized", "level", "says"),
    [
        (0, True, "ok", "agrees"), (0, None, "ok", "agrees"), (0, False, "warn", "not synchronized"),
        (-30 * DAY, True, BAD, "behind"), (30 * DAY, True, BAD, "ahead"),
    ],
)  # fmt: skip
def test_the_clock(shift: float, synchronized: bool | None, level: str, says: str) -> None:
    probes = [Probe(Endpoint("127.0.0.1", 53), signed=(int(NOW) - 5 * DAY, int(NOW) + 5 * DAY))]
    (found,) = check_clock(probes, NOW + shift, synchronized)
    assert found.level == level
    assert says in found.text


def test_the_log(tmp_path: Path) -> None:
    quiet = Host({"PATH": str(tmp_path)})
    path = tmp_path / "log"
    (missing,) = check_log(quiet, "syslog", str(path))
    assert missing.level == BAD
    assert "does not exist" in missing.text
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        assert [each.level for each in check_log(quiet, "syslog", str(path))] == ["ok"]
    (refused,) = check_log(quiet, "auto", str(path))
    assert refused.level == "warn"
    assert [each.level for each in check_log(quiet, "stderr", str(path))] == ["ok"]


def program(directory: Path, name: str, text: str) -> None:
    """A program that writes this text."""
    (directory / f"{name}.txt").write_text(text)
    path = directory / name
    path.write_text(f"#!/bin/sh\nexec /bin/cat {directory}/{name}.txt\n")
    path.chmod(0o755)


def test_lines_that_journald_dropped(tmp_path: Path) -> None:
    program(
        tmp_path,
        "journalctl",
        "Suppressed 4711 messages from rdns-milter.service\nSuppressed 3 messages from other.service\n",
    )
    fault = list(check_log(Host({"PATH": str(tmp_path)}), "stderr"))[-1]
    assert "Suppressed 4711 messages" in fault.text
    assert any("LogRateLimitIntervalSec=0" in line for line in fault.remedy)
    program(tmp_path, "systemctl", "0\n")
    lifted = list(check_log(Host({"PATH": str(tmp_path)}), "stderr"))[-1]
    assert lifted.level == "ok"
    assert "before the service's rate limit was lifted" in lifted.text


def test_metrics_open_to_the_world() -> None:
    for listen, level in (
        (None, "ok"),
        (Endpoint("127.0.0.1", 9415), "ok"),
        (Endpoint("::1", 9415), "ok"),
        (Endpoint("0.0.0.0", 9415), "warn"),
    ):
        (found,) = check_metrics(listen)
        assert found.level == level


def test_the_service_as_systemd_has_it(tmp_path: Path) -> None:
    host = Host({"PATH": str(tmp_path)})
    assert [each.level for each in check_service(host)] == ["ok"]
    program(tmp_path, "systemctl", "LoadState=loaded\nMainPID=1\nUser=\nLimitNOFILE=64\nTasksMax=infinity\n")
    root, limit = check_service(host)
    assert (root.level, limit.level) == ("warn", BAD)
    assert any("User=rdns-milter" in line for line in root.remedy)
    assert any("LimitNOFILE=16384" in line for line in limit.remedy)
    assert [each.level for each in check_service(host, "milter")] == ["ok", BAD]
    program(tmp_path, "systemctl", "LoadState=loaded\nMainPID=1\nUser=rdns-milter\nLimitNOFILE=65536\nTasksMax=16384\n")
    assert [each.level for each in check_service(host)] == ["ok"]


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdns_milter.doctor.host.SECONDS", 0.2)
    path = tmp_path / "postconf"
    path.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    path.chmod(0o755)
    assert Host({"PATH": str(tmp_path)}).output("postconf", "-x") is None


def test_the_config(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[exempt]\nnetworks = ["10.0.0.0/8"]\n')
    config, found = check_config(str(path), date(2026, 11, 29))
    assert config is not None
    (fault,) = [each for each in found if "lacks loopback" in each.text]
    assert fault.text.endswith('add "127.0.0.0/8", "::1"')
    assert 'section [exempt]: networks = ["127.0.0.0/8", "::1", "10.0.0.0/8"]' in fault.remedy[0]
    path.write_text("[exempt]\nnetwork = []\n")
    config, (fault,) = check_config(str(path), date(2026, 11, 29))
    assert config is None
    assert f"{path}:2" in fault.text
