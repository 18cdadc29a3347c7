"""README.md and packaging/doc agree with the code: names, defaults, tables, examples. Output of examples: tests/wire, tests/mta."""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from rdns_milter import __version__
from rdns_milter.checks.evidence import FACTS, IPREV_REASONS, Evidence, exempted
from rdns_milter.cli.main import parser
from rdns_milter.config.load import load
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.rule_reader import RULE_KEYS
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_keys import KEYS
from rdns_milter.logs.decision_line import parse
from rdns_milter.monitoring import alarms
from rdns_milter.monitoring.metric_definitions import FIXED_RULES, OTHER
from rdns_milter.net.endpoints import parse_socket_address
from rdns_milter.policy.decide import CONDITIONS
from rdns_milter.policy.rules import ACTIONS
from rdns_milter.resolver.lookup import TEMPORARY, UNRESOLVED
from tests.kit.data import documents
from tests.kit.milter.endpoint import parse_endpoint
from tests.unit.checks.test_iprev import CASES
from tests.unit.project.test_imports import LADDER, OWNERS

ROOT = documents.ROOT
DEFAULTS = {
    f"{section}.{option.key}": option for section, kind in SECTIONS.items() for option in options_of(kind).values()
}


def test_facts_and_their_results() -> None:
    written = {fact: documents.code(cells[1]) for cells in documents.table("fact") for fact in documents.code(cells[0])}
    assert list(written) == list(FACTS)
    assert {name: sorted(words) for name, words in written.items()} == {
        name: sorted(fact.words) for name, fact in FACTS.items()
    }


def test_reasons_of_iprev_and_the_result_that_each_belongs_to() -> None:
    rows = {documents.code(cells[0])[0]: documents.code(cells[1])[0] for cells in documents.table("reason")}
    assert sorted(rows) == sorted(IPREV_REASONS)
    assert {reason for reason, result in rows.items() if result == "temperror"} == TEMPORARY - UNRESOLVED
    found = {reason: result for _, _, result, reason, _ in CASES.values()}
    assert {"confirmed", "no-ptr", "not-confirmed", "no-forward", "bad-name"} <= set(found)
    assert rows | found == rows
    iprev = exempted(Evidence(), "network").iprev
    assert rows[iprev.reason] == iprev.result


def test_default_rules_and_their_actions() -> None:
    written = [(documents.code(cells[0])[0], cells[2]) for cells in documents.table("rule")]
    assert written == [(rule["name"], rule["action"]) for rule in tomllib.loads(sample())["rule"]]


def test_keys_of_the_log() -> None:
    rows = documents.table("key")
    assert [documents.code(cells[0])[0] for cells in rows] == list(KEYS)
    assert documents.code(rows[0][1]) == list(ACTIONS)


def test_values_of_rule_that_are_no_names_of_rules() -> None:
    tables = [rows for rows in documents.tables("value") if documents.code(rows[0][0]) == ["default"]]
    written = [documents.code(cells[0])[0] for rows in tables for cells in rows]
    assert written == [name for name in FIXED_RULES if name != OTHER]


def test_alarms() -> None:
    rows = documents.table("alarm")
    assert {documents.code(cells[0])[0]: cells[1] for cells in rows} == dict(alarms.MEANINGS)
    sentence = documents.text().partition("## Alarms")[2].partition("\n\n|")[0]
    assert f"after {alarms.MIN_DECISIONS} clients and an hour" in " ".join(sentence.split())
    assert alarms.MIN_SECONDS == 3600


def test_options_and_their_defaults() -> None:
    rows = documents.table("option")
    assert len(rows) >= 8
    for name, default, _ in rows:
        option = DEFAULTS[documents.code(name)[0]]
        if option.key == "networks":
            assert default == "loopback and private networks"
        else:
            assert documents.code(default) == [option.toml(option.default)]


def test_every_option_that_is_named_exists() -> None:
    sections = "|".join(SECTIONS)
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)\b", documents.for_administrators()))
    assert {"milter.deadline", "dns.tries", "log.format"} <= named
    assert named <= set(DEFAULTS)
    assert (DEFAULTS["dns.tries"].default, DEFAULTS["dns.timeout"].default) == (2, 2.0)
    assert "`dns.tries` times (2)" in documents.text()
    assert "`dns.timeout` (2 seconds)" in documents.text()


def test_conditions_and_keys_of_rules_are_named() -> None:
    sentence = documents.text().partition("Further conditions:")[2].partition(". ")[0]
    assert documents.code(sentence) == list(CONDITIONS)
    assert [documents.code(cells[0]) for cells in documents.table("condition")] == [[name] for name in CONDITIONS]
    section = documents.text().partition("## How rules are tried")[2].partition("\n## ")[0]
    assert set(RULE_KEYS) - {"name"} <= {word.partition(" ")[0] for word in documents.code(section)}


