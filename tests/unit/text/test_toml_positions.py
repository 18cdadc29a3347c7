"""The lines of keys, in every notation of TOML."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter.config.sample import sample
from rdns_milter.text.toml_positions import Path, Positions

DOCUMENT = '''# comment with [table] and key = "value"
top = 1
"quo\\u0074ed key" . 'b.c' = 2   # a comment
[milter]  # x
socket = "inet:8895@127.0.0.1" # [[rule]]
  text = """
[not.a.table]
x = 1 \\""" # still inside
"""
literal = \'\'\'
'' ] } \'\'\'
after = 1979-05-27 07:32:00

[ dns . "sub.table" ]
a.b = 1
a.c = { d = 1, "e" = [ 1, { f = "}" } ] }

[exempt]
networks = [
  "10.0.0.0/8", # ] not the end
  # "commented"
  """::1
""", "fe80::/10",
  [ 1,
    2 ],
]
empty = []
none = {}

[[rule]]
name = "one"
when = { iprev = ["fail", "permerror"], client = "@x" }
[rule.unless]
helo = "pass"
[[rule]]
name = "two"
when.iprev = "pass"
when.helo = "fail"
[[rule.sub]]
a = 1
[[rule.sub]]
a = 2
'''

LINES: list[tuple[Path, int]] = [
    (("top",), 2),
    (("quoted key", "b.c"), 3),
    (("milter",), 4),
    (("milter", "socket"), 5),
    (("milter", "text"), 6),
    (("milter", "literal"), 10),
    (("milter", "after"), 12),
    (("dns",), 14),
    (("dns", "sub.table"), 14),
    (("dns", "sub.table", "a", "b"), 15),
    (("dns", "sub.table", "a", "c", "e", 1, "f"), 16),
    (("exempt", "networks"), 19),
    (("exempt", "networks", 0), 20),
    (("exempt", "networks", 1), 22),
    (("exempt", "networks", 2), 23),
    (("exempt", "networks", 3), 24),
    (("exempt", "networks", 3, 1), 25),
    (("exempt", "empty"), 27),
    (("exempt", "none"), 28),
    (("rule", 0), 30),
    (("rule", 0, "name"), 31),
    (("rule", 0, "when", "iprev", 1), 32),
    (("rule", 0, "when", "client"), 32),
    (("rule", 0, "unless"), 33),
    (("rule", 0, "unless", "helo"), 34),
    (("rule", 1), 35),
    (("rule", 1, "when"), 37),
    (("rule", 1, "when", "helo"), 38),
    (("rule", 1, "sub", 0, "a"), 40),
    (("rule", 1, "sub", 1), 41),
    # a missing key has the line of the table around it
    (("rule", 1, "sub", 1, "zzz"), 41),
    (("milter", "zzz"), 4),
    (("zzz",), 0),
    ((), 0),
]


@pytest.mark.parametrize(("path", "line"), LINES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line(path: Path, line: int, newline: str) -> None:
    text = DOCUMENT.replace("\n", newline)
    tomllib.loads(text)
    assert Positions(text).line(path) == line


def keys(value: Any, path: Path = ()) -> list[Path]:
    """Return the paths of all keys and list items of a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in pairs for found in ((*path, key), *keys(item, (*path, key)))]


def test_every_key_of_the_sample_has_its_own_line() -> None:
    lines = sample().split("\n")
    positions = Positions(sample())
    paths = keys(tomllib.loads(sample()))
    assert len(paths) > 80
    for path in paths:
        line = lines[positions.line(path) - 1]
        assert not line.startswith("#")
        assert (f"[[{path[0]}]]" if len(path) == 2 and path[0] == "rule" else str(path[-1])) in line or isinstance(
            path[-1], int
        )


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab.[]{}=",\'#\n \\1-"', max_size=60))
def test_every_key_of_any_document_has_a_line(text: str) -> None:
    positions = Positions(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for path in keys(document):
        assert 1 <= positions.line(path) <= text.count("\n") + 1


def test_keys_nested_too_deeply_have_the_line_around_them() -> None:
    assert Positions("a = " + "[" * 5000).line(("a", 0)) == 1
    assert Positions("a = 1\nb = " + "[" * 60 + "]" * 60 + "\nc = 1\n").line(("b",)) == 2
