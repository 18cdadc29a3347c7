"""The files of packaging/examples are valid for the programs that read them, and name nothing that does not exist.

At work: those for logs in tests/wire/test_example_log_configs.py, for Postfix in tests/mta/test_example_postfix.py, for Sendmail in
tests/mta/test_example_sendmail.py, for a fleet in tests/mta/test_fleet.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from rdns_milter.checks.evidence import FACTS
from rdns_milter.config.load import load
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.sample import sample
from rdns_milter.monitoring.metric_definitions import PREFIX, SERIES
from rdns_milter.net.endpoints import parse_nameserver, parse_socket_address
from tests.kit.milter.packets import ALL_ACTIONS, ALL_STEPS, VERSION
from tests.kit.mta import examples
from tests.kit.mta.fleet import NAMES, program

FILES = sorted(str(path.relative_to(examples.DIRECTORY)) for path in examples.DIRECTORY.rglob("*") if path.is_file())
PACKAGING = examples.DIRECTORY.parent
DEFAULTS = {
    f"{section}.{option.key}": option for section, kind in SECTIONS.items() for option in options_of(kind).values()
}
ALERTS = PACKAGING / "prometheus" / "rules.yml"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the machine; skip the test if it is missing."""
    path = program(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_haproxy_takes_it() -> None:
    done = run("haproxy", "-c", "-f", str(examples.DIRECTORY / "fleet" / "haproxy.cfg"))
    assert (done.returncode, done.stderr) == (0, "")


def test_unbound_takes_it() -> None:
    done = run("unbound-checkconf", str(examples.DIRECTORY / "unbound.conf"))
    assert (done.returncode, done.stderr) == (0, "")


def test_logrotate_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "logrotate"
    path.write_text(examples.text("logrotate"))
    path.chmod(0o644)
    done = run("logrotate", "-d", "-s", str(tmp_path / "state"), str(path))
    assert done.returncode == 0
    assert "error:" not in done.stderr
    assert set(re.findall(r"^/\S+", examples.text("logrotate"), re.MULTILINE)) == set(
        re.findall(r'file="(/\S+)"', examples.text("rsyslog.conf"))
    )


def test_prometheus_takes_it(tmp_path: Path) -> None:
    for name, path in (
        ("rdns-milter.yml", ALERTS),
        ("rdns-milter-fleet.yml", examples.DIRECTORY / "fleet" / "fleet-rules.yml"),
        ("prometheus.yml", examples.DIRECTORY / "fleet" / "prometheus.yml"),
    ):
        shutil.copy(path, tmp_path / name)
    done = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["override.conf", "fleet/override.conf"])
def test_systemd_takes_it(name: str, tmp_path: Path) -> None:
    """As a drop-in of the service: it causes no message that the service alone does not."""
    shutil.copy(PACKAGING / "systemd" / "rdns-milter.service", tmp_path)
    unit = str(tmp_path / "rdns-milter.service")
    content = (tmp_path / "rdns-milter.service").read_text()
    (tmp_path / "rdns-milter.service").write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", content, flags=re.M))
    before = run("systemd-analyze", "verify", "--man=no", unit)
    (tmp_path / "rdns-milter.service.d").mkdir()
    shutil.copy(examples.DIRECTORY / name, tmp_path / "rdns-milter.service.d")
    after = run("systemd-analyze", "verify", "--man=no", unit)
    assert (after.returncode, after.stderr) == (before.returncode, before.stderr)


def test_the_settings_of_a_fleet_are_settings(tmp_path: Path) -> None:
    """Added to the default configuration they are valid, and each changes something."""
    given = tomllib.loads(examples.text("fleet/settings.toml"))
    text = sample()
    for section, keys in given.items():
        for key, value in keys.items():
            option = DEFAULTS[f"{section}.{key}"]
            assert value != option.default
            line = f"\n{key} = {option.toml(option.default)}\n"
            assert text.count(line) == 1
            text = text.replace(line, f"\n{key} = {value!r}\n")
    (tmp_path / "c.toml").write_text(text)
    config = load(str(tmp_path / "c.toml"))
    assert config.headers.authserv_id == given["headers"]["authserv_id"]
    assert config.metrics.listen is not None
    assert len(config.policy.rules) == len(tomllib.loads(sample())["rule"])


