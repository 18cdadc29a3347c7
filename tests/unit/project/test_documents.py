"""The documents link to each other, in the repository and as installed, and README.md stays short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.data import documents

ROOT = documents.ROOT
INSTALL = ROOT / "packaging" / "doc" / "install.py"
MAX_README = 320  # lines
# Files of these kinds may cite a document, in a comment, a docstring or a text.
TEXTS = (
    "*.py",
    "*.sh",
    "*.md",
    "*.cfg",
    "*.toml",
    "*.yml",
    "*.yaml",
    "*.txt",
    "*.spec",
    "*.service",
    "*.socket",
    "*.cf",
)
PLACES = (ROOT, ROOT / "packaging", ROOT / "packaging" / "doc")
FOLDERS = ("rdns_milter", "tests", "packaging", "etc", ".ci")
_DOCUMENT = re.compile(r"(?<![\w./-])[.\w][\w./-]*\.md\b")
INSTALLED_NAME = "packaging.md"  # of packaging/README.md
# Documents that people of the project have elsewhere, named without their ending.
_ELSEWHERE = re.compile(r"\b(?:PLAT" + "FORM|DES" + "IGN|ARCHIT" + "ECTURE)\\b(?!_)")
_SECTION = re.compile(r"platform\.md (\d(?:\.\d+)?)(?: (?:and|to) (\d\.\d+))?")


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
        [INSTALLED_NAME if path == ROOT / "packaging" / "README.md" else path.name for path in documents.DOCUMENTS]
    )
    assert broken(tmp_path) == []
    text = "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    assert "examples/sendmail/sendmail.mc" in text
    assert "packaging/examples" not in text


def texts() -> list[Path]:
    """The files that may cite a document."""
    files = [path for pattern in TEXTS for path in ROOT.glob(pattern)]
    return sorted(files + [path for folder in FOLDERS for pattern in TEXTS for path in (ROOT / folder).rglob(pattern)])


def missing(text: str, place: Path) -> list[str]:
    """Return the documents that a text cites and that are not in the repository. `place`: the directory of the file."""
    cited = [name for name in _DOCUMENT.findall(text) if name != INSTALLED_NAME]
    wrong = [name for name in cited if not any((base / name).is_file() for base in (place, *PLACES))]
    return wrong + _ELSEWHERE.findall(text)


def test_only_documents_of_the_repository_are_cited() -> None:
    found = {
        str(path.relative_to(ROOT)): missing(path.read_text("utf-8"), path.parent)
        for path in texts()
        if path != Path(__file__)
    }
    assert len(found) > 400
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_citations_are_checked() -> None:
    assert missing("See rules.md and packaging/doc/log.md (README.md), test_md.", ROOT / "tests") == []
    assert missing("See nothing.md and DES" + "IGN section 4.", ROOT) == ["nothing.md", "DES" + "IGN"]


def test_sections_of_the_platform_page_that_are_cited_exist() -> None:
    page = (ROOT / "packaging" / "doc" / "platform.md").read_text("utf-8")
    headings = re.findall(r"^#{2,3} (\d(?:\.\d+)?)\.? ", page, re.MULTILINE)
    cited = {
        section for path in texts() for pair in _SECTION.findall(path.read_text("utf-8")) for section in pair if section
    }
    assert len(cited) >= 8
    assert cited <= set(headings)


def test_every_module_that_a_document_runs_is_there() -> None:
    for page in documents.DOCUMENTS:
        for module in re.findall(r"`python3? -m (tests[\w.]*)", page.read_text("utf-8")):
            path = documents.ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{page.name}: {module}"