@pytest.mark.parametrize("number", range(3))
def test_toml_examples_are_valid(number: int, tmp_path: Path) -> None:
    blocks = documents.blocks("toml")
    assert len(blocks) == 3
    (tmp_path / "partners.cidr").write_text("192.0.2.0/24\n")
    (tmp_path / "c.toml").write_text(blocks[number].replace("/etc/rdns-milter/", ""))
    assert load(str(tmp_path / "c.toml")).path


def test_main_cf_names_the_sockets_of_the_milter() -> None:
    default, chrooted = (re.findall(r"smtpd_milters = (\S+)", block)[0] for block in documents.blocks("main.cf"))
    assert parse_endpoint(default) == parse_endpoint(DEFAULTS["milter.socket"].default)
    socket = next(re.findall(r'socket = "(\S+)"', block)[0] for block in documents.blocks("toml") if "socket" in block)
    assert parse_socket_address(socket).path == f"/var/spool/postfix/{chrooted.removeprefix('unix:')}"
    assert f"S={DEFAULTS['milter.socket'].default}," in documents.text()


def test_commands_are_real() -> None:
    programs = r"^ {4}(?:sh|cp|install)(?: -D)?(?: -m 644)?"
    commands = re.findall(rf"{programs} +((?:packaging|tests|etc)/[\w./-]+)", documents.text(), re.MULTILINE)
    assert {
        "packaging/demo.sh",
        "tests/run.sh",
        "packaging/build-deb.sh",
        "etc/rdns-milter.toml",
        "packaging/systemd/rdns-milter.service",
    } == set(commands)
    assert all((ROOT / path).is_file() for path in commands)
    usage = re.findall(r"^ {4,}rdns-milter (\w+.*)$", documents.text(), re.MULTILINE)
    assert {line.split()[0] for line in usage} == set(_commands())
    for line in usage:
        name, arguments = line.split()[0], re.findall(r"--?[a-z]+", line)
        help_text = _commands()[name].format_help()
        assert all(re.search(rf"{argument}\b", help_text) for argument in arguments), line
    check = shlex.split(documents.blocks("check")[0].split("\n")[0])
    assert check[:2] == ["$", "rdns-milter"]
    assert parser().parse_args(check[2:]).addresses == ["198.51.100.30"]


def _commands() -> dict[str, argparse.ArgumentParser]:
    """Return the subcommands by their names."""
    (commands,) = (action for action in parser()._actions if action.choices)
    assert isinstance(commands.choices, dict)
    return commands.choices


def test_the_synopsis_of_each_command_has_all_its_options() -> None:
    synopsis = re.findall(
        r"^ {4}rdns-milter (\w+) +(.*)$", documents.text().partition("\n## Commands\n")[2], re.MULTILINE
    )
    assert sorted(name for name, _ in synopsis) == sorted(_commands())
    for name, arguments in synopsis:
        written = set(re.findall(r"(?<!\w)--?[a-z]+", arguments))
        options = [action.option_strings for action in _commands()[name]._actions if action.dest != "help"]
        assert all(len(written.intersection(strings)) == 1 for strings in options if strings), name


def test_modules_are_real() -> None:
    named = re.findall(r"`([a-z_/]+\.py)`", documents.text()) + re.findall(
        r"`((?:rdns_milter|tests)/[a-z/]*)`", documents.text()
    )
    assert len(named) >= 8
    for path in named:
        assert (ROOT / path).exists() or (ROOT / "rdns_milter" / path).exists(), path


def test_the_line_of_the_log_is_one() -> None:
    (line,) = documents.blocks("log")
    fields = parse(line)
    assert fields
    assert list(fields) == list(KEYS)
    assert documents.blocks("reply") == [fields["reply"] + "\n"]


def test_news_begins_with_this_version() -> None:
    news = (ROOT / "NEWS.md").read_text("utf-8")
    assert re.findall(r"^## (\S+)", news, re.MULTILINE)[0] == __version__


def test_packages_and_libraries_of_the_architecture() -> None:
    rows = documents.table("package")
    assert [documents.code(cells[0]) for cells in rows] == [[f"{package}/"] for package in LADDER]
    owners = {owner for cells in documents.table("library") for owner in documents.code(cells[1])}
    assert owners == {
        f"{owner.replace('.', '/')}.py" for name, each in OWNERS.items() if name != "rich" for owner in each
    }
