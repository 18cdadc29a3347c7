"""What the process that reads the configuration hands over: the configuration, its errors, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdns_milter.config.load import ConfigError
from rdns_milter.daemon.configuration.config_reader import ONLY_AT_START, ConfigReader, NotRead, exit_text, read_config
from rdns_milter.daemon.configuration.shared_config import LoadedConfig

FIRST = """
[milter]
socket = "inet:8895@127.0.0.1"
workers = 2
deadline = 3.0
[dns]
nameservers = ["192.0.2.53"]
"""
CHANGED = FIRST.replace("8895", "8896").replace("workers = 2", "workers = 7").replace("3.0", "4.0")


def reread(path: Path, first: LoadedConfig) -> LoadedConfig:
    """Read it again, as a reload does."""
    reader = ConfigReader(str(path), first.number + 1, first.config.milter)
    _, status = os.waitpid(reader.pid, 0)
    try:
        return reader.result(exit_text(status))
    finally:
        reader.close()


def test_what_takes_a_restart_keeps_its_value(tmp_path: Path) -> None:
    """So a worker that is started after a reload still serves, and drains, the socket that the parent has opened."""
    path = tmp_path / "c.toml"
    path.write_text(FIRST)
    first, memory = read_config(str(path))
    os.close(memory)
    path.write_text(CHANGED)
    second = reread(path, first)
    assert (first.number, second.number) == (1, 2)
    assert second.need_restart == ("milter.socket", "milter.workers")
    for name in ONLY_AT_START:
        assert getattr(second.config.milter, name) == getattr(first.config.milter, name)
    assert (first.config.milter.deadline, second.config.milter.deadline) == (3.0, 4.0)


def test_errors_are_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[milter]\nworkers = -1\nsocket = 7\n")
    with pytest.raises(ConfigError) as raised:
        read_config(str(path))
    assert [error.line for error in raised.value.errors] == [2, 3]


def test_a_reader_that_is_killed_hands_over_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    path = tmp_path / "c.toml"
    path.write_text(f'[lists]\nendless = "{tmp_path}/list"\n')
    reader = ConfigReader(str(path), 2)
    reader.kill()
    _, status = os.waitpid(reader.pid, 0)
    with pytest.raises(NotRead, match=r"the process that reads it ended \(signal SIGKILL\)"):
        reader.result(exit_text(status))
    reader.close()
