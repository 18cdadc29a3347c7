"""What each Python file of the repository imports from the repository is there, in the files too that no other test runs."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(path for top in ("rdns_milter", "tests", "packaging") for path in (ROOT / top).rglob("*.py"))
OURS = ("rdns_milter", "tests")


def missing(path: Path) -> list[str]:
    """The names that it imports and that do not exist. A script's neighbours are found beside it."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.ImportFrom) and not node.level and str(node.module).split(".")[0] in OURS:
            wrong += [f"{node.module}.{each.name}" for each in node.names if not _is_there(str(node.module), each.name)]
        elif isinstance(node, ast.Import):
            wrong += [each.name for each in node.names if each.name.split(".")[0] in OURS and not _is_module(each.name)]
    return wrong


def _is_there(module: str, name: str) -> bool:
    return _is_module(module) and (hasattr(importlib.import_module(module), name) or _is_module(f"{module}.{name}"))


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_there(path: Path) -> None:
    assert missing(path) == []


def test_neighbours_of_scripts_are_there() -> None:
    for path in (path for path in FILES if path.is_relative_to(ROOT / "packaging")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if isinstance(node, ast.ImportFrom) and node.module in {each.stem for each in path.parent.glob("*.py")}:
                names = {
                    name.id if isinstance(name, ast.Name) else getattr(name, "name", "")
                    for statement in ast.parse((path.parent / f"{node.module}.py").read_text("utf-8")).body
                    for name in ast.walk(statement)
                }
                names |= _imported(path.parent / f"{node.module}.py")
                assert {each.name for each in node.names} <= names, path


def _imported(path: Path) -> set[str]:
    statements = ast.walk(ast.parse(path.read_text("utf-8")))
    return {each.name for node in statements if isinstance(node, ast.ImportFrom) for each in node.names}
