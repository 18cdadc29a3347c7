"""Copies the documentation into one directory, for packages: python3 packaging/doc/install.py DIRECTORY

README.md, NEWS.md, SECURITY.md and the pages of this directory lie side by side there, beside the directory examples, which the
caller fills. Links and paths in the text are changed accordingly; nothing else is. Needs only Python.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGING = HERE.parent
# The name of packaging/README.md there: README.md is the first page.
PACKAGES = "packaging.md"
SOURCES = {
    PACKAGING.parent / "README.md": "README.md",
    PACKAGING.parent / "NEWS.md": "NEWS.md",
    PACKAGING / "README.md": PACKAGES,
    PACKAGING / "SECURITY.md": "SECURITY.md",
    **{page: page.name for page in sorted(HERE.glob("*.md"))},
}
# Where a package installs these directories.
DIRECTORIES = {"examples": "examples", "prometheus": "examples/prometheus", "grafana": "examples/grafana"}
_LINK = re.compile(r"\]\(([^()#\s]+)(#[^()\s]*)?\)")
_PATH = re.compile(rf"\bpackaging/({'|'.join(DIRECTORIES)})\b")


def installed(source: Path) -> str:
    """Return the text of a document with its links and paths as they are in the directory."""

    def target(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        name = SOURCES.get((source.parent / path).resolve())
        return f"]({name or path}{anchor})"

    text = _LINK.sub(target, source.read_text("utf-8"))
    return _PATH.sub(lambda match: DIRECTORIES[match[1]], text)


def main(arguments: list[str]) -> int:
    """Copy them. Return the exit status."""
    if len(arguments) != 1:
        print((__doc__ or "").splitlines()[0], file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for source, name in SOURCES.items():
        (directory / name).write_text(installed(source), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
