"""`config --lint`: names that match less than was probably meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rdns_milter.config.lint import lint
from rdns_milter.config.load import parse
from rdns_milter.text.toml_positions import Positions


def warnings(condition: str, path: str = "c.toml", options: str = "") -> list[str]:
    found = []
    for where in ("when", "unless"):
        document = f'{options}[[rule]]\nname = "x"\naction = "tag"\n{where} = {{ {condition} }}\n'
        texts = [
            f"{warning.line - options.count(chr(10))}: {warning.text}"
            for warning in lint(parse(document, path), date(2026, 11, 29), Positions(document))
            if " matches " in warning.text
        ]
        assert all(text.startswith("4: ") for text in texts)
        found.append(texts)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("condition", ["ptr", "helo_name"])
@pytest.mark.parametrize("name", ["good.example", "good.co.uk", "b\u00fccher.example"])
def test_a_domain_without_its_hosts(condition: str, name: str) -> None:
    (warning,) = warnings(f'{condition} = ["mx.other.example", "{name}"]')
    alabel = name.encode("idna").decode()
    assert f'{condition} = "{alabel}" matches this one name, not mail.{alabel};' in warning
    assert f'".{alabel}"' in warning


@pytest.mark.parametrize("condition", ["mailfrom", "rcpt"])
def test_a_suffix_without_its_domain(condition: str) -> None:
    (warning,) = warnings(f'{condition} = ".good.example"')
    assert "not those in good.example itself" in warning
    assert '["good.example", ".good.example"]' in warning


@pytest.mark.parametrize(
    "condition",
    [
        'ptr = "mail.good.example"',
        'ptr = ".good.example"',
        'ptr = ["good.example", ".good.example"]',
        'ptr = ["good.co.uk", ".co.uk"]',
        'ptr = "localhost"',
        'helo_name = "[192.0.2.1]"',
        'helo_name = "192.0.2.1"',
        'mailfrom = "good.example"',
        'mailfrom = ["good.example", ".good.example"]',
        'mailfrom = ".news.good.example"',
        'mailfrom = ".co.uk"',
        'rcpt = ["anna@good.example", "anna@"]',
    ],
)
def test_no_warning(condition: str) -> None:
    assert warnings(condition) == []


def test_lists_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("mx.a.example\ngood.example\n")
    lists = '[lists]\nhosts = "hosts"\n'
    assert '"good.example"' in warnings('ptr = "@hosts"', str(tmp_path / "c.toml"), lists)[0]
    assert warnings('ptr = ["@hosts", ".good.example"]', str(tmp_path / "c.toml"), lists) == []