def test_the_parts_of_a_fleet_fit_together() -> None:
    given = tomllib.loads(examples.text("fleet/settings.toml"))
    haproxy = examples.text("fleet/haproxy.cfg")
    port = parse_socket_address(given["milter"]["socket"]).port
    machines = dict(re.findall(r"^ {4}server (\w+) (\S+)$", haproxy, re.MULTILINE))
    assert tuple(machines) == NAMES
    hosts = [at.removesuffix(f":{port}") for at in machines.values()]
    scraped = yaml.safe_load(examples.text("fleet/prometheus.yml"))["scrape_configs"][0]
    assert scraped["job_name"] == "rdns-milter"
    listen = given["metrics"]["listen"].rpartition(":")[2]
    assert scraped["static_configs"][0]["targets"] == [f"{host}:{listen}" for host in hosts]
    assert f"bind {examples.settings('fleet/main.cf')['smtpd_milters'].removeprefix('inet:')}" in haproxy
    network = re.findall(r"IPAddressAllow=localhost (\S+)/24", examples.text("fleet/override.conf"))[0]
    assert all(host.rpartition(".")[0] == network.rpartition(".")[0] for host in hosts)
    resolver = parse_nameserver(given["dns"]["nameservers"][0])
    assert f"interface: {resolver.host}" in examples.text("unbound.conf")
    assert f"port: {resolver.port}" in examples.text("unbound.conf")


def test_the_health_check_is_a_negotiation() -> None:
    """The packets of the milter protocol: length, command, and for the first also version, actions, steps."""
    first, last = re.findall(r"send-binary ([0-9a-f]+)$", examples.text("fleet/haproxy.cfg"), re.MULTILINE)
    options = b"O" + b"".join(number.to_bytes(4, "big") for number in (VERSION, ALL_ACTIONS & 0x1FF, ALL_STEPS))
    assert bytes.fromhex(first) == len(options).to_bytes(4, "big") + options
    assert bytes.fromhex(last) == b"\0\0\0\1Q"


def test_time_limits_are_in_their_order() -> None:
    """A milter decides before Postfix times out; HAProxy switches to another milter before Postfix gives HAProxy up."""

    def seconds(text: str) -> float:
        number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()  # type: ignore[union-attr]
        return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]

    limits = dict(re.findall(r"^ +timeout (\w+) (\S+)$", examples.text("fleet/haproxy.cfg"), re.MULTILINE))
    (tries,) = re.findall(r"^ +retries (\d+)$", examples.text("fleet/haproxy.cfg"), re.MULTILINE)
    fleet = examples.settings("fleet/main.cf")
    assert (1 + int(tries)) * seconds(limits["connect"]) < seconds(fleet["milter_connect_timeout"])
    for given in (fleet, examples.settings("main.cf")):
        assert seconds(given["milter_command_timeout"]) > DEFAULTS["milter.deadline"].default
        assert seconds(given["milter_content_timeout"]) > DEFAULTS["milter.deadline"].default
    assert f"({DEFAULTS['milter.deadline'].default:g} s)" in examples.text("main.cf")


@pytest.mark.parametrize("name", FILES)
def test_options_that_comments_name_are_there(name: str) -> None:
    said = examples.comments(name)
    for section, key in re.findall(rf"\b({'|'.join(SECTIONS)})\.([a-z_]+)\b", said):
        if key not in ("md", "toml", "conf", "cf", "yml", "service"):
            assert f"{section}.{key}" in DEFAULTS
    for series in re.findall(rf"\b{PREFIX}(\w+)(?!:)\b", said):
        assert series.removesuffix("_bucket") in SERIES
    for fact in re.findall(r"\b(iprev\w*|spf_\w+|helo_\w+)=", said):
        assert fact in FACTS


def test_comments_name_options_at_all() -> None:
    """The test above checks something: the comments name many options."""
    said = " ".join(map(examples.comments, FILES))
    named = {f"{section}.{key}" for section, key in re.findall(rf"\b({'|'.join(SECTIONS)})\.([a-z_]+)\b", said)}
    assert {"milter.deadline", "dns.nameservers", "dns.negative_ttl", "metrics.listen"} <= named
    limit = re.findall(r"cache-max-negative-ttl: (\d+)", examples.text("unbound.conf"))
    assert [int(each) for each in limit] == [DEFAULTS["dns.negative_ttl"].default]


@pytest.mark.parametrize("name", FILES)
def test_files_that_comments_name_are_there(name: str) -> None:
    here = (examples.DIRECTORY / name).parent
    said = examples.comments(name)
    for path in re.findall(r"\b(packaging/[\w./-]*\w)", said):
        assert (PACKAGING.parent / path).exists(), path
    for path in re.findall(r"(?<![\w/])(\.\./[\w.-]*\w)", said):
        assert (here / path).exists(), path
    for path in re.findall(r"\b([\w.-]*\w) beside this file", said):
        assert (here / path).exists(), path
