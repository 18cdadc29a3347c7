"""`report --mail`, and the command of rdns-milter-report.service, with a sendmail that keeps what it is given."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from rdns_milter.cli.report_mail import PAGE_NAME, message
from rdns_milter.config.load import load
from tests.kit.data import documents, random_log

LINES = list(random_log.lines(load().policy, 50))
UNIT = documents.ROOT / "packaging" / "systemd" / "rdns-milter-report.service"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with rdns-milter, and with a sendmail and a journalctl that are not those of this host."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (tmp_path / "log").write_text("".join(f"{line}\n" for line in LINES))
    for name, text in {
        "sendmail": f'echo "$*" > {tmp_path}/arguments; cat > {tmp_path}/message; exit ${{STATUS:-0}}',
        "journalctl": f'echo "$*" > {tmp_path}/journalctl; cat {tmp_path}/log',
        "rdns-milter": f'cd {documents.ROOT} && exec {sys.executable} -m rdns_milter "$@"',
    }.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return directory


def run(programs: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{programs}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command], env={"PATH": path} | variables, capture_output=True, text=True, timeout=120, check=False
    )


def mailed(programs: Path) -> EmailMessage:
    found = message_from_bytes((programs.parent / "message").read_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def check(mail: EmailMessage) -> None:
    text, page = mail.iter_parts()
    assert f"{len(LINES)} decisions" in text.get_content()
    assert (page.get_content_type(), page.get_filename()) == ("text/html", PAGE_NAME)
    assert page.get_content().startswith("<!DOCTYPE html>")
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_command_of_the_service(programs: Path) -> None:
    unit = UNIT.read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    (environment,) = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    variables = dict(word.split("=", 1) for word in environment.split())
    done = run(programs, command.replace("/usr/local/bin/rdns-milter", "rdns-milter"), **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert (programs.parent / "journalctl").read_text() == "-q -t rdns-milter --since -1d -o export\n"
    assert (programs.parent / "arguments").read_text() == "-oi -- root\n"
    mail = mailed(programs)
    assert mail["To"] == "root"
    check(mail)
    assert b"\r" not in (programs.parent / "message").read_bytes()


@pytest.mark.parametrize(
    ("address", "status", "code", "words"),
    [
        ("admin@example.com", "0", 0, ""),
        ("admin@example.com", "75", 74, "ended with status 75"),
        ("-oQ/tmp", "0", 2, "is not an address"),
        ("<>", "0", 2, "is not an address"),
        ("a b c", "0", 2, "is not an address"),
    ],
)
def test_the_option(programs: Path, address: str, status: str, code: int, words: str) -> None:
    done = run(programs, f"rdns-milter report '--mail={address}' {programs.parent}/log", STATUS=status)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    if not code:
        check(mailed(programs))


def test_a_host_without_a_domain() -> None:
    mail = message("text\n", "<!DOCTYPE html>", "root", "mail", "")
    assert (mail["From"], mail["Subject"]) == ("rdns-milter", "rdns-milter on mail: no decisions")
    assert message("text\n", "", "root", "mx.example.com", "")["From"] == "rdns-milter <rdns-milter@mx.example.com>"


def test_the_timer_is_off_by_default() -> None:
    rules = (documents.ROOT / "packaging" / "debian" / "rules").read_text()
    assert "\tdh_installsystemd --no-enable --no-start --name=rdns-milter-report\n" in rules


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_both_units(tmp_path: Path) -> None:
    for name in ("rdns-milter-report.service", "rdns-milter-report.timer"):
        (tmp_path / name).write_text(UNIT.with_name(name).read_text().replace("User=rdns-milter", "User=daemon"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("rdns-milter-report.*")))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "rdns-milter" in line]) == (0, [])
