"""packaging/doc/migration.md: all rules and options are valid. tests/mta/test_migration.py compares what the rules decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdns_milter.config.load import parse
from tests.kit.filters import migration
from tests.kit.filters.migration import Row

PROGRAMS = ("Postfix", "policyd-spf", "smf-spf", "milter-regex")
ROWS = [row for program in PROGRAMS for row in migration.rows(program)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.old or row.rules[0])
def test_rules_and_options_are_valid(row: Row, tmp_path: Path) -> None:
    assert row.rules or row.options
    (tmp_path / "clients.cidr").write_text("192.0.2.0/24\n")
    options = "\n".join(row.options).replace("/etc/rdns-milter/", f"{tmp_path}/")
    rules = [f'[[rule]]\nname = "rule-{number}"\n{keys}\n' for number, keys in enumerate(row.rules)]
    config = parse("\n".join((options, *rules)), "migration.toml")
    assert len(config.policy.rules) == len(row.rules)


def test_every_table_has_rows() -> None:
    counts = [len(migration.rows(program)) for program in PROGRAMS]
    assert min(counts) >= 10
    assert sum(counts) == len(ROWS)


def test_what_was_compared_is_said_in_every_row() -> None:
    said = [row.compared for program in PROGRAMS[:2] for row in migration.rows(program)]
    assert {each.partition(",")[0] for each in said} == {"the same", "-"}
    assert said.count("-") < len(said) / 2
