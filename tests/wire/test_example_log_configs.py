"""The milter's own lines through packaging/examples' rsyslog.conf, logcheck and journald.txt, with the real rsyslogd, grep and
journalctl.

Tests are skipped where a program is missing. Dates and hosts are as these programs write them.
"""

from __future__ import annotations

import grp
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdns_milter.cli.main import parser
from rdns_milter.config.load import load
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_line import parse
from rdns_milter.logs.output import SYSLOG_PATH, Syslog
from tests.kit.data import metrics_page, random_log
from tests.kit.milter.daemon import ROOT, Daemon, environment, until
from tests.kit.milter.endpoint import free_port
from tests.kit.mta import examples
from tests.kit.mta.child import Child
from tests.kit.mta.fleet import program
from tests.kit.smtp.client_identity import Client

FORMATS = ("RSYSLOG_TraditionalFileFormat", "RSYSLOG_FileFormat")
REFUSED = ("reject", "tempfail", "quarantine")
DECISIONS = 300
RULES = sample()[sample().index("\n[[rule]]") :]
OTHERS = "action=reject rule=mine qid=NOQUEUE client=192.0.2.1 x"  # another program's
PYTHON = sys.executable
JOURNAL_REMOTE = os.environ.get("SYSTEMD_JOURNAL_REMOTE", "/lib/systemd/systemd-journal-remote")


@dataclass(frozen=True)
class Life:
    """The log of a milter: usual lines, mostly decisions, and those that an administrator should see."""

    usual: list[str]
    unusual: list[str]


@pytest.fixture(scope="module")
def life() -> Life:
    """Start, decisions in both formats, two reloads (one of an invalid file), a worker that dies, the end; and many more
    decisions."""
    said: list[str] = []
    for form in ("logfmt", "json"):
        config = {"log": {"target": "stderr", "format": form}, "metrics": {"listen": f"127.0.0.1:{free_port()}"}}
        with Daemon(config, RULES) as daemon:
            daemon.judge(client=Client("192.0.2.7"), helo='odd "greeting"=', mailfrom="<anna@good.example>")
            daemon.judge(
                client=Client("2001:db8::7"),
                mailfrom="<bob@news.good.example>",
                rcpts=["a@rcpt.example", "user@rcpt.example", "x-user@rcpt.example"],
            )
            daemon.reload(config, RULES)
            daemon.reload('[milter]\nmode = "obey"\n')
            (worker,) = until(lambda: metrics_page.workers(daemon))
            os.kill(worker, signal.SIGKILL)
            until(lambda: any(" ended (" in line for line in daemon.notices()))
            assert daemon.terminate() == 0
            said += daemon.lines()
    said = [line.removeprefix("rdns-milter: ") for line in said]
    unusual = [line for line in said if re.match(r"config not reloaded|worker \d+ ended", line)]
    usual = [line for line in said if line not in unusual]
    assert len(unusual) == 4
    assert sum(parse(line) is not None for line in usual) == 4
    return Life(usual + [line.partition("]: ")[2] for line in random_log.lines(load().policy, DECISIONS)], unusual)


def reported(directory: Path, lines: list[str]) -> list[str]:
    """Return what logcheck would report of these lines: it removes comments from the rules and gives them to grep."""
    rules = directory / "rules"
    rules.write_text("".join(f"{x}\n" for x in examples.text("logcheck").split("\n") if x.strip() and x[0] != "#"))
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        ["grep", "-E", "-a", "-v", "-f", str(rules)], input=text, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("before", ["Nov  1 01:02:03 mx", "2026-11-21T01:02:03.123456+01:00 mx-1.example.com"])
def test_logcheck_reports_what_is_unusual(before: str, life: Life, tmp_path: Path) -> None:
    usual = [f"{before} rdns-milter[4711]: {line}" for line in life.usual]
    unusual = [f"{before} rdns-milter[4711]: {line}" for line in life.unusual]
    others = [f"{before} other[4711]: {OTHERS}", f"{before} other[1]: rdns-milter[1]: stopped"]
    assert reported(tmp_path, usual + unusual + others) == unusual + others


