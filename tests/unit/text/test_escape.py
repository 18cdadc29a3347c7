"""Text made fit for a field or a reply."""

from __future__ import annotations

import pytest

from rdns_milter.text.escape import clipped, comment, filled, folded, printable, quoted_string, value


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


def test_filled_fills_once() -> None:
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


def test_quoted_string_cuts_before_it_quotes() -> None:
    assert quoted_string('"' * 20, 10) == '"' + '\\"' * 7 + '..."'


def test_comment() -> None:
    assert comment("a (b) c=d; e\\f \"g\" 'h' -all ?all\r\n", 80) == "(a ?b? c?d? e?f ?g? 'h' -all ?all??)"


def test_folded() -> None:
    assert folded(["a" * 40, "b" * 36, "c"], 1) == f"{'a' * 40} {'b' * 36}\n\tc"
    assert folded(["a" * 40, "b" * 36], 2) == f"{'a' * 40}\n\t{'b' * 36}"
    assert folded(["a" * 200, "b"], 0) == f"{'a' * 200}\n\tb"
    assert folded([], 0) == ""
