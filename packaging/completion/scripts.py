"""Writes the completions of bash and zsh into a directory: python3 packaging/completion/scripts.py DIRECTORY

They are made from the parser of the command line by shtab, which only the build of a package needs. File names are completed
where an argument is a file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import shtab

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rdns_milter.cli.main import parser

# The name of the file by shell, as its completion system looks for it.
FILES = {"bash": "rdns-milter", "zsh": "_rdns-milter"}
_FILE_ARGUMENTS = ("FILE", "LOG", "MAILLOG")


def script(shell: str) -> str:
    """Return the completion script for a shell."""
    top = parser()
    for command in subcommands(top).values():
        for action in command._actions:
            if action.metavar in _FILE_ARGUMENTS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(top, shell=shell)).rstrip("\n") + "\n"


def subcommands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the subcommands by name."""
    (group,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return dict(group.choices)


def main(arguments: list[str]) -> int:
    """Write them. Return the exit status."""
    if len(arguments) != 1:
        print((__doc__ or "").splitlines()[0], file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for shell, name in FILES.items():
        (directory / name).write_text(script(shell), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
