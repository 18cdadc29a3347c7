"""The Public Suffix List: both libraries agree, and the list is recent."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdns_milter.net import public_suffixes
from rdns_milter.net.alignment import alignment, organizational_domain

ROOT = Path(__file__).parents[3]
DEBIANS = "/usr/bin/python3"

# Print the public suffix of each given name, by publicsuffix2 and the system's list.
_ASK = """
import sys
from rdns_milter.net.public_suffixes import SYSTEM_LIST, from_publicsuffix2

read = from_publicsuffix2(SYSTEM_LIST)
for name in sys.stdin.read().split():
    print(read(name) or name.rpartition(".")[2])
"""


def rules(path: str) -> Iterator[str]:
    """Yield the rules of a list in A-labels."""
    for line in Path(path).read_text("utf-8").splitlines():
        if line and not line.startswith("//"):
            rule = line.split()[0]
            yield rule.lower().lstrip("!").encode("idna").decode()


def names_at(path: str) -> list[str]:
    """Return names at, above and below each rule."""
    bases = {base for rule in rules(path) for base in (rule.replace("*", "x"), rule.replace("*.", ""))}
    return sorted({prefix + base for base in bases for prefix in ("", "a.", "b.a.", "c.b.a.")})


def test_both_libraries_agree() -> None:
    """Both use the system's list; about 38,000 names are compared."""
    pytest.importorskip("publicsuffixlist", reason="Debian does not package it")
    path = public_suffixes.SYSTEM_LIST
    names = names_at(path)
    assert len(names) > 30_000
    asked = subprocess.run(
        (DEBIANS, "-P", "-c", _ASK),
        input="\n".join(names),
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    read = public_suffixes.from_publicsuffixlist(path)
    ours = {name: read(name) for name in names}
    assert dict(zip(names, asked.stdout.split(), strict=True)) == ours


def test_the_list_is_recent() -> None:
    pytest.importorskip("publicsuffixlist", reason="the list of Debian 12 is of 2023")
    assert organizational_domain("mail.example.ac.eg") == "example.ac.eg"
    assert organizational_domain("ac.eg") == ""
    assert alignment("mail.one.ac.eg", ("mail.two.ac.eg",)) == "different"


def test_the_installed_library_is_used() -> None:
    there = "publicsuffixlist" if importlib.util.find_spec("publicsuffixlist") else "publicsuffix2"
    assert public_suffixes.public_suffix("a.co.uk") == "co.uk"
    assert there in sys.modules
    assert public_suffixes.public_suffix("host.unknown-tld") == "unknown-tld"
