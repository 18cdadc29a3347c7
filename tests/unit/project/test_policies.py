"""packaging/examples/policies: each file lints clean, and packaging/doc/policies.md shows what it does with the example log.

The figures are those of `rdns-milter replay`.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from rdns_milter.cli.main import main, parser
from rdns_milter.config.lint import lint
from rdns_milter.config.load import load
from rdns_milter.config.load import parse as parse_text
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_line import parse
from rdns_milter.policy.rules import ACTIONS
from tests.kit.data import documents
from tests.kit.mta import examples

POLICIES = sorted(path.name for path in (examples.DIRECTORY / "policies").glob("*.toml"))
PAGE = (documents.ROOT / "packaging" / "doc" / "policies.md").read_text("utf-8")
DEFAULT = "default"
LOG = examples.text("policies/example.log").splitlines(keepends=True)
# The senders of unwanted mail: address pools, hosts without a name, a forged sender, a forged own name.
UNWANTED = re.compile(r"mailfrom=\S+@(?:bulk\d|lottery\d|rcpt)\.example |helo_name=ip\d\.botnet\.example ")
LET_IN = ("accept", "tag")


def path_of(policy: str, directory: Path) -> str:
    """Return the path of the policy's file; that of the default policy is made in the directory."""
    if policy != DEFAULT:
        return str(examples.DIRECTORY / "policies" / policy)
    (directory / "default.toml").write_text(sample())
    return str(directory / "default.toml")


def verdicts(policy: str, lines: list[str], directory: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Return how many of these messages would get each verdict."""
    (directory / "part.log").write_text("".join(lines))
    capsys.readouterr()
    assert main(["replay", "--json", "-c", path_of(policy, directory), str(directory / "part.log")]) == 0
    matrix = json.loads(capsys.readouterr().out)["matrix"]
    return {action: sum(row[action] for row in matrix.values()) for action in ACTIONS}


@pytest.mark.parametrize("policy", POLICIES)
def test_no_warnings(policy: str, tmp_path: Path) -> None:
    assert lint(load(path_of(policy, tmp_path)), date(2026, 11, 29)) == ()


@pytest.mark.parametrize("policy", [DEFAULT, *POLICIES])
def test_figures_of_the_page(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unwanted = [line for line in LOG if UNWANTED.search(line)]
    wanted = [line for line in LOG if line not in unwanted]
    assert (len(unwanted), len(wanted)) == (14, 86)
    found = [verdicts(policy, lines, tmp_path, capsys) for lines in (LOG, unwanted, wanted)]
    stopped = [sum(count for action, count in each.items() if action not in LET_IN) for each in found[1:]]
    figures = [*found[0].values(), *stopped, found[2]["tag"]]
    name = policy if policy == DEFAULT else f"`{policy}`"
    assert [name, *map(str, figures)] in documents.table("policy")


def test_the_table_has_these_columns_and_rows() -> None:
    (head,) = re.findall(r"^\| policy \|.*$", PAGE, re.MULTILINE)
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["policy", *ACTIONS, "unwanted", "wanted", "tagged"]
    assert len(documents.table("policy")) == 1 + len(POLICIES)
    assert set(re.findall(r"^`([\w-]+\.toml)`\.", PAGE, re.MULTILINE)) == set(POLICIES)


def test_the_log_is_one_of_the_default_policy() -> None:
    assert len(LOG) == 100
    (digest,) = {decision["policy"] for line in LOG if (decision := parse(line))}
    assert digest == parse_text(sample(), "default.toml").policy.digest


@pytest.mark.parametrize("command", re.findall(r"^```console\n(.*?)\n```$", PAGE, re.MULTILINE))
def test_every_command_is_there(command: str) -> None:
    name, *arguments = command.split()
    assert name == "rdns-milter"
    parser().parse_args(arguments)
