"""The limits in packaging/SECURITY.md are those of the code, and what it names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.monitoring.metric_definitions import PREFIX, SERIES
from tests.kit.data import documents

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "packaging" / "SECURITY.md").read_text("utf-8")
OPTIONS = {f"{section}.{one.key}": one for section, kind in SECTIONS.items() for one in options_of(kind).values()}
ROWS = re.findall(r"^\| (.+) \| (\d+) \| `([\w.]+)` \|$", PAGE, re.MULTILINE)


def constant(name: str) -> object:
    """Return the value of `module.NAME`, or the default of an option."""
    if name in OPTIONS:
        return OPTIONS[name].default
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"rdns_milter.{module}"), attribute)


def test_the_numbers_are_those_of_the_code() -> None:
    tables = [text.partition("\n\n")[0] for text in PAGE.split("| limit |")[1:]]
    assert len(ROWS) == sum(text.count("\n| ") for text in tables) >= 60
    assert {name: int(number) for _, number, name in ROWS} == {name: constant(name) for _, _, name in ROWS}


def test_all_else_that_is_named_exists() -> None:
    for name, number in re.findall(r"`([a-z_.]+\.[A-Z_]+)` \((\d+)\)", PAGE):
        assert constant(name) == int(number)
    named = re.findall(rf"`((?:{'|'.join(SECTIONS)})\.[a-z_]+)`", PAGE)
    assert {"milter.user", "milter.socket_mode", "dns.nameservers", "metrics.listen"} <= set(named) <= set(OPTIONS)
    for path in re.findall(r"`((?:packaging|etc)/[\w./-]+|NEWS\.md)`", PAGE):
        assert (ROOT / path).exists(), path
    for name in re.findall(rf"`{PREFIX}(\w+)`", PAGE):
        assert name in SERIES


def test_readme_leads_there() -> None:
    assert "(packaging/SECURITY.md)" in documents.text()


def test_no_text_of_a_client_is_a_label() -> None:
    """The page promises this to those who open the metrics to others."""
    labels = {label for series in SERIES.values() for label in series.labels}
    assert labels <= {
        *("action", "rule", "fact", "value", "stage", "type", "outcome", "server", "alarm"),
        *("digest", "mode", "version"),
    }
