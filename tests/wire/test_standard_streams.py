"""Commands whose standard streams are closed, full or ASCII, and --html to a file that must not be written: one sentence, no
traceback."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.data.decisions import EXAMPLE
from tests.kit.milter.daemon import ROOT, environment

LINE = f"Nov 21 01:02:03 mail rdns-milter[1]: {EXAMPLE}\n"
PROGRAM = f"{sys.executable} -m rdns_milter"
COMMANDS = (
    "replay LOG", "replay --json LOG", "replay --csv LOG", "report LOG", "report --json LOG", "report --since 7d LOG",
    "forecast --dns 127.0.0.1:1 LOG", "forecast --dns 127.0.0.1:1 --json LOG", "check --dns 127.0.0.1:1 192.0.2.1",
    "check --dns 127.0.0.1:1 --json 192.0.2.1", "config --check", "config --show", "config --sample", "config --lint",
    "--help", "--version", "report --help",
)  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.write_text(LINE * 30)
    return path


def run(command: str, log: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell of its own."""
    text = f"{PROGRAM} {command.replace('LOG', str(log))}"
    return subprocess.run(
        ["/bin/sh", "-c", text], cwd=ROOT, env=environment() | variables, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


def one_sentence(done: subprocess.CompletedProcess[str], said: str) -> bool:
    lines = done.stderr.splitlines()
    return len(lines) == 1 and lines[0].startswith("rdns-milter: ") and said in lines[0] and not done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_standard_output_full_or_closed(command: str, log: Path) -> None:
    for redirection, said in (
        (">/dev/full", "standard output: No space left on device"),
        (">&-", "standard output: is closed"),
    ):
        done = run(f"{command} {redirection}", log)
        assert done.returncode == 74, done
        assert one_sentence(done, said), done


@pytest.mark.parametrize("command", ["replay", "report", "report --json", "forecast --dns 127.0.0.1:1"])
def test_standard_input_closed(command: str, log: Path) -> None:
    done = run(f"{command} - <&-", log)
    assert done.returncode == 2
    assert one_sentence(done, "-: standard input is closed"), done


def test_standard_error_closed_or_full(log: Path) -> None:
    for redirection in ("2>&-", "2>/dev/full", "2>&- <&-"):
        done = run(f"report LOG {redirection}", log)
        assert (done.returncode, "30 decisions" in done.stdout) == (0, True), done
        done = run(f"report {log}.1 {redirection}", log, PYTHONUNBUFFERED="")
        assert (done.returncode, done.stdout) == (2, ""), done


def test_a_reader_that_closes_the_pipe(log: Path) -> None:
    done = run("report LOG | head -1", log)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_ascii(command: str, log: Path) -> None:
    for variables in (
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "LANG": ""},
    ):
        done = run(command, log, **variables)
        assert done.returncode in (0, 75), done
        assert not done.stderr
        assert done.stdout.isascii() or "PYTHONIOENCODING" not in variables


def test_bars_in_ascii(log: Path) -> None:
    assert "###" in run("report LOG", log, PYTHONIOENCODING="ascii").stdout
    assert "\u2588" in run("report LOG", log, PYTHONIOENCODING="utf-8").stdout


def test_file_names_that_are_not_text(log: Path) -> None:
    for name in (b"caf\xe9.log", b"\xff", b"\x1b[31m"):
        for command in (b"report", b"replay", b"config --check -c", b"report LOG --since 7d --html /nonexistent/"):
            words = [part.replace(b"LOG", os.fsencode(log)) for part in command.split()]
            if words[-1].endswith(b"/"):
                words[-1] += name
            else:
                words.append(name)
            for encoding in ("utf-8", "ascii"):
                done = subprocess.run(
                    [sys.executable, "-m", "rdns_milter", *words], cwd=ROOT, env=environment() | {"PYTHONIOENCODING": encoding},
                    capture_output=True, timeout=60, check=False,
                )  # fmt: skip
                assert done.returncode in (2, 74, 78)
                assert done.stderr.count(b"\n") == 1
                assert b"Traceback" not in done.stderr


def test_interrupted(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-m", "rdns_milter", "report", str(pipe)], cwd=ROOT, env=environment(), stderr=subprocess.PIPE
    ) as process:
        with pipe.open("w") as writing:  # waits until it reads
            writing.write(LINE)
            writing.flush()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


# report --html


CONFIG = "[dns]\nnameservers = []\n"


def test_a_page_never_takes_the_place_of_what_is_read(log: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(log)
    (tmp_path / "hard").hardlink_to(log)
    config = tmp_path / "x.toml"
    config.write_text(CONFIG)
    for command in (
        "report --html LOG LOG", f"report --html {tmp_path}/link LOG", f"report --html {tmp_path}/hard LOG",
        f"report --html LOG {tmp_path}/link", "report --html LOG - <LOG", f"report --html {tmp_path}/./mail.log LOG",
        "report --html /dev/stdout LOG >>LOG", f"report -c {config} --html {config} LOG",
    ):  # fmt: skip
        done = run(command, log)
        assert done.returncode == 2, done
        assert one_sentence(done, "is read as well as written"), done
        assert log.read_text() == LINE * 30
    assert config.read_text() == CONFIG


def test_a_link_is_replaced_and_not_followed(log: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    page = tmp_path / "page.html"
    page.symlink_to(victim)
    assert run(f"report --html {page} LOG", log).returncode == 0
    assert victim.read_text() == "precious"
    assert not page.is_symlink()
    assert page.read_text("ascii").startswith("<!DOCTYPE html>")


def test_a_page_that_is_there_is_replaced_whole_or_not_at_all(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    page.chmod(0o640)
    done = run(f"report --html {page} {log}.1", log)
    assert (done.returncode, page.read_text()) == (2, "old")
    full = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 1; exec {PROGRAM} report --html {page} {log}"],
        cwd=ROOT, env=environment() | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (full.returncode, page.read_text()) == (74, "old"), full
    assert one_sentence(full, f"{page}: File too large"), full
    assert run(f"report --html {page} LOG", log).returncode == 0
    assert page.read_text("ascii").startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.log", "page.html"], "nothing is left beside it"


def test_pages_to_devices_and_pipes(log: Path, tmp_path: Path) -> None:
    assert run("report --html /dev/stdout LOG", log).stdout.startswith("<!DOCTYPE html>")
    assert run("report --html /dev/null LOG", log).returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    for place, said in (
        (str(tmp_path), "is a directory"),
        (f"{tmp_path}/no/page", "No such file"),
        ("/dev/full", "No space left"),
    ):
        done = run(f"report --html {place} LOG", log)
        assert done.returncode == (74 if place == "/dev/full" else 2), done
        assert one_sentence(done, said), done
