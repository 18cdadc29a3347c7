"""The tables "Where to look" of packaging/doc/architecture.md: each file in them exists, and holds the names that its row gives;
every option, log key, alarm and metric has a row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.logs.decision_keys import KEYS
from rdns_milter.monitoring.alarms import MEANINGS
from rdns_milter.monitoring.metric_definitions import SERIES
from tests.kit.data import documents

ROOT = documents.ROOT
PACKAGE = ROOT / "rdns_milter"
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
NAMES = ("this option", "this log key", "this alarm", "this metric")
ROWS = [row for head in ("to change", *NAMES) for table in documents.tables(head) for row in table]


def is_path(word: str) -> bool:
    """Return whether a word in backticks is a path, and not a name in the file before it."""
    return "/" in word or re.search(r"\.(?:py|md|toml)$", word) is not None


def place(path: str) -> Path:
    """Return the file or folder that a path of the table stands for."""
    return (ROOT if (ROOT / path).exists() else PACKAGE) / path


def names(file: Path) -> Iterator[str]:
    """Yield the functions, classes, methods ("Class.method") and constants of a Python file."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from (f"{node.name}.{each.name}" for each in node.body if isinstance(each, FUNCTION))
        elif isinstance(node, FUNCTION):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))


def wrong(cell: str) -> list[str]:
    """Return the paths of a cell that do not exist, and the names that are not in the file before them. Words with a blank are
    commands."""
    found: list[str] = []
    file: Path | None = None
    for word in documents.code(cell):
        if " " in word:
            continue
        if is_path(word):
            file = place(word)
            if not file.exists():
                found.append(word)
        elif file is None or file.suffix != ".py" or not file.is_file() or word not in names(file):
            found.append(word)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_files_and_names_of_a_row_exist(row: list[str]) -> None:
    assert len(row) == 2
    assert documents.code(row[1]), "names no file"
    assert wrong(row[1]) == []


def test_no_row_is_there_twice() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (
            "this option",
            [f"{name}.{each.key}" for name, section in SECTIONS.items() for each in options_of(section).values()],
        ),
        ("this log key", KEYS),
        ("this alarm", MEANINGS),
        ("this metric", SERIES),
    ],
)
def test_every_name_that_users_see_has_a_row(head: str, names: Iterable[str]) -> None:
    assert sorted(word for row in documents.table(head) for word in documents.code(row[0])) == sorted(names)


def test_missing_files_and_names_are_found() -> None:
    assert wrong("`net/names.py`: `canonical`; `net/gone.py`; `checks/`") == ["net/gone.py"]
    assert wrong("`net/names.py`: `gone`, `MAX_NAME`; `session/session.py`: `Session.mail`, `mail`") == ["gone", "mail"]
    assert wrong("`canonical`; `checks/`: `Evidence`") == ["canonical", "Evidence"]
    assert wrong("`net/names.py`; `rdns-milter config --sample > gone.toml`") == []
