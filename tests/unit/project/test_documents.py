"""The documents link to each other, in the repository and as installed, and README.md stays short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.data import documents

ROOT = documents.ROOT
INSTALL = ROOT / "packaging" / "doc" / "install.py"
MAX_README = 320  # lines


def broken(directory: Path) -> list[str]:
    """Return the links in the documents of a directory that lead to no file, or to no heading of it."""
    found = []
    for document in sorted(directory.rglob("*.md")):
        for link in documents.links(document.read_text("utf-8")):
            path, _, anchor = link.partition("#")
            target = (document.parent / path) if path else document
            if not target.exists() or (anchor and anchor not in documents.anchors(target.read_text("utf-8"))):
                found.append(f"{document.name}: {link}")
    return found


def copied(to: Path) -> Path:
    """A copy of the repository's documents, without the rest of it."""
    for document in documents.DOCUMENTS:
        copy = to / document.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(document.read_bytes())
    return to


def test_readme_is_short() -> None:
    assert len(documents.README.read_text("utf-8").splitlines()) <= MAX_README


def test_links_lead_to_documents_and_headings(tmp_path: Path) -> None:
    """To documents only: those are installed."""
    assert broken(copied(tmp_path)) == []


def test_links_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One\n[b](b.md) [c](#two) [d](a.md#one) [e](https://example.com/x)\n```sh\n[f](g)\n```\n"
    )
    assert broken(tmp_path) == ["a.md: b.md", "a.md: #two"]


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_readme_leads_to_every_page(page: Path) -> None:
    assert f"(packaging/doc/{page.name})" in documents.README.read_text("utf-8")


def test_installed_side_by_side_the_links_still_lead_there(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(INSTALL), str(tmp_path)], cwd="/", timeout=60, check=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(
        ["packaging.md" if path == documents.DOCUMENTS[2] else path.name for path in documents.DOCUMENTS]
    )
    assert broken(tmp_path) == []
    text = "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    assert "examples/sendmail/sendmail.mc" in text
    assert "packaging/examples" not in text
