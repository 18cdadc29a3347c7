"""Organizational domains and alignment, one case a line (RFC 7489 3.1, 3.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.alignment import alignment, organizational_domain
from rdns_milter.net.names import canonical
from tests.kit.data.strategies import hostile_text

ANY = hostile_text(300) | st.text() | st.from_regex(r"[a-zA-Z0-9@.<>:\"\\ \[\]%-]{0,40}", fullmatch=True)

ORGANIZATIONAL = [
    ("example.com", "example.com"),
    ("mx.example.com", "example.com"),
    ("a.b.c.example.com", "example.com"),
    ("_spf.example.com", "example.com"),
    ("example.co.uk", "example.co.uk"),
    ("mx.example.co.uk", "example.co.uk"),
    ("xn--bcher-kva.de", "xn--bcher-kva.de"),
    ("mx.unknown-tld", "mx.unknown-tld"),
    ("a.mx.unknown-tld", "mx.unknown-tld"),
    ("co.uk", ""),
    ("com", ""),
    # A wildcard rule, its exception, a rule in A-labels, a private suffix.
    ("a.b.example.ck", "b.example.ck"),
    ("example.ck", ""),
    ("a.www.ck", "www.ck"),
    ("a.b.city.kawasaki.jp", "city.kawasaki.jp"),
    ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
    ("mx.example.xn--55qx5d.cn", "example.xn--55qx5d.cn"),
    ("mx.example.xn--p1ai", "example.xn--p1ai"),
    ("mx.someone.github.io", "someone.github.io"),
    ("github.io", ""),
    ("localhost", ""),
    ("", ""),
    ("192.0.2.1", ""),
    ("a..com", ""),
    ("a b.com", ""),
]


@pytest.mark.parametrize(("name", "expected"), ORGANIZATIONAL)
def test_organizational_domain(name: str, expected: str) -> None:
    assert organizational_domain(name) == expected


@pytest.mark.parametrize(
    ("name", "others", "expected"),
    [
        ("mx.example.com", ("mx.example.com",), "same"),
        ("mx.example.com", ("a.example.org", "mx.example.com"), "same"),
        ("mx.example.com", ("out.example.com",), "aligned"),
        ("example.com", ("mx.example.com",), "aligned"),
        ("mx.example.com", ("a.example.org", "b.example.com"), "aligned"),
        ("mx.example.com", ("mx.example.org",), "different"),
        ("a.co.uk", ("b.co.uk",), "different"),
        ("co.uk", ("a.co.uk",), "different"),
        ("notexample.com", ("example.com",), "different"),
        ("localhost", ("localhost",), "same"),
        ("localhost", ("a.localhost",), "different"),
        ("mx.example.com", (), "none"),
        ("", ("mx.example.com",), "none"),
        ("", (), "none"),
    ],
)
def test_alignment(name: str, others: tuple[str, ...], expected: str) -> None:
    assert alignment(name, others) == expected


@given(ANY, st.lists(ANY, max_size=3).map(tuple))
def test_alignment_is_one_of_its_words(name: str, others: tuple[str, ...]) -> None:
    assert alignment(canonical(name), others) in ("same", "aligned", "different", "none")
