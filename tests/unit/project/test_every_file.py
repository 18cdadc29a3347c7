"""Import every Python file of the repository, so that a file that no other test runs cannot go stale unnoticed.

mypy checks the types of the same files (setup.cfg). Files are imported, never run as a script.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.relative_to(ROOT) for top in ("rdns_milter", "tests") for path in (ROOT / top).rglob("*.py"))
# Not packages: a script's neighbours are found beside it.
SCRIPTS = sorted(path.relative_to(ROOT) for path in (ROOT / "packaging").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_can_be_imported(path: Path) -> None:
    parts = path.with_suffix("").parts
    importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


@pytest.mark.parametrize("path", SCRIPTS, ids=str)
def test_scripts_can_be_imported(path: Path, tmp_path: Path) -> None:
    """In a process of its own, as a script's directory is the first place that it imports from."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / path.parent), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, "-c", "import importlib, sys; importlib.import_module(sys.argv[1])", path.stem],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_are_scripts() -> None:
    assert {path.parent.name for path in SCRIPTS} >= {"container", "demo", "man", "pypi", "try"}
