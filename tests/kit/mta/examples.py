"""The files of packaging/examples for tests: unchanged but for addresses, ports and paths.

text = changed("fleet/haproxy.cfg", {"127.0.0.1:8895": "127.0.0.1:4711"})
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parents[3] / "packaging" / "examples"
_SETTING = re.compile(r"^([a-z][a-z0-9_]*) = (.*)$", re.MULTILINE)


def text(name: str) -> str:
    """Return the file's text."""
    return (DIRECTORY / name).read_text("utf-8")


def changed(name: str, changes: Mapping[str, str]) -> str:
    """Return the file with each of these texts replaced; AssertionError for one that it does not contain."""
    content = text(name)
    for old, new in changes.items():
        assert old in content, f"{name} has no {old!r}"
        content = content.replace(old, new)
    return content


def settings(name: str) -> dict[str, Any]:
    """Return names and values of a main.cf."""
    return dict(_SETTING.findall(text(name)))


def comments(name: str) -> str:
    """Return the file's comments as one line."""
    return " ".join(line.lstrip("# ") for line in text(name).splitlines() if line.lstrip().startswith("#"))
