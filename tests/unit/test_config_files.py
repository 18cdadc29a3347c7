"""Config and list files that cannot be read, and what is wrong inside of lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdns_milter.config import ConfigError, load

from .test_config_errors import FILE, mistakes, rule


def test_mistakes_in_a_list_have_its_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "l.cidr"
    path.write_text("# ours\n192.0.2.0/24\n\n192.0.2.9/24 # x\nfoo\n")
    text = f"[lists]\nl = '{path}'\n" + rule("when.client = ['@l', '@k']", "unless.client = '@l'", "score = 1")
    config, *entries = mistakes(text)
    assert (config.line, config.key) == (5, "rule[r].when.client")
    assert config.message == 'no list is called "@k"; valid: l'
    assert [(error.file, error.line, error.key) for error in entries] == [
        (str(path), 4, "lists.l"),
        (str(path), 5, "lists.l"),
    ]
    assert '"192.0.2.0/24"' in entries[0].message


def test_only_the_first_mistakes_of_a_list_are_told(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("x y\n" * 100)
    errors = mistakes("[lists]\nl = 'l'\n" + rule("when.ptr = '@l'", "score = 1"), str(tmp_path / FILE))
    assert len(errors) == 21
    assert (errors[-1].line, errors[-1].message) == (100, "the last of 80 more entries that are wrong")


def test_a_list_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"a.example\nb\xff.example\n")
    (error,) = mistakes("[lists]\nl = 'l'\n", str(tmp_path / FILE))
    assert (error.file, error.line, error.message) == (str(tmp_path / "l"), 2, "is not UTF-8 (octet 0xff)")


def test_a_list_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("\n" * 1_000_001)
    (error,) = mistakes("[lists]\nl = 'l'\n", str(tmp_path / FILE))
    assert "more than 1000000 lines" in error.message


@pytest.mark.parametrize(
    ("octets", "line", "message"),
    [
        (None, 0, "does not exist"),
        (b"[milter]\n# \xe4\n", 2, "is not UTF-8 (octet 0xe4)"),
        (b"#" * 1_000_001, 0, "has more than 1000000 octets"),
        (b"[milter]\nmode = 3\n", 2, "wants one of"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, octets: bytes | None, line: int, message: str) -> None:
    path = tmp_path / FILE
    if octets is not None:
        path.write_bytes(octets)
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    (error,) = caught.value.errors
    assert (error.file, error.line) == (str(path), line)
    assert message in error.message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "l")
    (error,) = mistakes("[lists]\nl = 'l'\n", str(tmp_path / FILE))
    assert "is not a regular file" in error.message


@pytest.mark.parametrize("path", ["/", "/dev/null", "a\0b"])
def test_what_is_no_file(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.errors) == 1
