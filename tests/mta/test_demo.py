"""The demo as a user runs it: it shows what it should, and leaves neither files nor processes behind, however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rdns_milter.logs.decision_keys import KEYS
from rdns_milter.logs.decision_line import parse
from tests.kit.data import documents
from tests.kit.milter.daemon import until
from tests.kit.mta.postfix import installed

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")

ROOT = Path(__file__).resolve().parents[2]
DEBIANS = ("/usr/bin/python3", "-c", "import Milter, dns, spf, publicsuffix2, idna, rich")
READMES_COUNT = {12: "twelve clients", 13: "thirteen clients", 14: "fourteen clients"}


def settled(text: str) -> str:
    """Return log text without the values that differ from run to run, and without the hash of the default rules."""
    return re.sub(r"\b((?:cached|dns_ms|waited_ms|policy)=)\w+", r"\1X", text)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for all temporary files, readable by Postfix; at the end it must be empty, and no process may use it."""
    directory = Path(tempfile.mkdtemp(prefix="rdns-test-demo-"))
    directory.chmod(0o755)
    try:
        yield directory
        until(lambda: not users(directory) or None)
        assert list(directory.iterdir()) == []
    finally:
        for pid in users(directory):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(directory)


def users(directory: Path) -> list[int]:
    """Return the processes with the directory in environment or command line: those of the demo, and their children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(directory).encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def start(place: Path, *arguments: str, clone: Path = ROOT) -> subprocess.Popen[str]:
    """Start the demo with its output in a pipe: as demo.sh does by Debian's Python if that has all packages, else by ours."""
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(clone), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "packaging/demo/demo.py"]
    if subprocess.run(DEBIANS, check=False, capture_output=True).returncode == 0:
        command = ["sh", "packaging/demo.sh"]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def with_zone(place: Path, change: Callable[[str], str]) -> Iterator[subprocess.Popen[str]]:
    """Run the demo from a clone with another zone."""
    clone = place / "clone"
    clone.mkdir()
    for name in ("rdns_milter", "tests", "etc"):
        (clone / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "packaging", clone / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
    zone = clone / "packaging" / "demo" / "zone.txt"
    zone.write_text(change(zone.read_text()))
    yield start(place, clone=clone)
    shutil.rmtree(clone)


def test_it_shows_every_client_and_leaves_nothing(place: Path) -> None:
    demo = start(place)
    out, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (0, "")
    assert "\x1b" not in out, "plain in a pipe"
    clients = re.split(r"\n *\d+\. ", out)[1:]
    assert len(clients) >= 9
    for text in clients:
        lines = re.findall(r"^    mail log: (.*)$", text, re.MULTILINE)
        assert lines
        assert all(set(KEYS) == set(parse(line) or ()) for line in lines)
        assert re.search(r"^    (?:Postfix:  |to \S+: )[25]\d\d ", text, re.MULTILINE)
        assert "    as expected\n" in text
    assert READMES_COUNT[len(clients)] in documents.text()
    assert settled(documents.blocks("log")[0]) in settled(clients[3])
    added = re.findall(r"^    \+ (.*\n)", clients[0], re.MULTILINE)
    assert "".join(added) == documents.blocks("header")[0]
    assert "+ Authentication-Results: mx.demo.example;" in clients[0]
    assert "- Authentication-Results: mx.demo.example; spf=pass" in clients[0]
    assert "What to do next" in out
    prose = [
        line for line in out.split("\n") if "mail log: " not in line and "Postfix: " not in line and " to " not in line
    ]
    assert max(map(len, prose)) <= 100


def test_a_signal_ends_it_and_all_that_it_has_started(place: Path) -> None:
    with start(place) as demo:
        assert demo.stdout
        while not demo.stdout.readline().startswith(" 2. "):
            assert demo.poll() is None
        assert len(users(place)) > 4
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130


def test_kept_it_can_be_used_by_hand_and_stopped_by_one_pid(place: Path) -> None:
    demo = start(place, "--keep")
    out, _ = demo.communicate(timeout=60)  # it returns: no process left running holds the pipe
    assert demo.returncode == 0
    commands = [
        re.sub(r"\n  ", "\n", text)
        for text in re.findall(r"\n  (\S(?:.*\\\n)*.*)(?=\n)", out.partition("It goes on")[2])
    ]
    by = {command.split()[0]: command for command in commands}
    said = subprocess.run(by["bash"], shell=True, capture_output=True, text=True, timeout=30, check=False).stdout
    assert "\n250 2.1.0 Ok\n550 5.7." in said
    assert said.endswith("221 2.0.0 Bye\n")
    check = next(command for command in commands if " check " in command)
    done = subprocess.run(check, shell=True, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "mail.bank.example" in done.stdout
    log = Path(by["tail"].split()[-1])
    assert "client=198.51.100.20" in log.read_text()
    queue = subprocess.run(by["postqueue"], shell=True, capture_output=True, text=True, timeout=30, check=True).stdout
    held = re.findall(r"^(\w+)!", queue, re.MULTILINE)
    show = by["postcat"].replace("QUEUE-ID", held[0])
    header = subprocess.run(show, shell=True, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "by mx.demo.example (Postfix)" in header
    hup, stop = [command for command in commands if command.startswith("kill")]
    subprocess.run(hup, shell=True, check=True)
    until(lambda: "config reloaded" in log.read_text() or None)
    subprocess.run(stop, shell=True, check=True)


def test_it_fails_when_a_client_does_not_get_what_it_should(place: Path) -> None:
    with with_zone(place, lambda zone: zone.replace('"v=spf1 ip4:192.0.2.77 -all"', '"v=spf1 +all"')) as demo:
        out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "NOT AS EXPECTED" in out
    assert "2 of 13 clients did not get the expected result" in out


def test_it_says_what_did_not_start(place: Path) -> None:
    with with_zone(place, lambda zone: "this is no zone\n") as demo:
        out, err = demo.communicate(timeout=60)
    assert (demo.returncode, out) == (69, "")
    assert err.startswith("the name server did not start:")


def test_usage() -> None:
    for argument, status in (("--help", 0), ("--kep", 2)):
        done = subprocess.run(
            ["sh", "packaging/demo.sh", argument], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == status
        assert "sh packaging/demo.sh --keep" in done.stdout