def written(child: Child, name: str) -> list[str]:
    path = child.directory / name
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(params=FORMATS)
def rsyslog(request: pytest.FixtureRequest) -> Iterator[Child]:
    """Run rsyslogd with the example's file between a socket of its own and a file for all other lines."""
    binary = program("rsyslogd")
    if binary is None:
        pytest.skip("rsyslogd is not installed")
    with Child("rsyslog") as child:
        here = child.directory
        content = examples.changed("rsyslog.conf", {"/var/log/": f"{here}/"})
        path = child.write(
            "rsyslog.conf",
            f"""
            module(load="builtin:omfile" Template="{request.param}")
            module(load="imuxsock" SysSock.Use="off")
            input(type="imuxsock" Socket="{here}/socket")
            {content}
            *.* action(type="omfile" file="{here}/rest")
            """,
        )
        checked = subprocess.run([binary, "-N1", "-f", path], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        child.start([binary, "-n", "-f", path, "-i", f"{here}/pid"], (here / "socket").exists)
        yield child


def test_rsyslog_sorts_the_lines(rsyslog: Child, life: Life, tmp_path: Path) -> None:
    """Lines are sent by the milter's own code; logcheck and replay can read the resulting file."""
    socket = str(rsyslog.directory / "socket")
    ours, other = Syslog("rdns-milter", socket), Syslog("other", socket)
    sent = life.usual + life.unusual
    for outlet, line in [*((ours, line) for line in sent), (other, OTHERS)]:
        while not outlet.send(line, "info"):
            outlet.wait(1.0)
    until(lambda: written(rsyslog, "rest") and len(written(rsyslog, "rdns-milter.log")) >= len(sent))
    lines = written(rsyslog, "rdns-milter.log")
    assert [line.partition("]: ")[2] for line in lines] == sent
    decisions = [fields for line in lines if (fields := parse(line))]
    assert len(decisions) == DECISIONS + 4
    logfmt = [line for line in lines if parse(line) and "]: action=" in line]
    refused = [line for line in logfmt if (parse(line) or {})["action"] in REFUSED]
    assert written(rsyslog, "rdns-milter-refused.log") == refused != []
    (rest,) = written(rsyslog, "rest")
    assert rest.endswith(OTHERS)
    for name in ("rdns-milter.log", "rdns-milter-refused.log"):
        found = (rsyslog.directory / name).stat()
        assert (found.st_mode & 0o777, grp.getgrgid(found.st_gid).gr_name) == (0o640, "adm")
    assert reported(tmp_path, lines) == lines[-len(life.unusual) :]


def commands() -> list[str]:
    return [line for line in examples.text("journald.txt").splitlines() if line and not line.startswith("#")]


def test_commands_of_the_queries_are_real() -> None:
    """Our commands are parsed by our own parser; the patterns occur in a log line."""
    ours = [part.split() for line in commands() for part in line.split(" | ") if part.startswith("rdns-milter ")]
    assert [words[1] for words in ours] == ["report", "replay"]
    for words in ours:
        assert parser().parse_args(words[1:])
    assert all(line.startswith("journalctl -t rdns-milter") for line in commands())
    assert str(SYSLOG_PATH) == "/dev/log"  # the journal's field for the program's name


@pytest.fixture
def journal(life: Life, tmp_path: Path) -> Path:
    """A journal with these lines, a second apart, since yesterday, as journald writes it, and with another program's lines."""
    if not Path(JOURNAL_REMOTE).exists() or not shutil.which("journalctl"):
        pytest.skip(f"no journalctl, or no {JOURNAL_REMOTE}")
    began = subprocess.run(["date", "-d", "today 00:00", "+%s"], capture_output=True, text=True, check=True).stdout
    entries = []
    lines = [("rdns-milter", line) for line in life.usual + life.unusual] + [("other", OTHERS)]
    for number, (name, text) in enumerate(lines):
        priority = 6 if parse(text) else 5
        micro = int(began) * 1_000_000 + number
        entries.append(
            f"__REALTIME_TIMESTAMP={micro}\n__MONOTONIC_TIMESTAMP={number + 1}\n_BOOT_ID={'0' * 31}1\n"
            f"_TRANSPORT=syslog\n_HOSTNAME=mx\nSYSLOG_FACILITY=2\nPRIORITY={priority}\nSYSLOG_IDENTIFIER={name}\nMESSAGE={text}\n\n"
        )
    (tmp_path / "export").write_text("".join(entries))
    made = subprocess.run(
        [JOURNAL_REMOTE, "-o", str(tmp_path / "test.journal"), str(tmp_path / "export")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return tmp_path / "test.journal"


def test_queries_of_the_journal(journal: Path, life: Life, tmp_path: Path) -> None:
    """Each query as it is written, but for the journal that it reads, and without waiting for more lines."""
    (tmp_path / "rdns-milter").write_text(f'#!/bin/sh\ncd {ROOT} && exec {PYTHON} -m rdns_milter "$@"\n')
    (tmp_path / "rdns-milter").chmod(0o755)
    new = tmp_path / "new.toml"
    new.write_text(RULES)
    said = []
    for line in commands():
        command = line.replace("journalctl -t", f"journalctl --file {journal} -q -t").replace(" -f", "")
        command = command.replace("new.toml", str(new))
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            capture_output=True,
            text=True,
            env=environment() | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            check=False,
        )
        assert done.stderr == "", line
        said.append(done.stdout)
    everything, notices, refused, client, sender, domain, rcpt, would, rules, report, replay = said
    wanted = [parse(line) or {} for line in life.usual + life.unusual]
    assert len(everything.splitlines()) == len(wanted)
    assert len(notices.splitlines()) == sum(not fields for fields in wanted)

    def count(key: str, *values: str) -> int:
        logfmt = [parse(line) or {} for line in life.usual if line.startswith("action=")]
        return sum(fields.get(key) in values for fields in logfmt)

    assert len(refused.splitlines()) == count("action", "reject", "tempfail") > 0
    assert len(client.splitlines()) == count("client", "192.0.2.7") == 1
    assert [(parse(line) or {})["mailfrom"] for line in sender.splitlines()] == ["anna@good.example"]
    assert len(domain.splitlines()) == count("mailfrom", "anna@good.example", "bob@news.good.example") == 2
    assert [(parse(line) or {})["rcpt"].count("user@") for line in rcpt.splitlines()] == [2]
    assert len(would.splitlines()) == count("would", "reject")
    assert sum(int(line.split()[0]) for line in rules.splitlines()) == count("mode", "enforce")
    assert f"{DECISIONS + 4} decisions" in report
    assert f"{DECISIONS + 4} decisions" in replay
