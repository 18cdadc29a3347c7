"""Name the section of the documentation that helps with an alarm or with a failed health check.

Tests only whether the page is installed: packages install the pages, pip does not. Must never raise.

packaging/doc/log.md (Alarms), packaging/doc/metrics.md (Health check).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .alarms import CLOCK_JUMPED, CROWDED_OUT, FACTS_LATE, LIST_REFUSED

DIRECTORY = "/usr/share/doc/rdns-milter"
UNHEALTHY = "unhealthy"


class Section(NamedTuple):
    """A section of a page: the file's name, and the heading."""

    page: str
    heading: str


_HIDDEN_CLIENTS = Section("cookbook.md", "Behind HAProxy or a relay")
_FLOODS = Section("metrics.md", "Floods")
# By the alarm's name, and for the health check.
SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "all-exempt": _HIDDEN_CLIENTS,
        "one-address": _HIDDEN_CLIENTS,
        "no-reverse-names": Section("failures.md", "DNS"),
        "no-greetings": Section("README.md", "Postfix"),
        "relays-name-no-client": Section("rules.md", "Relays"),
        "translated-clients": Section("README.md", "Install"),
        CLOCK_JUMPED: Section("log.md", "Alarms"),
        CROWDED_OUT: _FLOODS,
        FACTS_LATE: _FLOODS,
        LIST_REFUSED: Section("rules.md", "DNS lists"),
        UNHEALTHY: Section("cookbook.md", "If mail stops"),
    }
)


def with_help(name: str, text: str, directory: str = DIRECTORY) -> str:
    """Return the text, followed by the section that helps: with the path of its page if that is installed, else with the page's
    name."""
    section = SECTIONS.get(name)
    if section is None:
        return text
    path = os.path.join(directory, section.page)
    return f'{text}; see {path if os.path.exists(path) else section.page}, "{section.heading}"'
