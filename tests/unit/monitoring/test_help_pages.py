"""Each alarm, and the failed health check, name a section of the documentation that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rdns_milter.monitoring.alarms import MEANINGS
from rdns_milter.monitoring.help_pages import DIRECTORY, SECTIONS, UNHEALTHY, with_help
from tests.kit.data import documents

DOC = documents.ROOT / "packaging" / "doc"


def test_everything_has_a_page() -> None:
    assert set(SECTIONS) == {*MEANINGS, UNHEALTHY}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_section_exists(name: str) -> None:
    page, heading = SECTIONS[name]
    path = documents.ROOT / page if page == "README.md" else DOC / page
    assert re.search(rf"^##+ {re.escape(heading)}$", path.read_text("utf-8"), re.MULTILINE)


def test_the_path_is_named_if_the_page_is_installed(tmp_path: Path) -> None:
    assert with_help("no-reverse-names", "text", str(tmp_path)) == 'text; see failures.md, "DNS"'
    (tmp_path / "failures.md").write_text("")
    assert with_help("no-reverse-names", "text", str(tmp_path)) == f'text; see {tmp_path}/failures.md, "DNS"'
    assert with_help("no such alarm", "text", str(tmp_path)) == "text"


def test_packages_install_the_pages_there() -> None:
    name = DIRECTORY.rpartition("/")[2]
    assert "debian/doc/*" in (documents.ROOT / "packaging/debian/rdns-milter.docs").read_text()
    assert f"Package: {name}\n" in (documents.ROOT / "packaging/debian/control").read_text()
