"""The order of imports: which package may import which. Read from the sources with `ast`; nothing is imported."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[3] / "rdns_milter"

# A package imports only from those before it. Inside a package a module imports only from those before it, so that there are no
# cycles. A new module is added here first.
LADDER: dict[str, tuple[str, ...]] = {
    "text": (
        "compact_set",
        "escape",
        "exit_status",
        "input_file",
        "numbers",
        "output_file",
        "standard_streams",
        "terminal",
        "toml",
        "toml_positions",
    ),
    "net": (
        "public_suffixes",
        "names",
        "alignment",
        "endpoints",
        "accepted_connections",
        "listener",
        "listener_gate",
        "mailboxes",
        "nat64",
        "networks",
        "received_field",
        "relay_path",
        "rewritten_senders",
        "socket_activation",
    ),
    "resolver": (
        "admission.fair_queue",
        "admission.silent_zones",
        "admission.requester",
        "admission.shares",
        "lookup",
        "limits",
        "events",
        "instant_lookup",
        "nameservers",
        "negative_answer",
        "reading",
        "cache",
        "plain_answer",
        "wire",
        "transport.socket_calls",
        "transport.timers",
        "transport.sockets",
        "query",
        "servers.health",
        "servers.pool",
        "resolver",
        "bounded_lookup",
    ),
    "checks": (
        "evidence",
        "dns_list",
        "generic_words",
        "generic_numbers",
        "generic",
        "helo",
        "iprev",
        "spf_macros",
        "spf_record",
        "spf_address_matcher",
        "spf_prefetch",
        "spf_answers",
        "spf_evaluation",
        "spf",
    ),
    "policy": (
        "rules",
        "decide",
        "digest",
        "reachability",
        "overlap",
        "single_faults",
    ),
    "responses": (
        "advice",
        "encoded_words",
        "forged_results",
        "fact_sentences",
        "headers",
        "incoming_fields",
        "replies",
    ),
    "logs": (
        "escapes",
        "docker_json",
        "journal_export",
        "files",
        "line_prefix",
        "truncation",
        "decision_keys",
        "decision_line",
        "logged_evidence",
        "mta_log_lines",
        "mta_deliveries",
        "output",
        "timestamps",
        "default_logs",
    ),
    "config": (
        "errors",
        "hints.did_you_mean",
        "option_types",
        "patterns.syntax",
        "patterns.slow_names",
        "patterns.timing",
        "hints.date_hints",
        "hints.toml_hints",
        "hints.value_hints",
        "value_parsers",
        "set_collectors",
        "condition_types",
        "list_files",
        "sections.dns",
        "sections.exempt",
        "sections.generic",
        "sections.headers",
        "sections.log",
        "sections.metrics",
        "sections.milter",
        "sections.relays",
        "sections.spf",
        "options",
        "sections.dns_lists",
        "option_reader",
        "rule_reader",
        "rule_source",
        "sample",
        "load",
        "show",
        "lint_checks.spf_reach",
        "lint_checks.wide_providers",
        "lint_checks.option_values",
        "lint_checks.relay_networks",
        "lint_checks.name_scope",
        "lint_checks.rule_effect",
        "lint_checks.rfc_violations",
        "lint_checks.unconfirmed_claims",
        "lint",
    ),
    "session": (
        "latch",
        "check_runner",
        "asked_sources",
        "exemption",
        "receiver",
        "client",
        "costs",
        "dns_thread",
        "modifications",
        "recipients",
        "message",
        "service",
        "session",
        "warmup",
    ),
    "monitoring": (
        "alarms",
        "help_pages",
        "metric_definitions",
        "shared_memory",
        "exposition",
        "healthcheck",
        "http",
        "top_k",
        "congestion",
        "counters",
        "parent_counters",
    ),
    "analysis": (
        "evaluator",
        "progress",
        "replay",
        "forecast",
        "replay_text",
        "forecast_text",
        "report",
        "report_summary",
        "report_text",
        "svg",
        "report_html",
        "why.decision_filter",
        "why.search",
        "why.let_in_rule",
        "why.explanation",
        "why.text_for_sender",
        "why.output",
    ),
    "daemon": (
        "quick_acks",
        "callbacks",
        "configuration.shared_config",
        "configuration.config_reader",
        "resources.cgroups",
        "resources.cpus",
        "resources.memory",
        "resources.thread_limits",
        "nameserver_reports",
        "pool_waker",
        "lost_connections",
        "privileges",
        "restart_delay",
        "exporter",
        "sd_notify",
        "worker",
        "worker_pool",
        "master",
    ),
    "doctor": (
        "finding",
        "host",
        "own_addresses",
        "remedies",
        "nameserver_probe",
        "postfix_settings",
        "checks.clock_check",
        "checks.config_check",
        "checks.log_check",
        "checks.metrics_check",
        "checks.nameserver_check",
        "checks.postfix_check",
        "checks.sendmail_check",
        "checks.service_check",
        "checks.socket_check",
        "examination",
        "mta_identity",
        "receivers",
    ),
    "cli": (
        "check.check_session",
        "check.check_text",
        "check.self_check",
        "common",
        "provider_lookup",
        "check_command",
        "config_command",
        "report_mail",
        "replay_command",
        "forecast_command",
        "report_command",
        "why_command",
        "doctor_command",
        "run_command",
        "main",
    ),
}

FOLDERS = (
    "resolver.admission",
    "resolver.servers",
    "resolver.transport",
    "analysis.why",
    "cli.check",
    "config.hints",
    "config.lint_checks",
    "config.patterns",
    "config.sections",
    "daemon.configuration",
    "daemon.resources",
    "doctor.checks",
)
ORDER = {
    name: place
    for place, name in enumerate(
        ["__init__"]
        + [f"{package}.__init__" for package in (*LADDER, *FOLDERS)]
        + [f"{package}.{module}" for package, modules in LADDER.items() for module in modules]
        + ["__main__"]
    )
}

# These do no I/O, read no clock and start no thread: their results depend on their arguments alone.
PURE_PACKAGES = ("checks", "policy", "responses")
PURE = {name for name in ORDER if name.split(".")[0] in PURE_PACKAGES} | {
    "text.escape", "text.toml", "text.numbers", "net.names", "net.alignment", "net.networks", "net.endpoints", "net.received_field",
    "net.relay_path", "net.rewritten_senders", "resolver.lookup",
}  # fmt: skip
WORLD = frozenset(
    ("socket", "time", "threading", "logging", "asyncio", "concurrent", "multiprocessing", "select", "selectors", "signal",
     "ssl", "subprocess", "random", "secrets")
)  # fmt: skip
CLOCKS = frozenset(("now", "today", "utcnow", "fromtimestamp"))

# Third-party packages, and the only modules that may import them.
OWNERS = {
    "idna": {"net.names"},
    "publicsuffix2": {"net.public_suffixes"},
    "publicsuffixlist": {"net.public_suffixes"},
    "spf": {"checks.spf_evaluation"},
    "dns": {"resolver.wire", "doctor.nameserver_probe"},
    "milter": {"daemon.callbacks"},
    "prometheus_client": {"monitoring.exposition"},
    "rich": {
        "text.terminal", "analysis.progress", "analysis.replay_text", "analysis.report_text", "analysis.forecast_text",
        "analysis.why.output", "cli.check.check_text", "cli.check.self_check", "cli.check_command", "cli.why_command",
        "cli.doctor_command", "cli.replay_command", "cli.forecast_command", "cli.report_command",
    },
}  # fmt: skip

MAX_MODULES = 14
MAX_LINES = 350


def sources() -> dict[str, ast.Module]:
    """Return the syntax tree of every module, by its name below the package."""
    return {
        ".".join(path.relative_to(HOUSE).with_suffix("").parts): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted(HOUSE.rglob("*.py"))
    }


SOURCES = sources()


def test_each_folder_is_a_package() -> None:
    """A folder without `__init__.py` can be imported here, but is not installed."""
    assert {path.parent for path in HOUSE.rglob("*.py")} == {path.parent for path in HOUSE.rglob("__init__.py")}


def imports(module: str) -> Iterator[str]:
    """Yield the full names of the modules that it imports, anywhere in it: "socket", "rdns_milter.net.names"."""
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
    """Return the modules of this package that it imports."""
    names = (
        name.removeprefix("rdns_milter").lstrip(".") for name in imports(module) if name.split(".")[0] == "rdns_milter"
    )
    return {name if name in SOURCES else f"{name}.__init__".lstrip(".") for name in names}


def outer_imports(module: str) -> set[str]:
    """Return the top-level packages of others that it imports."""
    return {name.split(".")[0] for name in imports(module)} - {"rdns_milter", "__future__"}


def test_there_are_14_packages_and_every_module_has_its_place() -> None:
    assert len(LADDER) == 14
    assert ORDER.keys() == SOURCES.keys(), "a module is not in LADDER, or does not exist any more"


@pytest.mark.parametrize("module", sorted(ORDER.keys() & SOURCES.keys()))
def test_a_module_imports_from_those_before_it_only(module: str) -> None:
    wrong = {name for name in inner_imports(module) if ORDER[name] >= ORDER[module]}
    assert not wrong, f"{module} must not import {sorted(wrong)}"


def test_no_folder_and_no_file_is_too_large() -> None:
    folders = Counter(path.parent for path in HOUSE.rglob("*.py") if path.name != "__init__.py")
    assert {path: count for path, count in folders.items() if count > MAX_MODULES} == {}
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in HOUSE.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("module", sorted(PURE & SOURCES.keys()))
def test_pure_modules_do_no_io(module: str) -> None:
    assert not outer_imports(module) & WORLD
    clocks = {node.attr for node in ast.walk(SOURCES[module]) if isinstance(node, ast.Attribute)} & CLOCKS
    assert not clocks, f"{module} asks what time it is"


@pytest.mark.parametrize("module", SOURCES)
def test_third_party_packages_are_imported_by_their_owners_only(module: str) -> None:
    foreign = outer_imports(module) - sys.stdlib_module_names
    assert foreign <= OWNERS.keys(), "a new dependency: who owns it?"
    assert {package for package in foreign if module not in OWNERS[package]} == set()


def test_owners_use_what_they_own() -> None:
    assert [
        package for package in OWNERS if not any(package in outer_imports(owner) for owner in OWNERS[package])
    ] == []


def test_the_reader_of_imports_sees_them_all() -> None:
    assert inner_imports("net.networks") == {"net.names"}
    assert {"session.client", "session.session", "checks.evidence"} - inner_imports("session.session") == {
        "session.session"
    }
    assert outer_imports("net.names") >= {"idna", "re"}
    assert inner_imports("checks.generic") >= {"checks.generic_words", "checks.evidence"}
    assert "__init__" in inner_imports("daemon.master")
