"""Configured regular expressions: those for which Python's engine may need long are refused, and trying them is safe."""

from __future__ import annotations

import os
import re
import signal
from ipaddress import ip_address
from typing import Any

import pytest

from rdns_milter.checks.generic import generic
from rdns_milter.config.load import ConfigError, parse
from rdns_milter.config.patterns import timing
from rdns_milter.config.patterns.slow_names import MAX_LABEL, MAX_NAMES, trial_names
from rdns_milter.config.patterns.syntax import has_nested_repeat
from rdns_milter.config.patterns.syntax import parse as parse_pattern
from rdns_milter.net.names import MAX_NAME
from rdns_milter.text.toml import text

ANY = ip_address("192.0.2.1")

# Exponential time, or polynomial time of a high degree, for different reasons.
SLOW = [
    # nested repetitions
    r"^([0-9]+-?)+\.dyn\.",
    r"(a+)+$",
    r"([a-z]+)*[0-9]x",
    r"(x+x+)+y",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(.*)*!",
    r"(\d+)*x",
    r"(\d+?)+?x",
    r"^([a-z0-9-]+)*\.dsl$",
    r"^(?:[0-9]{1,3}-?)+\.pool",
    r"(?:[a-z0-9]+[-.]?)+\.cust\.",
    r"^([^.]+)+\.home$",
    r"^([a-z0-9.-]+)+$",
    r"^(.+)+\.dyn$",
    r"^((ab)*)*c",
    r"((a*)*)*b",
    r"(?:(?:[0-9]+)?-?)*x",
    r"(-*[0-9]*)*dyn",
    # after or inside another element
    r"^dyn-([0-9]+-?)+\.x",
    r"^host(?:-?\d+)+\.isp",
    r"^(?:[a-f0-9]{1,4}[:.-]?)+\.ip6\.",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)-?)+\.dyn\.",
    r"(?=(\w+)+x)y",
    r"(?<![a-z])(\d*)*z",
    r"(?:foo|^(?:[a-z]+[0-9]*)*\.ppp)",
    r"^(\w+)*\1x",
    r"(?x) ^ ( [0-9]+ -? )+ \.dyn",
    # alternatives that match the same text
    r"^(?:a|a)*c",
    r"(a|aa)+$",
    r"(?:a|b|ab)*c",
    r"^(abc|a|bc)*z",
    r"^(?:\d|\d\d|\d\d\d)+\.x",
    r"(.|-)*y$",
    # bounded, but still too slow
    r"(?:a?){30}a{30}",
    r"^(a?){50}$x",
    r"(?:\d{1,3}[.-]?){20}x",
    r"(?:.*-){8}x",
    r".*.*.*.*x",
    r"\d+\d+\d+\d+\d+\d+x",
    # slow even for the empty name
    r"(?:a?|b?){40}x",
]  # fmt: skip

HARMLESS = [
    r'^adsl\d+\."x"',
    r"Foo",
    r"^ap[0-9]+\.",
    r"^([0-9]{1,3}-){3}[0-9]{1,3}\.",
    r"([0-9]{1,3}[-.]){4}dyn",
    r"^(?:[0-9]+-)+dyn\.",
    r"\.dyn(amic)?\.",
    r"^[a-z]+[0-9]+[a-z]+\.",
    r"(?:dsl|cable|ppp|pool)[0-9-]*\.",
    r"^ip[0-9]+(-[0-9]+)*\.",
    r"^[0-9a-f]{8}\.",
    r"\bdhcp\b",
    r"^(?:\d+\.)+rev\.",
    r"[0-9]+-[0-9]+-[0-9]+-[0-9]+",
    r"^host-[^.]+\.example\.com$",
    r".*\.dyn\..*",
    r"^.*[0-9]+\.dynamic\.example$",
    r"(?:^|[.-])(?:dyn|dsl|pool)[0-9]*(?:$|[.-])",
    r"^(?=.*\d).*dialup",
    r"[0-9]{6,}",
    r"^(?:[a-z0-9-]+\.)+pool\.example$",
    r"^[0-9]+[.-].*dsl",
    r"(\d{1,3})-\1-\1",
    r"^(?:[0-9]++-?)+\.dyn",
    r"(?>[0-9]+-?)+\.dyn",
    r"(a)?(?(1)b|c)",
    r"[^a-z.-]{5}(?!x)",
    r"a",
]


def document(*patterns: str) -> str:
    return f"[generic]\npatterns = [\n{''.join(f'  {text(pattern)},{chr(10)}' for pattern in patterns)}]\n"


