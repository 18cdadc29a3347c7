"""Which Authentication-Results would pass for ours, by any reading; and that reading them costs next to nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.evidence import Evidence
from rdns_milter.forged import claims, is_unsupported, removals
from rdns_milter.headers import authentication_results
from tests.kit.evidences import TEXTS, hostile

OURS = [
    "mx.test; spf=pass",
    "mx.test ; spf=pass",
    "mx.test;spf=pass",
    " \t mx.test;",
    "mx.test",
    "MX.Test; spf=pass",
    "mx.test.; spf=pass",
    "mx.test 1; spf=pass",
    "mx.test 2; spf=pass",
    "mx.test/1; spf=pass",
    '"mx.test"; spf=pass',
    '"mx\\.test"; spf=pass',
    '"MX.TEST" 1; none',
    "\n\tmx.test;\n\tspf=pass",
    "\r\n mx.test\r\n ;\r\n spf=pass",
    "(comment) mx.test; spf=pass",
    "(a(b(c)d)e)(f) MX.Test 1; spf=pass",
    "mx.test(comment); spf=pass",
    "mx.test (other.test) 1 (x); spf=pass",
    "(quoted \\) paren) mx.test; spf=pass",
    '(") mx.test; spf=pass',
    "(a(b) mx.test; spf=pass",  # nested comments are not known to all
    "(a\\) mx.test; spf=pass",
    "(mx.test; spf=pass",
    "mx.te(x)st; spf=pass",  # whoever strips comments first reads it so
    "mx (x) . test; spf=pass",  # obs-domain, RFC 5322 4.4
    "mx . test 1; spf=pass",
    '"mx".test; spf=pass',
    'm"x.te"st; spf=pass',
    "<mx.test>; spf=pass",
    "mx.test spf=pass",
    "mx.test, spf=pass",
    "mx.test: spf=pass",
    "; mx.test; spf=pass",
    "mx.\x00test; spf=pass",
    "\x01mx.test\x7f; spf=pass",
    "mx.test\x00.evil; spf=pass",  # where a string ends at NUL
    "mx.te\u00adst; spf=pass",
    "\u200bmx.test\ufeff; spf=pass",
    "mx.test\udcff; spf=pass",
    "\uff4d\uff58.test; spf=pass",
    "=?utf-8?q?mx.test?=; spf=pass",
    "=?utf-8?B?bXgudGVzdA==?=; spf=pass",
    "=?utf-8?B?bXgudGVzdA?=; spf=pass",
    "=?us-ascii*en?Q?mx.?= =?us-ascii?Q?test=3B_spf=3Dpass?=",
]

OTHERS = [
    "",
    "   ",
    ";",
    "()",
    "mx.test.evil.example; spf=pass",
    "notmx.test; spf=pass",
    "not.mx.test; spf=pass",
    "mx.test-foo; spf=pass",
    "mx.test_1; spf=pass",
    "mx-test; spf=pass",
    "mx.tests; spf=pass",
    "other.test; spf=pass smtp.mailfrom=mx.test",
    "other.test (mx.test); spf=pass",
    "other.test 1 (mx.test); spf=pass",
    "other.test; mx.test; spf=pass",
    "other.test mx.test; spf=pass",
    '"other.test"; iprev=pass policy.iprev="2001:db8::1" (mx.test)',
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.test; dkim=none",  # some leave the authserv-id out
    "=?utf-8?q?other.test?=; spf=pass",
    "=?utf-8?b?A?=; spf=pass",
    "=?x?q?",
]


@pytest.mark.parametrize("value", OURS)
def test_claims_to_be_ours(value: str) -> None:
    assert claims(value, "mx.test")
    assert claims(value, "MX.test.")


@pytest.mark.parametrize("value", OTHERS)
def test_others_stay(value: str) -> None:
    assert not claims(value, "mx.test")


@pytest.mark.parametrize(
    ("value", "authserv_id", "expected"),
    [
        ('"mx.test/1"; spf=pass', "mx.test/1", True),
        ('"mx.test/2"; spf=pass', "mx.test/1", False),
        ("mx.test; spf=pass", "mx.test/1", False),
        ('"mx.test/1" 1; spf=pass', "mx.test/1", True),
        ("mx; spf=pass", "mx", True),
        ("mx.test; spf=pass", "mx", False),
        ("mx.test; spf=pass", "", False),
        ("; spf=pass", "", False),
        ("!; spf=pass", "!", False),
    ],
)
def test_other_identifiers(value: str, authserv_id: str, expected: bool) -> None:
    assert claims(value, authserv_id) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("other.test; spf=pass", False),
        ("other.test 1; spf=pass", False),
        ("other.test 01 ; none", False),
        ("other.test 2; spf=pass", True),
        ("other.test 0; spf=pass", True),
        ('"other.test" (c) 2 (d); spf=pass', True),
        ("(a) other.test(b)2\r\n\t; spf=pass", True),
        ("other.test 2", True),
        ("other.test " + "9" * 5000 + "; spf=pass", True),
        ("other.test; 2; spf=pass", False),
        ("spf=pass (sender 2) smtp.mailfrom=x", False),
        ("2; spf=pass", False),
        ("", False),
    ],
)
def test_versions(value: str, expected: bool) -> None:
    assert is_unsupported(value) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        (["other.test; none"], ()),
        (["mx.test; none", "other.test; none", "other.test 2; none", "mx.test 1; spf=pass"], (4, 3, 1)),
    ],
)
def test_removals_from_the_last_to_the_first(values: list[str], expected: tuple[int, ...]) -> None:
    assert removals(values, "mx.test") == expected


@given(hostile(), st.sampled_from(("mx.test", "MX-1.test.", "mx.test/1", "a b")))
def test_what_we_write_ourselves_is_ours(client: Evidence, authserv_id: str) -> None:
    assert claims(authentication_results(authserv_id, client), authserv_id)


@given(st.one_of(TEXTS, st.text(alphabet='()"\\; .=?mx1test\n', max_size=200)))
def test_reads_anything(value: str) -> None:
    assert claims(value, "mx.test") in (True, False)
    assert is_unsupported(value) in (True, False)


SIZE = 65536


@pytest.mark.parametrize(
    "value",
    [
        "(" * SIZE,
        "(" * (SIZE // 2) + ")" * (SIZE // 2),
        "()" * (SIZE // 2),
        ")" * SIZE,
        "\\" * SIZE,
        "(\\" * (SIZE // 2),
        '"' * SIZE,
        '"\\' * (SIZE // 2),
        " " * SIZE,
        "a " * (SIZE // 2),
        "a" * SIZE,
        "." * SIZE,
        "1" * SIZE,
        "\x00" * SIZE,
        "\ufdfa" * (SIZE // 3),
        "\udc80" * SIZE,
        "=?" * (SIZE // 2),
        "=?a?q?" * (SIZE // 6),
        "=?a?b?" + "A" * SIZE,
        ("=?a?q?b?=" + " " * 40) * (SIZE // 49),
        "=?a?q?b?=" + " " * SIZE,
    ],
    ids=lambda value: ascii(value[:9]),
)
def test_time_in_proportion_to_length(value: str) -> None:
    """Each is a shape on which a careless reader takes time with the square of the length: minutes, at this size."""
    began = time.monotonic()
    assert removals([value, value + "mx.test; spf=pass"], "mx.test") in ((), (2,), (2, 1))
    assert time.monotonic() - began < 5
