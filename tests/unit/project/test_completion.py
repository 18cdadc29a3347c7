"""Completions of bash and zsh have every command and every option of the parser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rdns_milter.cli.main import parser
from tests.kit.data import documents

pytest.importorskip("shtab")

import sys

sys.path.insert(0, str(documents.ROOT / "packaging" / "completion"))

import scripts

COMMANDS = scripts.subcommands(parser())
WORDS = {
    name: sorted(option for action in command._actions for option in action.option_strings)
    for name, command in COMMANDS.items()
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion")
    assert scripts.main([str(path)]) == 0
    return path


def completed(directory: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word."""
    path = directory / scripts.FILES["bash"]
    program = (
        f'. {path}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        "$(complete -p rdns-milter | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ["bash", "-c", program, "bash", *words], capture_output=True, text=True, timeout=60, check=True, cwd=directory
    )
    return done.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_offers_all_commands_and_options(directory: Path) -> None:
    assert set(COMMANDS) <= set(completed(directory, "rdns-milter", ""))
    for name, options in WORDS.items():
        assert set(options) <= set(completed(directory, "rdns-milter", name, "-")), name


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_offers_files(directory: Path) -> None:
    (directory / "mail.log").write_text("")
    assert "mail.log" in completed(directory, "rdns-milter", "report", "--html", "mail")


def test_zsh_has_all_commands_and_options(directory: Path) -> None:
    text = (directory / scripts.FILES["zsh"]).read_text("utf-8")
    assert text.startswith("#compdef rdns-milter\n")
    for name, options in WORDS.items():
        assert f'"{name}:' in text or f"\n        {name}" in text
        assert all(option in text for option in options)
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", str(directory / scripts.FILES["zsh"])], check=True, timeout=60)


def test_packages_install_them() -> None:
    debian = documents.ROOT / "packaging" / "debian"
    installed = dict(line.split() for line in (debian / "rdns-milter.install").read_text().splitlines())
    assert installed[f"debian/completion/{scripts.FILES['bash']}"] == "usr/share/bash-completion/completions"
    assert installed[f"debian/completion/{scripts.FILES['zsh']}"] == "usr/share/zsh/vendor-completions"
    assert " python3-shtab" in (debian / "control").read_text().partition("\n\n")[0]
    assert "packaging/completion/scripts.py debian/completion" in (debian / "rules").read_text()
