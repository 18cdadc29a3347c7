"""README.md says what the code does: names, defaults, tables, examples. The examples' output: wire and mta tests."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from rdns_milter import __version__
from rdns_milter.checks.evidence import FACTS
from rdns_milter.cli.main import parser
from rdns_milter.config.load import load
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.rule_reader import RULE_KEYS
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision import KEYS, parse
from rdns_milter.net.endpoints import parse_listener
from rdns_milter.policy.decide import CONDITIONS
from rdns_milter.policy.rules import ACTIONS
from tests.kit.data import documents
from tests.kit.milter.endpoint import parse_endpoint

ROOT = documents.README.parent
DEFAULTS = {
    f"{section}.{option.key}": option for section, kind in SECTIONS.items() for option in options_of(kind).values()
}


def test_facts_and_their_results() -> None:
    written = {fact: documents.code(cells[1]) for cells in documents.table("fact") for fact in documents.code(cells[0])}
    assert list(written) == list(FACTS)
    assert {name: sorted(words) for name, words in written.items()} == {
        name: sorted(fact.words) for name, fact in FACTS.items()
    }


def test_default_rules_and_their_actions() -> None:
    written = [(documents.code(cells[0])[0], cells[2]) for cells in documents.table("rule")]
    assert written == [(rule["name"], rule["action"]) for rule in tomllib.loads(sample())["rule"]]


def test_keys_of_the_log() -> None:
    rows = documents.table("key")
    assert [documents.code(cells[0])[0] for cells in rows] == list(KEYS)
    assert documents.code(rows[0][1]) == list(ACTIONS)


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
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)\b", documents.text()))
    assert {"milter.deadline", "dns.tries", "log.format"} <= named
    assert named <= {*DEFAULTS, *(f"{module.stem}.py" for module in (ROOT / "rdns_milter").glob("*.py"))}
    assert (DEFAULTS["dns.tries"].default, DEFAULTS["dns.timeout"].default) == (2, 2.0)
    assert "`dns.tries` times (2)" in documents.text()
    assert "`dns.timeout` (2 seconds)" in documents.text()


def test_conditions_and_keys_of_rules_are_named() -> None:
    sentence = documents.text().partition("Beside the facts below")[2].partition("\n\n")[0]
    words = set(documents.code(sentence))
    assert set(CONDITIONS) <= words
    assert words <= {*CONDITIONS, *RULE_KEYS}


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
    assert parse_listener(socket).path == f"/var/spool/postfix/{chrooted.removeprefix('unix:')}"
    assert f"S={DEFAULTS['milter.socket'].default}," in documents.text()


def test_commands_are_real() -> None:
    commands = re.findall(r"^ {4}(?:sh|cp) +((?:packaging|tests|etc)/[\w./-]+)", documents.text(), re.MULTILINE)
    assert {
        "packaging/demo.sh",
        "tests/run.sh",
        "packaging/build-deb.sh",
        "etc/rdns-milter.toml",
        "packaging/systemd/rdns-milter.service",
    } == set(commands)
    assert all((ROOT / path).is_file() for path in commands)
    usage = re.findall(r"^ {4}rdns-milter (.*?)(?: {2,}.*)?$", documents.text(), re.MULTILINE)
    assert len(usage) >= 4
    for line in usage:
        name, arguments = line.split()[0], re.findall(r"--?[a-z]+", line)
        help_text = _help(name)
        assert all(re.search(rf"{argument}\b", help_text) for argument in arguments), line
    check = shlex.split(documents.blocks("check")[0].split("\n")[0])
    assert check[:2] == ["$", "rdns-milter"]
    assert parser().parse_args(check[2:]).address == "198.51.100.30"


def _help(command: str) -> str:
    """The help of a subcommand."""
    (commands,) = (action for action in parser()._actions if action.choices)
    choices = commands.choices
    assert isinstance(choices, dict)
    return str(choices[command].format_help())


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
