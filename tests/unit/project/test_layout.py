"""Where tests lie: tests/unit mirrors the packages, and no folder and no file of tests/kit grows too large.

A test of the module rdns_milter/logs/output.py is tests/unit/logs/test_output.py, or test_output_ASPECT.py for one aspect.
tests/wire holds the tests of the running milter over its sockets, tests/mta those with a real Postfix or Sendmail.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.project.test_imports import LADDER, MAX_LINES, MAX_MODULES

TESTS = Path(__file__).resolve().parents[2]

# Tests of what several modules of a package do together, and why they have no module's name.
EXCEPTIONS = {
    "config/test_patterns.py": "all modules of config/patterns/: which regular expressions are refused",
    "policy/test_trouble_examples.py": "temporary DNS trouble and missing facts, through all rules and actions, a case a line",
    "policy/test_trouble_properties.py": "the same for any rules and any evidence",
    "resolver/test_large_answers.py": "transport and wire: large answers are read one at a time",
    "session/test_differential.py": "check_runner, resolver and checks: same facts for any order and any cache",
    "session/test_dns_work_order.py": "check_runner and resolver: costly checks give way to others",
    "session/test_dropped_checks.py": "check_runner and resolver: a check that no session needs ends",
    "session/test_early_reply.py": "session and policy: an early reply is the final one",
}
UNIT = sorted(
    path.relative_to(TESTS / "unit")
    for path in (TESTS / "unit").rglob("test_*.py")
    if path.parent.name not in ("project", "kit")
)


@pytest.mark.parametrize("path", UNIT, ids=str)
def test_a_unit_test_is_named_for_its_module(path: Path) -> None:
    modules = {name.split(".")[-1] for name in LADDER[path.parts[0]]}
    aspects = path.stem.removeprefix("test_").split("_")
    prefixes = {"_".join(aspects[:count]) for count in range(1, len(aspects) + 1)}
    assert prefixes & modules or str(path) in EXCEPTIONS, "no module of this name, and not in EXCEPTIONS"


def test_exceptions_exist() -> None:
    assert EXCEPTIONS.keys() <= {str(path) for path in UNIT}


def test_no_folder_and_no_file_of_the_kit_is_too_large() -> None:
    files = list((TESTS / "kit").rglob("*.py"))
    folders = Counter(path.parent for path in files if path.name != "__init__.py")
    assert {path: count for path, count in folders.items() if count > MAX_MODULES} == {}
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}
