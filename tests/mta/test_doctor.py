"""`rdns-milter doctor` with the postconf of a real Postfix: each broken set-up is reported, and the commands and lines that doctor
prints correct it. Sendmail's configuration is read from sendmail.cf."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rdns_milter.doctor.checks.postfix_check import check_postfix
from rdns_milter.doctor.checks.sendmail_check import check_sendmail
from rdns_milter.doctor.checks.socket_check import check_socket
from rdns_milter.doctor.finding import BAD, Finding
from rdns_milter.doctor.host import Host
from rdns_milter.doctor.postfix_settings import read_postfix
from rdns_milter.net.endpoints import SocketAddress, parse_socket_address
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import ROOT, Daemon

pytestmark = pytest.mark.skipif(not Path("/usr/sbin/postconf").exists(), reason="no Postfix on this machine")

OURS = "inet:127.0.0.1:8895"
LISTENER = parse_socket_address("inet:8895@127.0.0.1")
DEADLINE = 6.0
GOOD = {"smtpd_milters": OURS, "milter_default_action": "accept", "milter_command_timeout": "15s"}
MASTER = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n  -o smtpd_milters=\n"
CHROOTED = MASTER.replace("smtp inet n - n", "smtp inet n - y")
POSTSCREEN = "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n"


@dataclass(frozen=True)
class Case:
    """A set-up, the findings of doctor, and whether the printed commands alone correct it."""

    name: str
    says: str
    main: dict[str, str] = field(default_factory=dict)
    master: str = MASTER
    listener: SocketAddress = LISTENER
    level: str = BAD
    mends: bool = True


CASES = (
    Case("not named", "smtp/inet does not ask the milter: smtpd_milters is empty", {"smtpd_milters": ""}),
    Case("another alone", "names inet:127.0.0.1:8891 only", {"smtpd_milters": "inet:127.0.0.1:8891"}),
    Case("wrong port", "asks inet:127.0.0.1:8896, and the milter listens at", {"smtpd_milters": "inet:127.0.0.1:8896"}),
    Case("wrong port beside another", "asks inet:localhost:8896", {"smtpd_milters": "inet:localhost:8896, inet:localhost:8891"}),
    Case("overridden", "overrides smtpd_milters of main.cf", master="smtp inet n - n - - smtpd\n  -o smtpd_milters=\n"),
    Case(
        "overridden by another", "names inet:127.0.0.1:8891 only", {"smtpd_milters": ""},
        "smtp inet n - n - - smtpd\n  -o smtpd_milters=inet:127.0.0.1:8891\n",
    ),
    Case(
        "outside the chroot", "runs in a chroot", {"smtpd_milters": "unix:/run/rdns-milter/rdns-milter.sock"}, CHROOTED,
        parse_socket_address("unix:/run/rdns-milter/rdns-milter.sock"), mends=False,
    ),
    Case(
        "unix socket, another path", "asks unix:/run/rdns-milter.sock, and the milter listens",
        {"smtpd_milters": "unix:/run/rdns-milter.sock"}, listener=parse_socket_address("unix:/run/rdns-milter/rdns-milter.sock"),
    ),
    Case("refuses while down", "refused for good (default action reject)", {"milter_default_action": "reject"}),
    Case(
        "refuses while down, in braces", "default action reject",
        {"smtpd_milters": "{ inet:127.0.0.1:8895, default_action=reject, command_timeout=20s }, inet:localhost:8891"},
    ),
    Case("short timeout", "milter_command_timeout is 5s, and a message may wait 6 s", {"milter_command_timeout": "5s"}),
    Case("short timeout at the end", "milter_content_timeout is 6s", {"milter_content_timeout": "6s"}),
    Case("old protocol", "milter_protocol is 2: the milter needs 6", {"milter_protocol": "2"}),
    Case(
        "OpenDKIM before us", "OpenDKIM (inet:127.0.0.1:8891) comes before the milter: its results are removed as forged",
        {"smtpd_milters": f"inet:127.0.0.1:8891, {OURS}"}, level="warn",
    ),
    Case(
        "OpenDMARC before us", "OpenDMARC (unix:/opendmarc/opendmarc.sock) comes before the milter",
        {"smtpd_milters": f"unix:/opendmarc/opendmarc.sock, {OURS}"}, level="warn",
    ),
    Case(
        "non_smtpd_milters", "has no client and is not judged", {"non_smtpd_milters": f"{OURS}, inet:localhost:8891"}, level="warn",
    ),
    Case(
        "smtpd_milter_maps", "smtpd_milter_maps = inline:{ 192.0.2.7 = DISABLE }",
        {"smtpd_milter_maps": "inline:{ 192.0.2.7 = DISABLE }"}, level="warn", mends=False,
    ),
    Case(
        "refuses by reverse names itself", "smtpd_client_restrictions has reject_unknown_client_hostname",
        {"smtpd_client_restrictions": "permit_mynetworks, reject_unknown_client_hostname, permit"}, level="warn",
    ),
    Case(
        "SPF twice", "evaluates SPF a second time",
        {"smtpd_recipient_restrictions": "permit_mynetworks, check_policy_service unix:private/policyd-spf"}, level="warn",
    ),
    Case(
        "postscreen without smtpd", "hands clients to the service smtpd/pass, which master.cf does not have",
        master="smtp inet n - n - 1 postscreen\n",
    ),
    Case("no smtpd at port 25", "master.cf has no smtpd for port 25", master="submission inet n - n - - smtpd\n"),
    Case("postscreen without the milter", "smtpd/pass does not ask", {"smtpd_milters": ""}, POSTSCREEN),
)  # fmt: skip
HEALTHY = (
    Case("plain", ""),
    Case("only warns", "", {"smtpd_client_restrictions": "warn_if_reject reject_unknown_client_hostname, permit"}),
    Case("braces", "", {"smtpd_milters": "{ inet:localhost:8895, default_action=tempfail, command_timeout=15s }, inet:[::1]:8891"}),
    Case("postscreen", "", {}, POSTSCREEN),
    Case("reached by any address", "", listener=parse_socket_address("inet:8895@0.0.0.0")),
    Case(
        "within the chroot", "", {"smtpd_milters": "unix:rdns-milter/rdns-milter.sock"}, CHROOTED,
        parse_socket_address("unix:/var/spool/postfix/rdns-milter/rdns-milter.sock"),
    ),
    Case(
        "unix socket, no chroot", "", {"smtpd_milters": "unix:/run/rdns-milter/rdns-milter.sock"},
        listener=parse_socket_address("unix:/run/rdns-milter/rdns-milter.sock"),
    ),
)  # fmt: skip


def write(directory: Path, case: Case) -> Host:
    """Write the set-up of a case. Return the host on which postconf reads it."""
    settings = {"compatibility_level": "3.6", **GOOD, **case.main}
    (directory / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    (directory / "master.cf").write_text(case.master)
    age(directory)
    return Host({**os.environ, "MAIL_CONFIG": str(directory)})


def age(directory: Path) -> None:
    """Give main.cf an older time stamp: Postfix reads a file that has just changed again and again until it is two seconds old."""
    for path in directory.glob("*.cf"):
        os.utime(path, (time.time() - 60,) * 2)


def found(host: Host, listener: SocketAddress) -> list[Finding]:
    settings = read_postfix(host)
    assert settings is not None
    return list(check_postfix(settings, listener, DEADLINE))


def type_in(host: Host, commands: Sequence[str]) -> None:
    """Run the commands as they are printed. This Postfix does not run, so there is nothing to reload."""
    for command in commands:
        if command != "postfix reload":
            environment = {**host.environment, "PATH": f"{host.environment['PATH']}:/usr/sbin"}
            subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True, timeout=30)
            age(Path(host.environment["MAIL_CONFIG"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_setup_is_reported_and_corrected(case: Case, tmp_path: Path) -> None:
    host = write(tmp_path, case)
    (fault,) = [each for each in found(host, case.listener) if each.level != "ok"]
    assert case.says in fault.text
    assert fault.level == case.level
    assert fault.remedy
    if case.mends:
        type_in(host, fault.remedy)
        after = found(host, case.listener)
        assert [each for each in after if each.level != "ok"] == []
        assert any("asks the milter" in each.text for each in after)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_remedy_drops_another_milter(case: Case, tmp_path: Path) -> None:
    host = write(tmp_path, case)
    others = set(re.findall(r"(?:inet|unix):\S+?(?=[,\s}]|\Z)", f"{case.main.get('smtpd_milters', '')} {case.master}"))
    others = {each for each in others if "8895" not in each and "8896" not in each and "rdns-milter" not in each}
    if not case.mends:
        pytest.skip("nothing is typed")
    for fault in found(host, case.listener):
        type_in(host, fault.remedy)
    settings = read_postfix(host)
    assert settings is not None
    seen = " ".join(settings.of(service, "smtpd_milters") for service in settings.services)
    assert all(each in seen for each in others)


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_a_good_setup_has_no_fault(case: Case, tmp_path: Path) -> None:
    assert [each for each in found(write(tmp_path, case), case.listener) if each.level != "ok"] == []


def test_nothing_is_changed(tmp_path: Path) -> None:
    host = write(tmp_path, CASES[0])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    found(host, LISTENER)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_milter_that_answers_and_one_that_is_down(server: NameServer) -> None:
    with Daemon({}, "", server) as daemon:
        listener = parse_socket_address(daemon.spec)
        (fine,) = check_socket(Host(), listener, "")
        assert fine.level == "ok"
    (fault,) = check_socket(Host(), listener, "")
    assert fault.level == BAD
    assert fault.remedy[0] == "systemctl start rdns-milter"


def test_something_else_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        (fault,) = check_socket(Host(), SocketAddress("inet", "127.0.0.1", other.getsockname()[1]), "")
    assert "no answer to a negotiation" in fault.text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
def test_a_unix_socket_that_the_mta_may_not_open(tmp_path: Path) -> None:
    user = pwd.getpwnam("postfix")
    base = Path("/run") / f"rdns-doctor-{os.getpid()}"
    base.mkdir(mode=0o755)
    path = base / "milter.sock"
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
            listener = SocketAddress("unix", path=str(path))

            def permission() -> Finding:
                return list(check_socket(Host(), listener, "postfix"))[-1]

            path.chmod(0o660)
            assert "no write permission" in permission().text
            assert 'socket_group = "postfix"' in permission().remedy[0]
            os.chown(path, 0, user.pw_gid)
            assert permission().level == "ok"
            base.chmod(0o700)
            fault = permission()
            assert f"no search permission on {base}" in fault.text
            for command in fault.remedy:
                if not command.startswith("systemctl"):
                    subprocess.run(command.split(), check=True, timeout=10)
            assert permission().level == "ok"
    finally:
        path.unlink(missing_ok=True)
        base.rmdir()


SENDMAIL = {
    "asks": ("Xrdns-milter, S=inet:8895@127.0.0.1, F=T, T=C:30s;S:15s;R:15s;E:60s", "", "ok"),
    "asks nobody": ("", "InputMailFilters is empty", BAD),
    "another port": (
        "Xrdns-milter, S=inet:8896@localhost, F=T, T=R:15s",
        "names rdns-milter (inet:8896@localhost) only",
        BAD,
    ),
    "refuses while down": ("Xrdns-milter, S=inet:8895@localhost, F=R, T=S:15s;R:15s", "refused for good (F=R)", BAD),
    "short timeout": ("Xrdns-milter, S=inet:8895@127.0.0.1, F=T, T=S:15s;R:5s", "the timeout R is 5 s", BAD),
    "behind another": (
        "Xother, S=inet:9@localhost\nXrdns-milter, S=inet:8895@127.0.0.1, T=R:15s",
        "other comes before",
        "warn",
    ),
}


@pytest.mark.parametrize("case", SENDMAIL)
def test_sendmail(case: str) -> None:
    lines, says, level = SENDMAIL[case]
    names = ",".join(re.findall(r"^X([\w-]+)", lines, re.MULTILINE))
    text = f"V10/Berkeley\nO InputMailFilters={names}\n{lines}\n" if lines else "V10/Berkeley\n"
    findings = list(check_sendmail(text, LISTENER, DEADLINE))
    faults = [each for each in findings if each.level != "ok"]
    if level == "ok":
        assert faults == []
    else:
        assert [each.level for each in faults] == [level]
        assert says in faults[0].text


def test_the_command_reports_what_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "r.toml"
    config.write_text(
        '[milter]\nsocket = "inet:9@127.0.0.1"\n[dns]\nnameservers = ["127.0.0.1:9"]\n[metrics]\nlisten = "0.0.0.0:9415"\n'
    )
    write(tmp_path, Case("", ""))
    environment = {**os.environ, "MAIL_CONFIG": str(tmp_path)}
    command = [sys.executable, "-m", "rdns_milter", "doctor", "-c", str(config)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert {line.split(":")[0].split(maxsplit=1)[1] for line in lines if not line.startswith(" ")} >= {
        "config", "milter", "Postfix", "name server", "log", "metrics", "service", "doctor",
    }  # fmt: skip
    assert any(
        line.startswith("bad") and "smtp/inet asks inet:127.0.0.1:8895, and the milter listens at inet:9" in line
        for line in lines
    )
    in_json = subprocess.run(
        [*command, "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (in_json.returncode, in_json.stderr) == (1, "")
    document = json.loads(in_json.stdout)
    assert all(list(each) == ["level", "subject", "text", "remedy"] for each in document)
    heads = [line.partition(":")[0] for line in lines if re.match("(ok|warn|bad) ", line)]
    assert [f"{each['level']:<5}{each['subject']}" for each in document] == heads[:-1]
    (wrong,) = (each for each in document if "smtp/inet asks inet:127.0.0.1:8895" in each["text"])
    assert wrong["remedy"] == ["postconf -e 'smtpd_milters = inet:127.0.0.1:9'", "postfix reload"]
    broken = tmp_path / "broken.toml"
    broken.write_text("[milter]\nworker = 1\n")
    done = subprocess.run(
        [*command[:-1], str(broken)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert re.search(r"^bad +config: .*broken\.toml:2: .*worker", done.stdout, re.MULTILINE)
    (correction,) = (line.strip() for line in done.stdout.splitlines() if line.strip().startswith("sed "))
    subprocess.run(["sh", "-c", correction], check=True, timeout=10)
    assert broken.read_text() == "[milter]\nworkers = 1\n"
    assert "metrics: " in done.stdout
