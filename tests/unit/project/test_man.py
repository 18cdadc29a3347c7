"""The manual pages are complete, and groff and mandoc report nothing about them.

packaging/man makes them from the program's tables. Here they are read back as text, so that a heading or an item that was lost is
noticed.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdns_milter.checks.evidence import FACTS, IPREV_REASONS
from rdns_milter.cli.main import parser
from rdns_milter.config.condition_types import NAMES
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.rule_reader import RULE_KEYS
from rdns_milter.daemon import master
from rdns_milter.policy.rules import ACTIONS
from rdns_milter.text.exit_status import EX_CONFIG, EX_OK, EX_UNAVAILABLE
from tests.kit.data import documents

ROOT = Path(__file__).parents[3]
PAGES = ("rdns-milter.8", "rdns-milter.toml.5")
_ESCAPES = {"\\e": "\\", "\\-": "-", "\\(aq": "'", "\\(ga": "`", "\\(ha": "^", "\\(ti": "~", "\\&": ""}
Items = dict[str, str]


def make(directory: Path) -> Path:
    """Write the pages into a directory, as a package does."""
    subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "man" / "pages.py"), str(directory)],
        env={"SOURCE_DATE_EPOCH": "1700000000", "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        timeout=60,
        check=True,
    )
    return directory


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("man"))


def plain(line: str) -> str:
    """Return a line of text as printed."""
    line = re.sub(r"\\f[BIPR]", "", line)
    return re.sub(r"\\(?:\(..|.)", lambda match: _ESCAPES[match[0]], line)


def items(path: Path) -> dict[tuple[str, str], Items]:
    """Return, by section and subsection, the heads of the items and the text below each; under "" the text before the first."""
    found: dict[tuple[str, str], Items] = {}
    section, subsection, head, is_head = "", "", "", False
    for line in path.read_text("ascii").splitlines():
        macro, _, rest = line.partition(" ")
        if macro in (".SH", ".SS"):
            section, subsection = (rest.strip('"'), "") if macro == ".SH" else (section, plain(rest.strip('"')))
            head = ""
        elif macro == ".PP":
            head = ""
        elif is_head:
            head = plain(line)
        elif not line.startswith("."):
            place = found.setdefault((section, subsection), {})
            place[head] = f"{place.get(head, '')} {plain(line)}".strip()
        is_head = macro == ".TP"
    return found


def subcommands() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Return each subcommand with its option strings and metavars, as argparse has them."""
    (group,) = (action for action in parser()._actions if action.choices)
    assert isinstance(group.choices, dict)
    for name, command in group.choices.items():
        taken = [
            (option, str(action.metavar) if action.nargs != 0 else "")
            for action in command._actions
            if "--help" not in action.option_strings
            for option in action.option_strings or [str(action.metavar)]
        ]
        yield name, taken


def test_every_subcommand_with_every_flag(pages: Path) -> None:
    found = items(pages / PAGES[0])
    synopsis = found["SYNOPSIS", ""][""]
    names = []
    for name, taken in subcommands():
        names.append(name)
        assert f"rdns-milter {name} " in synopsis
        heads = found["COMMANDS", name]
        assert heads.pop(""), "what the subcommand is for"
        words = {word for head in heads for word in re.split(r",? ", head)}
        assert words == {word for pair in taken for word in pair if word}
        assert all(len(sentence) > 5 and sentence[-1] in ".?" for sentence in heads.values())
    assert [subsection for section, subsection in found if section == "COMMANDS"] == ["", *names]
    assert "(--check | --show | --sample | --lint)" in synopsis
    assert "[--json | --csv]" in synopsis
    assert "[-c FILE] [-n]" in synopsis


def test_signals_and_exit_statuses(pages: Path) -> None:
    found = items(pages / PAGES[0])
    assert set(found["SIGNALS", ""]) == {number.name for number in (*master._STOPPING, signal.SIGHUP)}
    statuses = {cells[0] for cells in documents.table("status")}
    assert set(found["EXIT STATUS", ""]) == statuses
    assert {str(number) for number in (EX_OK, EX_UNAVAILABLE, EX_CONFIG)} <= statuses


def test_what_the_mta_does_when_the_milter_is_down(pages: Path) -> None:
    said = items(pages / PAGES[0])["WHEN THE MILTER IS DOWN", ""]
    rows = documents.table("`milter_default_action`")
    assert [documents.code(cells[0])[0] for cells in rows] == [head for head in said if head]
    for cells in rows:
        (action,), told = documents.code(cells[0]), documents.code(cells[1])[0]
        assert told in said[action] or told.startswith("250"), action


def test_every_option_with_its_default_and_its_sentence(pages: Path) -> None:
    found = items(pages / PAGES[1])
    for name, section in SECTIONS.items():
        written = found["OPTIONS", f"[{name}]"]
        assert written.pop("") == section.doc
        options = list(options_of(section).values())
        assert [head.partition(" = ")[0] for head in written] == [option.key for option in options]
        for option, (head, sentence) in zip(options, written.items(), strict=True):
            assert sentence.startswith(option.doc.replace("`", ""))
            assert option.type.expected in sentence
            default = head.partition(" = ")[2]
            assert default == option.toml(option.type.read(option.default)) if not option.type.is_list else default
            if default == "[...]":
                assert all(value in sentence for value in option.default)
    assert ("OPTIONS", "[lists]") in found


def test_every_key_of_a_rule_every_condition_every_fact(pages: Path) -> None:
    found = items(pages / PAGES[1])
    keys = found["RULES", ""]
    keys.pop("")
    assert tuple(keys) == RULE_KEYS
    assert all(action in keys["action"] for action in ACTIONS)
    facts = {head.partition(": ")[0]: head.partition(": ")[2].split(", ") for head in found["RULES", "Facts"] if head}
    assert facts == {name: list(fact.words) for name, fact in FACTS.items()}
    assert {head for head in found["RULES", "Conditions"] if head} | set(facts) == set(NAMES)


def test_without_the_programs_dependencies_one_sentence_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-S", str(ROOT / "packaging" / "man" / "pages.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "which the program needs" in done.stderr


def test_every_value_of_iprev_reason(pages: Path) -> None:
    found = items(pages / PAGES[1])["RULES", "Values of iprev_reason"]
    assert tuple(found) == IPREV_REASONS
    results = {documents.code(cells[0])[0]: documents.code(cells[1])[0] for cells in documents.table("reason")}
    assert all(sentence.endswith(f" ({results[reason]}).") for reason, sentence in found.items())


def test_the_same_sources_make_the_same_pages(pages: Path, tmp_path: Path) -> None:
    make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PAGES)
    for name in PAGES:
        assert (tmp_path / name).read_bytes() == (pages / name).read_bytes()
        assert " 2023-11-14 " in (pages / name).read_text("ascii").partition("\n")[0]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_is_silent(pages: Path, name: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-rLL=80n", str(pages / name)], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "rdns-milter" in done.stdout.decode()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_is_silent(pages: Path, name: str) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", str(pages / name)], capture_output=True, timeout=60, check=False
    )
    assert done.stdout.decode().replace(str(pages), "") == ""
