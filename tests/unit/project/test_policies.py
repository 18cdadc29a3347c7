"""packaging/examples/policies: each file lints clean, and packaging/doc/policies.md shows what it does with the example log.

The figures are those of `rdns-milter replay`.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from rdns_milter.analysis.evaluator import Evaluator
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
ASKING = "known-senders.toml"  # asks a provider and a DNS list, about which the log says nothing
LISTED = re.compile(r"helo_name=mx\d\.alumni\.example ")


def path_of(policy: str, directory: Path) -> str:
    """Return the path of the policy's file; that of the default policy is made in the directory."""
    if policy != DEFAULT:
        return str(examples.DIRECTORY / "policies" / policy)
    (directory / "default.toml").write_text(sample())
    return str(directory / "default.toml")


def asked(line: str) -> str:
    """Return the line as if the provider and the list of ASKING had been asked, and the list had the forwarders."""
    listed = "dnswl:127.0.5.2" if LISTED.search(line) else "none"
    return line.replace(" forged=", f" client_spf=none dnslist={listed} via=none forged=")


def verdicts(policy: str, lines: list[str], directory: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Return how many of these messages would get each verdict."""
    (directory / "part.log").write_text("".join(map(asked, lines) if policy == ASKING else lines))
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


def test_what_the_policy_asks_decides() -> None:
    """Without the answers the verdict on what it would refuse is open; a provider passes for one's own domain."""
    path = path_of(ASKING, Path())
    evaluator = Evaluator(load(path), date(2026, 11, 29))
    own = next(line for line in LOG if "helo_name=mail.supplier.example" in line).replace(
        "orders@supplier", "news@rcpt"
    )
    forwarded = next(line for line in LOG if LISTED.search(line))
    found = []
    for line in (
        forwarded,
        asked(forwarded),
        own,
        asked(own),
        asked(own).replace("client_spf=none", "client_spf=_spf.mailer.example"),
    ):
        fields = parse(line)
        assert fields is not None
        verdict = evaluator.verdict(fields, "emma@rcpt.example")
        found.append(verdict and (verdict.action, verdict.rule))
    assert found == [
        None,
        ("accept", "known-mail-host"),
        None,
        ("reject", "own-domain-from-elsewhere"),
        ("accept", "own-domain-from-provider"),
    ]


def test_the_table_has_these_columns_and_rows() -> None:
    (head,) = re.findall(r"^\| policy \|.*$", PAGE, re.MULTILINE)
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["policy", *ACTIONS, "unwanted", "wanted", "tagged"]
    assert len(documents.table("policy")) == 1 + len(POLICIES)
    assert set(re.findall(r"^`([\w-]+\.toml)`\.", PAGE, re.MULTILINE)) == set(POLICIES)


def test_the_log_is_one_of_the_default_policy() -> None:
    assert len(LOG) == 100
    (digest,) = {decision["policy"] for line in LOG if (decision := parse(line))}
    assert digest == parse_text(sample(), "default.toml").policy.digest


@pytest.mark.parametrize("text", re.findall(r"^```rules\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_every_setting_is_valid(text: str) -> None:
    assert parse_text(text, "policies.toml").relays.networks


@pytest.mark.parametrize("command", re.findall(r"^```console\n(.*?)\n```$", PAGE, re.MULTILINE))
def test_every_command_is_there(command: str) -> None:
    name, *arguments = command.split()
    assert name == "rdns-milter"
    parser().parse_args(arguments)