def config_errors(*patterns: str) -> list[tuple[int, str, str]]:
    """Return line, key and message of each error."""
    with pytest.raises(ConfigError) as caught:
        parse(document(*patterns), "c.toml")
    return [(error.line, error.key, error.message) for error in caught.value.errors]


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_patterns_are_refused(pattern: str) -> None:
    ((line, key, message),) = config_errors("^x", pattern)
    assert (line, key) == (4, "generic.patterns")
    assert re.search(
        r'^".*" takes more than 10 ms for (names that repeat "[a-z0-9._-]+"|the empty name): avoid', message
    )


@pytest.mark.parametrize("pattern", HARMLESS)
def test_harmless_patterns_are_accepted(pattern: str) -> None:
    assert [each.pattern for each in parse(document(pattern), "c.toml").generic.patterns] == [pattern]


def test_all_harmless_patterns_together() -> None:
    assert len(parse(document(*HARMLESS * 3), "c.toml").generic.patterns) == 3 * len(HARMLESS)


def test_up_to_ten_slow_patterns_are_reported() -> None:
    assert [line for line, _, _ in config_errors("a", SLOW[0], "b", SLOW[1], "c", "d*")] == [4, 6, 8]
    assert len(config_errors(*SLOW[:12])) == 10


def test_errors_that_need_no_trial() -> None:
    assert config_errors(*["x"] * 101) == [(2, "generic.patterns", "has 101 patterns; the maximum is 100")]
    ((line, _, message),) = config_errors("x", "(" * 45 + "a" + ")" * 45)
    assert line == 4
    assert message.endswith("has groups nested more than 40 deep")


def test_patterns_that_are_too_slow_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "MAX_TOTAL_MS", 0)
    ((line, key, message),) = config_errors(*["[0-9]+-[0-9]+.*x"] * 20)
    assert (line, key) == (2, "generic.patterns")
    assert re.match(r"all patterns together may take \d+ ms for one name; the maximum is 0", message)


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    before = os.listdir("/proc/self/fd")
    message = "cannot start a process to try the patterns: Resource temporarily unavailable"
    assert config_errors("x") == [(2, "generic.patterns", message)]
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_child_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child waits for a signal, as if the machine had no CPU time left for it."""
    children: list[int] = []
    fork = os.fork

    def counted() -> int:
        pid = fork()
        children.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", counted)
    monkeypatch.setattr(timing, "_TIMEOUT", 0.2)
    monkeypatch.setattr(timing, "_try", lambda *_: signal.pause())
    assert config_errors("x")[0][2] == '"x" could not be tried within 0 s'
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], os.WNOHANG)


@pytest.mark.parametrize("pattern", [*SLOW, *HARMLESS, "a?" * 250, "(a+|b?)*" * 60])
def test_trial_names_have_the_length_of_names(pattern: str) -> None:
    names = trial_names(re.compile(pattern, re.IGNORECASE | re.ASCII))
    assert 50 < len(names) <= MAX_NAMES
    assert names == trial_names(re.compile(pattern, re.IGNORECASE | re.ASCII))
    assert max(len(name.text) for name in names) <= MAX_NAME
    assert max(len(label) for name in names for label in name.text.split(".")) <= MAX_LABEL + 1  # with the tail


class Seen:
    """Record the names to match, in place of a pattern."""

    pattern = "seen"

    def __init__(self) -> None:
        self.names: list[str] = []

    def search(self, name: str) -> None:
        self.names.append(name)


def test_only_names_of_that_length_are_matched() -> None:
    """Longer text in a PTR answer or in an old log is not a host name, and is not matched."""
    seen: Any = Seen()
    label, fits = "1" * 63, ".".join(["1" * 63] * 3 + ["a" * 61])
    assert len(fits) == 253
    for name in (fits, f"{label}1.example", f"{fits}a", "1" * 253, "1" * 10_000, "a b.example", "1.2"):
        generic(name, ANY, (seen,))
    assert seen.names == [fits]


@pytest.mark.parametrize(
    ("pattern", "nested"),
    [
        ("(a+)+", True), ("(a*b?)*", True), ("(?:[0-9]+-)+x", True), ("(a{2,}b)+?", True), ("(?:x(?:[0-9]{1,3}|y))+", True),
        ("(?=(?:a+b)*)c", True), ("(a|(b(c+)d)*)", True), ("(?:(?:a+)+)?+", True), ("(?:(?>(?:a+b)+)c)d", True),
        ("a+b+", False), ("(a?b)+", False), ("([0-9]{1,3}-){4}", False), ("([0-9]{3}-)+", False), ("(a++b)+", False),
        ("((?>a+)b)+", False), (r"(\+a)+\+", False), ("[+*]+", False), ("((a)b)c", False),
    ],
)  # fmt: skip
def test_nested_repetitions(pattern: str, nested: bool) -> None:
    assert has_nested_repeat(parse_pattern(re.compile(pattern))) == nested
