"""The log of this host where none is named: the service's journal, else the mail log with its rotated parts, the oldest first."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from rdns_milter.logs.default_logs import default_logs, rotated
from rdns_milter.logs.files import UnreadableLogError

ENTRY = (
    "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795960980000000\nSYSLOG_IDENTIFIER=rdns-milter\nSYSLOG_PID=9\nMESSAGE={}\n\n"
)


def journalctl(tmp_path: Path, entries: str) -> str:
    """A program that writes these entries if it is asked for those of the service."""
    (tmp_path / "entries").write_text(entries)
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--unit=rdns-milter.service*) cat {tmp_path}/entries;; esac\n')
    program.chmod(0o755)
    return str(program)


def rotated_logs(tmp_path: Path) -> Path:
    """mail.log with two older parts, one of them compressed."""
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(b"first\n"))
    (tmp_path / "mail.log.1").write_text("second\n")
    (tmp_path / "mail.log").write_text("third\n")
    for age, name in enumerate(("mail.log", "mail.log.1", "mail.log.2.gz")):
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    return tmp_path / "mail.log"


def test_the_journal_of_the_service(tmp_path: Path) -> None:
    program = journalctl(tmp_path, ENTRY.format("one") + ENTRY.format("two"))
    with default_logs([rotated_logs(tmp_path)], program) as (logs, name):
        lines = list(logs)
    assert name == "the journal of rdns-milter.service"
    assert [line.rsplit(" ", 1)[1] for line in lines] == ["one", "two"]


def test_the_mail_log_where_the_journal_has_nothing(tmp_path: Path) -> None:
    with default_logs([tmp_path / "none", rotated_logs(tmp_path)], journalctl(tmp_path, "")) as (logs, name):
        assert list(logs) == ["first", "second", "third"]
    assert name == str(tmp_path / "mail.log")


def test_no_log_at_all(tmp_path: Path) -> None:
    assert rotated([tmp_path / "none"]) == []
    with (
        pytest.raises(UnreadableLogError, match="no log was found"),
        default_logs([tmp_path / "none"], str(tmp_path / "no")),
    ):
        pass
