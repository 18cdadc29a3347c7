"""Configuration files and list files that cannot be read, and errors inside lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdns_milter.config import list_files
from rdns_milter.config.list_files import MAX_BYTES, MAX_LINES, MAX_LISTS
from rdns_milter.config.load import ConfigError, load, parse
from tests.unit.config.test_errors import FILE, config_errors, rule


def test_errors_in_a_list_have_its_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "l.cidr"
    path.write_text("# ours\n192.0.2.0/24\n\n192.0.2.9/24 # x\nfoo\n")
    text = f"[lists]\nl = '{path}'\n" + rule("when.client = ['@l', '@k']", "unless.client = '@l'", "score = 1")
    config, *entries = config_errors(text)
    assert (config.line, config.key) == (5, "rule[r].when.client")
    assert config.message == 'there is no list "@k"; valid: l'
    assert [(error.file, error.line, error.key) for error in entries] == [
        (str(path), 4, "lists.l"),
        (str(path), 5, "lists.l"),
    ]
    assert '"192.0.2.0/24"' in entries[0].message


def test_only_the_first_errors_of_a_list_are_reported(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("x y\n" * 100)
    errors = config_errors("[lists]\nl = 'l'\n" + rule("when.ptr = '@l'", "score = 1"), str(tmp_path / FILE))
    assert len(errors) == 21
    assert (errors[-1].line, errors[-1].message) == (100, "the last of 80 more invalid entries")


def test_a_list_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"a.example\nb\xff.example\n")
    (error,) = config_errors("[lists]\nl = 'l'\n", str(tmp_path / FILE))
    assert (error.file, error.line, error.message) == (str(tmp_path / "l"), 2, "is not UTF-8 (byte 0xff)")


def test_lists_that_are_too_long_together(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("\n" * (MAX_LINES // 2 + 1))
    (error,) = config_errors("[lists]\nk = 'l'\nl = 'l'\n", str(tmp_path / FILE))
    assert (error.line, error.key) == (3, "lists.l")
    assert error.message == f"{tmp_path / 'l'} has too many lines: the maximum of all lists together is 2000000"


def test_lists_that_are_too_large_together(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes((b"#" * 9_000 + b"\n") * (MAX_BYTES // 2 // 9_001 + 1))
    (error,) = config_errors("[lists]\nk = 'l'\nl = 'l'\n", str(tmp_path / FILE))
    assert (error.line, error.key) == (3, "lists.l")
    assert error.message == f"{tmp_path / 'l'} is too large: the maximum of all lists together is 100000000 bytes"


def test_a_line_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"\n\n#" + b"x" * 300_000)
    (error,) = config_errors("[lists]\nl = 'l'\n", str(tmp_path / FILE))
    assert (error.file, error.line) == (str(tmp_path / "l"), 3)
    assert error.message == "has a line of more than 10000 bytes"


def test_too_many_lists(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("")
    lines = "".join(f"l{number} = 'l'\n" for number in range(MAX_LISTS + 1))
    (error,) = config_errors(f"[lists]\n{lines}", str(tmp_path / FILE))
    assert (error.line, error.key, error.message) == (1, "lists", "has 101 lists; the maximum is 100")


def test_a_list_is_in_memory_once_and_combined_sets_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_files, "MAX_COMBINED", 5)
    (tmp_path / "l").write_text("192.0.2.1\n192.0.2.3\n192.0.2.5\n")
    alone = [rule("when.client = ['@l', '@l']", "score = 1", name=f"r{number}") for number in range(9)]
    config = parse("[lists]\nl = 'l'\n" + "".join(alone), str(tmp_path / FILE))
    assert len({id(each.when[0].values) for each in config.policy.rules}) == 1
    combined = [rule("when.client = ['@l', '::1']", "score = 1", name=f"r{number}") for number in range(2)]
    (error,) = config_errors("[lists]\nl = 'l'\n" + "".join(combined), str(tmp_path / FILE))
    assert (error.line, error.key) == (9, "rule[r1].when.client")
    assert "combine lists" in error.message


@pytest.mark.parametrize("end", ["", "\n", "\n\n# x"])
def test_entries_keep_their_lines_in_a_list_of_many_pieces(tmp_path: Path, end: str) -> None:
    """The lines have many lengths, so that pieces end anywhere in a line."""
    lines = [f"192.0.{number >> 8 & 255}.{number & 255} # {'x' * (number % 97)}" for number in range(20_000)]
    wrong = (1, 7_777, 15_000, 20_000)
    for number in wrong:
        lines[number - 1] = "bücher"
    (tmp_path / "l").write_text("\ufeff" + "\n".join(lines) + end, "utf-8")
    errors = config_errors("[lists]\nl = 'l'\n" + rule("when.client = '@l'", "score = 1"), str(tmp_path / FILE))
    assert tuple(error.line for error in errors) == wrong


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (None, 0, "does not exist"),
        (b"[milter]\n# \xe4\n", 2, "is not UTF-8 (byte 0xe4)"),
        (b"#" * 1_000_001, 0, "has more than 1000000 bytes"),
        (b"[milter]\nmode = 3\n", 2, "must be one of"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes | None, line: int, message: str) -> None:
    path = tmp_path / FILE
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    (error,) = caught.value.errors
    assert (error.file, error.line) == (str(path), line)
    assert message in error.message


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "l")
    (error,) = config_errors("[lists]\nl = 'l'\n", str(tmp_path / FILE))
    assert "is not a regular file" in error.message


@pytest.mark.parametrize("path", ["/", "/dev/null", "a\0b"])
def test_a_path_that_is_not_a_regular_file(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.errors) == 1
