"""The import ladder (ARCHITECTURE.md): who may know whom. Read from the sources with `ast`; nothing is imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "rdns_milter"

# Every module stands on a floor and imports from lower ones only. On its own floor it may import what stands before it in
# its group, so that no two can need each other. A new module belongs here before it may be imported, or import.
FLOORS: tuple[tuple[tuple[str, ...], ...], ...] = (
    # 0: words and numbers
    (
        ("__init__",),
        ("public_suffixes", "names", "nat64", "networks", "mailboxes"),
        ("compact_set",),
        ("tokens",),
        ("toml",),
        ("positions",),
    ),
    # 1: what there is to know
    (("lookup", "evidence", "tally"), ("values",), ("endpoints",), ("mistakes",)),
    # 2: judgement
    (("policy",), ("kinds",)),
    # 3: speech, and what can be set
    (("advice", "replies"), ("encoded_words", "forged", "incoming_fields", "headers"), ("options", "sample")),
    # 4: facts
    (
        ("checks.__init__",),
        ("checks.iprev",),
        ("checks.helo",),
        ("checks.generic_words", "checks.generic_series", "checks.generic"),
        (
            "checks.spf_macro",
            "checks.spf_record",
            "checks.spf_plan",
            "checks.spf_knowledge",
            "checks.spf_evaluation",
            "checks.spf",
        ),
    ),
    # 5: the world outside: files, DNS, logs, numbers
    (
        (
            "textfile",
            "collectors",
            "conditions",
            "contradictions",
            "digest",
            "lists",
            "sections",
            "rules",
            "pattern_syntax",
            "pattern_names",
            "pattern_time",
            "config",
            "blemish",
            "lint",
        ),
        (
            "cache",
            "health",
            "negative_answer",
            "message",
            "channel",
            "fair_queue",
            "silence",
            "asker",
            "flight",
            "resolver",
        ),
        ("nameservers",),
        ("line_prefix", "log_escapes", "log", "journal", "logdate", "logs", "maillog_lines", "maillog"),
        ("sink",),
        ("toplist", "alarms", "congestion", "series", "ledger", "metrics", "books", "exposition", "pulse", "scrape"),
        ("figures", "terminal"),
    ),
    # 6: a connection, or yesterday's
    (
        ("ending", "inquiry", "findings", "engine", "costs", "news", "recipients", "session", "rehearsal"),
        ("judge", "replay", "replay_text", "chart", "report_style", "report", "report_text", "report_html"),
        ("progress",),
        ("shared_config", "config_reader"),
    ),
    # 7: libmilter; yesterday's messages as connections
    (("milter",), ("forecast", "forecast_text")),
    # 8: processes
    (
        (
            "garbage",
            "kicker",
            "listener",
            "activation",
            "notify",
            "privileges",
            "thread_limits",
            "exporter",
            "worker",
            "crew",
            "nameserver_reports",
            "server",
        ),
    ),
    # 9: the command
    (("standard_streams", "output_file", "check", "command", "tuning", "cli", "__main__"),),
)

FLOOR = {module: floor for floor, groups in enumerate(FLOORS) for group in groups for module in group}
BEFORE = {
    module: frozenset(group[:index]) for groups in FLOORS for group in groups for index, module in enumerate(group)
}

# Floors 0 to 3 and the checks know no world: what they say hangs on what they are given, and on nothing else.
PURE = {module for module, floor in FLOOR.items() if floor <= 3 or module.startswith("checks.")}
WORLD = frozenset(
    ("socket", "time", "threading", "logging", "asyncio", "concurrent", "multiprocessing", "select", "selectors", "signal",
     "ssl", "subprocess", "random", "secrets")
)  # fmt: skip
CLOCKS = frozenset(("now", "today", "utcnow", "fromtimestamp"))

# Packages from elsewhere, and the only modules that may know them.
OWNERS = {
    "idna": {"names"},
    "publicsuffix2": {"public_suffixes"},
    "publicsuffixlist": {"public_suffixes"},
    "spf": {"checks.spf_evaluation"},
    "dns": {"message"},
    "Milter": {"milter"},
    "milter": {"milter"},
    "prometheus_client": {"exposition"},
    "rich": {"terminal", "progress", "replay_text", "report_text", "forecast_text", "check", "cli", "tuning"},
}


def sources() -> dict[str, ast.Module]:
    """The syntax tree of every module, by its name below the package."""
    return {
        ".".join(path.relative_to(HOUSE).with_suffix("").parts): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted(HOUSE.rglob("*.py"))
    }


SOURCES = sources()


def imports(module: str) -> Iterator[str]:
    """The full names of the modules that it imports, wherever in it: "socket", "rdns_milter.names"."""
    package = ["rdns_milter", *module.split(".")[:-1]]
    for node in ast.walk(SOURCES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner.removeprefix("rdns_milter.") in SOURCES else base


def inner_imports(module: str) -> set[str]:
    """The modules of ours that it imports."""
    names = (
        name.removeprefix("rdns_milter").lstrip(".") for name in imports(module) if name.split(".")[0] == "rdns_milter"
    )
    return {name if name in SOURCES else f"{name}.__init__".lstrip(".") for name in names}


def outer_imports(module: str) -> set[str]:
    """The top-level packages of others that it imports."""
    return {name.split(".")[0] for name in imports(module)} - {"rdns_milter", "__future__"}


def test_every_module_has_its_floor() -> None:
    assert FLOOR.keys() == SOURCES.keys(), "a module is not in FLOORS, or is no more"
    assert len(FLOOR) == sum(len(group) for groups in FLOORS for group in groups), "a module stands in FLOORS twice"


@pytest.mark.parametrize("module", sorted(FLOOR.keys() & SOURCES.keys()))
def test_a_module_imports_from_lower_floors_only(module: str) -> None:
    known = {name for name, floor in FLOOR.items() if floor < FLOOR[module]} | BEFORE[module]
    wrong = inner_imports(module) - known
    assert not wrong, f"{module} (floor {FLOOR[module]}) must not import {sorted(wrong)}"


@pytest.mark.parametrize("module", sorted(PURE & SOURCES.keys()))
def test_pure_modules_know_no_world(module: str) -> None:
    assert not outer_imports(module) & WORLD
    clocks = {node.attr for node in ast.walk(SOURCES[module]) if isinstance(node, ast.Attribute)} & CLOCKS
    assert not clocks, f"{module} asks what time it is"


@pytest.mark.parametrize("module", SOURCES)
def test_packages_of_others_are_known_to_their_owners_only(module: str) -> None:
    foreign = outer_imports(module) - sys.stdlib_module_names
    assert foreign <= OWNERS.keys(), "a new dependency: who owns it?"
    assert {package for package in foreign if module not in OWNERS[package]} == set()


def test_owners_use_what_they_own() -> None:
    assert {package for package in OWNERS if not any(package in outer_imports(owner) for owner in OWNERS[package])} <= {
        "Milter"
    }


def test_the_reader_of_imports_sees_them_all() -> None:
    assert inner_imports("networks") == {"names"}
    assert {"checks.helo", "session", "evidence"} - inner_imports("session") == {"session"}
    assert outer_imports("names") >= {"idna", "re"}
    assert inner_imports("checks.generic") >= {"checks.generic_words", "evidence"}
    assert "__init__" in inner_imports("server")
