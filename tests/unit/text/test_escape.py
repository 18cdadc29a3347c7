"""Untrusted text made safe for header fields, replies, terminals and messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.text.escape import (
    MAX_ESCAPED,
    clipped,
    comment,
    escaped,
    filled,
    folded,
    one_line,
    printable,
    quoted_string,
    value,
)
from tests.kit.data.strategies import hostile_text


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("plain ~", 80, "plain ~"),
        ("a\r\n\t\x00\x7f\u00fc\udc80b", 80, "a???????b"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc..."),
    ],
)
def test_printable(text: str, limit: int, expected: str) -> None:
    assert printable(text, limit) == expected


@given(hostile_text(200) | st.text(max_size=700))
def test_escaped_text_is_harmless_on_a_terminal(text: str) -> None:
    shown = escaped(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= len("\\U00000000") * MAX_ESCAPED


def test_escaped() -> None:
    assert escaped("mx.example.com [192.0.2.1] \\") == "mx.example.com [192.0.2.1] \\"
    assert escaped("\x1b[31m\u202e\udcff") == "\\x1b[31m\\u202e\\udcff"
    assert escaped("x" * 20, 10) == "xxxxxxx..."


def test_one_line_keeps_printable_characters_outside_ascii() -> None:
    assert one_line("m\u00fcll\n\x1b\u2028\udcff") == "m\u00fcll\\n\\x1b\\u2028\\udcff"


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("one two", 7, "one two"),
        ("one two three", 12, "one two ..."),
        ("onetwothree", 10, "onetwo ..."),
        ("a onetwothreefour", 12, "a onetwo ..."),
    ],
)
def test_clipped(text: str, limit: int, expected: str) -> None:
    assert clipped(text, limit) == expected
    assert len(expected) <= limit


def test_filled_replaces_once() -> None:
    assert filled("{a}-{b}-{c}-{ a }-{a.b}", {"a": "{b}", "b": "2"}) == "{b}-2-{c}-{ a }-{a.b}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mx.example.com", "mx.example.com"),
        ("_a-b.c", "_a-b.c"),
        ("a..b", '"a..b"'),
        ("a.", '"a."'),
        ("", '""'),
        ("2001:db8::7", '"2001:db8::7"'),
        ("a=b;c", '"a=b;c"'),
        ("a\n", '"a?"'),
        ('"\\', '"\\"\\\\"'),
        ("a" * 99, '"aaaaaaa..."'),
    ],
)
def test_value(text: str, expected: str) -> None:
    assert value(text, 10 if len(text) > 90 else 80) == expected


def test_quoted_string_is_cut_before_quoting() -> None:
    assert quoted_string('"' * 20, 10) == '"' + '\\"' * 7 + '..."'


def test_comment() -> None:
    assert comment("a (b) c=d; e\\f \"g\" 'h' -all ?all\r\n", 80) == "(a ?b? c?d? e?f ?g? 'h' -all ?all??)"


def test_folded() -> None:
    assert folded(["a" * 40, "b" * 36, "c"], 1) == f"{'a' * 40} {'b' * 36}\n\tc"
    assert folded(["a" * 40, "b" * 36], 2) == f"{'a' * 40}\n\t{'b' * 36}"
    assert folded(["a" * 200, "b"], 0) == f"{'a' * 200}\n\tb"
    assert folded([], 0) == ""
