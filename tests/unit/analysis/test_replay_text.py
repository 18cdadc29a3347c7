"""The output of `rdns-milter replay`, as text, CSV and JSON, with nothing that a terminal or a spreadsheet would execute."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.replay import Replay
from rdns_milter.analysis.replay_text import CSV_HEAD, as_csv, show
from rdns_milter.cli.main import main
from rdns_milter.config.load import load, parse
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.policy.rules import Policy
from tests.kit.data import random_log
from tests.kit.data.strategies import decisions, hostile_text
from tests.kit.milter.daemon import ROOT, environment

STRICT = """
[[rule]]
name = "no-reverse-name"
when = { iprev = ["fail", "permerror"] }
action = "reject"

[[rule]]
name = "trial"
when = { generic = "yes" }
action = "tempfail"
shadow = true
"""


def replayed(lines: Sequence[str], rules: str = STRICT) -> Replay:
    replay = Replay(Evaluator(parse(rules, "new.toml"), date(2026, 11, 21)))
    for each in lines:
        replay.add(each)
    return replay


def shown(replay: Replay, most: int = 5, troubles: Sequence[str] = (), width: int = 100) -> str:
    file = io.StringIO()
    show(replay, "Judged by new.toml", most, troubles, Console(file=file, width=width, highlight=False))
    return file.getvalue()


LINES = list(random_log.lines(load().policy, 3000))


def test_text() -> None:
    replay = replayed(LINES)
    text = shown(replay, troubles=["old.gz: cannot be read to its end"])
    for title in ("Judged by new.toml", "Verdicts", "What changes", "By rule", "Shadow rules", "Warnings"):
        assert title in text
    for what in ("refused or deferred: clients", "refused or deferred: sender domains", "let in: clients"):
        assert f"Newly {what}" in text
    assert f"{replay.changed:,} verdicts would change" in text
    assert f"({replay.refused.count:,} of {replay.let_in:,})" in text
    assert f"{replay.matrix['accept', 'reject']:,}" in text
    top = replay.refused.clients.top(1)[0]
    assert f"{top.count:>10}  {top.name}  rule=" in text
    assert "  - old.gz: cannot be read to its end" in text


def test_nothing_would_change() -> None:
    text = shown(replayed(LINES, "\n".join(load().rules)))
    assert "Nothing would change." in text
    assert "Newly" not in text
    assert "Warnings" not in text


def test_no_decision_at_all() -> None:
    assert "the log contains no decision" in shown(replayed(["hello"]))


@settings(max_examples=30)
@given(st.lists(decisions(hostile_text()), max_size=5), st.sampled_from((40, 100, 300)))
def test_hostile_names_are_escaped_for_the_terminal(found: list[Decision], width: int) -> None:
    text = shown(
        replayed([line(decision) for decision in found], '[[rule]]\nname = "all"\naction = "reject"\n'), width=width
    )
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert text.isascii() or set(text) - set(map(chr, range(128))) <= {"…"}


def test_csv() -> None:
    head, *rows = csv.reader(io.StringIO(as_csv(replayed(LINES), 3)))
    assert tuple(head) == CSV_HEAD
    assert [(row[0], row[1]) for row in rows] == [
        (direction, what) for direction in ("refused", "let-in") for what in ("client", "sender") for _ in range(3)
    ]
    assert all(int(row[3]) > 0 and "action=" in row[4] for row in rows)


def test_csv_holds_no_formula() -> None:
    (decision,) = random_log.decisions(Policy(), 1)
    senders = ["x@=cmd|'/C-calc'!A0", "x@+1", "x@-1", "@x@y", "=1\r\n@", "x@\t1"]
    lines = [line(replace(decision, evidence=replace(decision.evidence, mailfrom=sender))) for sender in senders]
    written = as_csv(replayed(lines, '[[rule]]\nname = "all"\naction = "reject"\n'), 9)
    cells = [cell for row in csv.reader(io.StringIO(written)) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert "'=cmd|'/c-calc'!a0" in cells


@pytest.fixture
def log(tmp_path: Path) -> str:
    (tmp_path / "strict.toml").write_text(STRICT)
    (tmp_path / "mail.log.gz").write_bytes(gzip.compress("\n".join(LINES).encode()))
    (tmp_path / "mail.log").write_text("\n".join(random_log.lines(load().policy, 500, 2, "json")))
    return str(tmp_path / "mail.log")


def test_command_with_json_and_csv(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    strict = log.replace("mail.log", "strict.toml")
    assert main(["replay", "-c", strict, "--json", "--top", "2", log, f"{log}.gz"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["lines"], found["mode"]) == (3500, "enforce")
    assert found["changed"] > 500
    assert len(found["newly_refused"]["clients"]) == 2
    assert main(["replay", "-c", strict, "--csv", log]) == 0
    assert capsys.readouterr().out.startswith(",".join(CSV_HEAD))


def test_command_with_text(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "-c", log.replace("mail.log", "strict.toml"), log]) == 0
    text = capsys.readouterr().out
    assert "strict.toml: policy " in text
    assert "Newly refused or deferred: clients" in text


def test_command_from_stdin_and_into_a_closed_pipe(log: str) -> None:
    replay = [sys.executable, "-m", "rdns_milter", "replay", "-"]
    content = Path(f"{log}.gz").read_bytes()
    done = subprocess.run(
        [*replay, "--json"], cwd=ROOT, env=environment(), input=content, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (json.loads(done.stdout)["lines"], json.loads(done.stdout)["changed"]) == (3000, 0)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        late = subprocess.run(
            replay,
            cwd=ROOT,
            env=environment(),
            input=content,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert b"Traceback" not in late.stderr


def test_command_with_wrong_arguments(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", log, f"{log}.1"]) == 2
    assert "mail.log.1: No such file or directory" in capsys.readouterr().err
    assert main(["replay", "-c", f"{log}.toml", log]) == 78
    for arguments in ([], ["--top", "x", log], ["--top", "٣", log], ["--json", "--csv", log]):
        with pytest.raises(SystemExit) as left:
            main(["replay", *arguments])
        assert left.value.code == 2
