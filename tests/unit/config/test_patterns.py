"""Regular expressions of the administrator: those on which Python's engine may take long are refused, and trying them is safe."""

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

# Exponential or of a high power, each in another way.
SLOW = [
    # a repetition in a repetition
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
    # behind or in something else
    r"^dyn-([0-9]+-?)+\.x",
    r"^host(?:-?\d+)+\.isp",
    r"^(?:[a-f0-9]{1,4}[:.-]?)+\.ip6\.",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)-?)+\.dyn\.",
    r"(?=(\w+)+x)y",
    r"(?<![a-z])(\d*)*z",
    r"(?:foo|^(?:[a-z]+[0-9]*)*\.ppp)",
    r"^(\w+)*\1x",
    r"(?x) ^ ( [0-9]+ -? )+ \.dyn",
    # alternatives that match the same
    r"^(?:a|a)*c",
    r"(a|aa)+$",
    r"(?:a|b|ab)*c",
    r"^(abc|a|bc)*z",
    r"^(?:\d|\d\d|\d\d\d)+\.x",
    r"(.|-)*y$",
    # bounded, and yet too much
    r"(?:a?){30}a{30}",
    r"^(a?){50}$x",
    r"(?:\d{1,3}[.-]?){20}x",
    r"(?:.*-){8}x",
    r".*.*.*.*x",
    r"\d+\d+\d+\d+\d+\d+x",
    # on the empty name already
    r"(?:a?|b?){40}x",
]  # fmt: skip

INNOCENT = [
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


def mistakes(*patterns: str) -> list[tuple[int, str, str]]:
    """Line, key and message of each."""
    with pytest.raises(ConfigError) as caught:
        parse(document(*patterns), "c.toml")
    return [(error.line, error.key, error.message) for error in caught.value.errors]


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_patterns_are_refused(pattern: str) -> None:
    ((line, key, message),) = mistakes("^x", pattern)
    assert (line, key) == (4, "generic.patterns")
    assert re.search(
        r'^".*" takes more than 10 ms on (names that repeat "[a-z0-9._-]+"|the empty name): write it', message
    )


@pytest.mark.parametrize("pattern", INNOCENT)
def test_innocent_patterns_are_taken(pattern: str) -> None:
    assert [each.pattern for each in parse(document(pattern), "c.toml").generic.patterns] == [pattern]


def test_all_innocent_patterns_together() -> None:
    assert len(parse(document(*INNOCENT * 3), "c.toml").generic.patterns) == 3 * len(INNOCENT)


def test_every_slow_pattern_is_named_up_to_ten() -> None:
    assert [line for line, _, _ in mistakes("a", SLOW[0], "b", SLOW[1], "c", "d*")] == [4, 6, 8]
    assert len(mistakes(*SLOW[:12])) == 10


def test_what_can_be_said_of_patterns_without_trying_them() -> None:
    assert mistakes(*["x"] * 101) == [(2, "generic.patterns", "has 101 patterns; 100 are the most")]
    ((line, _, message),) = mistakes("x", "(" * 45 + "a" + ")" * 45)
    assert line == 4
    assert message.endswith("has groups in groups more than 40 deep")


def test_many_patterns_that_are_each_fast_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "MAX_TOTAL_MS", 0)
    ((line, key, message),) = mistakes(*["[0-9]+-[0-9]+.*x"] * 20)
    assert (line, key) == (2, "generic.patterns")
    assert re.match(r"all patterns together take \d+ ms; 0 are the most", message)


def test_no_process_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    before = os.listdir("/proc/self/fd")
    message = "no process can be had to try the patterns in: Resource temporarily unavailable"
    assert mistakes("x") == [(2, "generic.patterns", message)]
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_child_that_gets_no_further_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without CPU time to spare: then it waits for something."""
    children: list[int] = []
    fork = os.fork

    def counted() -> int:
        pid = fork()
        children.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", counted)
    monkeypatch.setattr(timing, "_WAITING", 0.2)
    monkeypatch.setattr(timing, "_try", lambda *_: signal.pause())
    assert mistakes("x")[0][2] == '"x" could not be tried to the end within 0 s'
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], os.WNOHANG)


@pytest.mark.parametrize("pattern", [*SLOW, *INNOCENT, "a?" * 250, "(a+|b?)*" * 60])
def test_names_are_such_as_there_may_be(pattern: str) -> None:
    names = trial_names(re.compile(pattern, re.IGNORECASE | re.ASCII))
    assert 50 < len(names) <= MAX_NAMES
    assert names == trial_names(re.compile(pattern, re.IGNORECASE | re.ASCII))
    assert max(len(name.text) for name in names) <= MAX_NAME
    assert max(len(label) for name in names for label in name.text.split(".")) <= MAX_LABEL + 1  # with the tail


class Seen:
    """In the place of a pattern: keeps what it is to match."""

    pattern = "seen"

    def __init__(self) -> None:
        self.names: list[str] = []

    def search(self, name: str) -> None:
        self.names.append(name)


def test_only_names_of_that_length_are_matched() -> None:
    """What a PTR answer or an old log holds beyond that is no host name, and reaches no pattern."""
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
