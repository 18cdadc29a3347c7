"""Authentication-Results that could be taken for ours in any reading are detected, in linear time."""

from __future__ import annotations

import base64
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import Evidence
from rdns_milter.net.names import canonical
from rdns_milter.responses.forged_results import claims, is_unsupported
from rdns_milter.responses.headers import authentication_results
from tests.kit.data.evidence import TEXTS, hostile


def quoted(octets: bytes) -> str:
    """Encode bytes in encoding Q, each in hexadecimal."""
    return "".join(f"={octet:02X}" for octet in octets)


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
    "(a(b) mx.test; spf=pass",  # not every reader knows nested comments
    "(a\\) mx.test; spf=pass",
    "(mx.test; spf=pass",
    "mx.te(x)st; spf=pass",  # for a reader that removes comments first
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
    "mx.test\x00.evil; spf=pass",  # for a reader whose strings end at NUL
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
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.test; dkim=none",  # some hosts omit the authserv-id
    "=?utf-8?q?other.test?=; spf=pass",
    "=?utf-8?b?A?=; spf=pass",
    "=?x?q?",
]


@pytest.mark.parametrize("value", OURS)
def test_claims_to_be_ours(value: str) -> None:
    assert claims(value, "mx.test")
    assert claims(value, "MX.test.")


ENCODED = [
    "=?utf-7?q?+AG0AeA-.test?=; spf=pass",
    "=?UTF-7?b?K0FHMEFlQS0udGVzdA==?=; spf=pass",
    f"=?cp037?b?{base64.b64encode('mx.test'.encode('cp037')).decode()}?=; spf=pass",
    f"=?IBM037?B?{base64.b64encode('mx.test'.encode('cp037')).decode()}?=; spf=pass",
    f"=?ebcdic-cp-us?B?{base64.b64encode('mx.test;'.encode('cp037')).decode()}?= spf=pass",
    f"=?cp500*en?q?{quoted('mx.test'.encode('cp500'))}?=; spf=pass",
    f"=?utf-16?b?{base64.b64encode('mx.test'.encode('utf-16')).decode()}?=; spf=pass",
    f"=?utf-16le?b?{base64.b64encode('mx.test'.encode('utf-16-le')).decode()}?=; spf=pass",
    "=??q?mx.test?=; spf=pass",
    "=??B?bXgudGVzdA==?=; spf=pass",
    "=?nonsense?Q?mx.test?=; spf=pass",
    "=?utf-8?q?mx.test;?x=3D?=; spf=pass",
    "=?utf-8?q?mx.test ?; spf=pass?=",
    "=?utf-8?q?mx?=2Etest?=; spf=pass",
    "=?utf-8?q?=6D=78=2e=74=65=73=74?=; spf=pass",
    "=?utf-8?q?mx?= =?utf-8?q?.test?=; spf=pass",
    "=?utf-8?q?mx?=\r\n =?utf-8?b?LnRlc3Q=?=; spf=pass",
    "=?utf-8?q?mx?==?utf-8?q?.test?=; spf=pass",
    "mx.=?utf-8?q?test?=; spf=pass",
    "=?utf-8?b?bXgudGV?==?utf-8?b?zdA==?=; spf=pass",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fmx=2Etest=3F=3D?=; spf=pass",
    "=?utf-8?b?PT91dGYtOD9xP214LnRlc3Q/PQ==?=; spf=pass",
    '"=?utf-8?q?mx.test?="; spf=pass',
    "(=?x?=) =?utf-8?q?mx.test?=; spf=pass",
    "=?utf-8?q?=EF=BD=8Dx.test?=; spf=pass",
    "=?utf-8?q?mx=E3=80=82test?=; spf=pass",
]
DOTS = [f"mx{dot}test; spf=pass" for dot in "\u2024\u3002\ufe52\uff0e\uff61"]
OURS_IN_LETTERS = [
    "xn--bcher-kva.example; spf=pass",
    "XN--BCHER-KVA.Example 1; spf=pass",
    "b\u00fccher.example; spf=pass",
    "bu\u0308cher.example; spf=pass",
    "B\u00dcCHER.EXAMPLE.; spf=pass",
    "BU\u0308CHER.example 1; spf=pass",
    "b\u00fccher\u3002example; spf=pass",
    "b\u00fccher\uff61example (x); spf=pass",
    "xn--bcher-kva\uff0eexample; spf=pass",
    '"b\u00fccher.example"; spf=pass',
    "b\u00fc\u00adcher.example; spf=pass",
    "\ufeffb\u00fccher.example; spf=pass",
    "(c)b\u00fccher . example; spf=pass",
    "\uff42\u00fc\uff43her.example; spf=pass",
    "=?utf-8?q?b=C3=BCcher.example?=; spf=pass",
    "=?iso-8859-1?q?b=FCcher.example?=; spf=pass",
    "=?utf-8?b?YsM=?= =?utf-8?b?vGNoZXIuZXhhbXBsZQ==?=; spf=pass",
    "=?utf-7?q?b+APw-cher.example?=; spf=pass",
]
OTHERS_IN_LETTERS = [
    "bucher.example; spf=pass",
    "bcher.example; spf=pass",
    "b\u00fccherei.example; spf=pass",
    "x.b\u00fccher.example; spf=pass",
    "b\u00fccher.example.test; spf=pass",
    "other.example (b\u00fccher.example); spf=pass",
    "other.example; b\u00fccher.example",
    "=?utf-8?q?b=C3=BCcherei.example?=; spf=pass",
    "\u00fc; spf=pass",
    "\ufdfa\ufdfa; spf=pass",
]


@pytest.mark.parametrize("value", [*ENCODED, *DOTS, "mx.te\u017ft; spf=pass"])
def test_encoded_and_look_alike_claims(value: str) -> None:
    assert claims(value, "mx.test")
    assert not claims(value, "mx.other")


@pytest.mark.parametrize("ours", ["xn--bcher-kva.example", "b\u00fccher.example", "Bu\u0308cher.Example."])
def test_names_in_letters(ours: str) -> None:
    assert [value for value in OURS_IN_LETTERS if not claims(value, ours)] == []
    assert [value for value in OTHERS_IN_LETTERS if claims(value, ours)] == []


def test_several_names() -> None:
    ours = ("mx.test", "b\u00fccher.example", "mx.old")
    values = [
        OURS[0],
        OURS_IN_LETTERS[0],
        "mx.old; spf=pass",
        OURS_IN_LETTERS[3],
        "mx.new; spf=pass",
        "other.test; none",
    ]
    assert [claims(value, *ours) for value in values] == [True, True, True, True, False, False]
    assert not any(claims(value) for value in values)


LABELS = ("b\u00fccher", "\u00e9t\u00e9", "\u043f\u043e\u0447\u0442\u0430", "\u0939\u093f\u0928\u094d\u0926\u0940",
          "\u30e1\u30fc\u30eb\u30ac", "\ud55c\uad6d", "\u03b1\u03b2\u03ac", "mx", "a-1")  # fmt: skip


@given(
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(("NFC", "NFD", "NFKC", "NFKD", "A")), st.booleans()), min_size=3, max_size=3),
    st.sampled_from(".\u3002\uff0e\uff61"),
    st.sampled_from(("", "q", "b")),
)
def test_any_spelling_of_a_name(labels: list[str], forms: list[tuple[str, bool]], dot: str, encoding: str) -> None:
    ours = canonical(".".join([*labels, "example"]))
    assert ours
    spelled = []
    for label, (form, upper) in zip(labels, forms, strict=False):
        label = canonical(label) if form == "A" else unicodedata.normalize(form, label)  # type: ignore[arg-type]
        spelled.append(label.upper() if upper else label)
    name = dot.join([*spelled, "example"])
    if encoding:
        octets = name.encode()
        text = base64.b64encode(octets).decode() if encoding == "b" else quoted(octets)
        name = f"=?utf-8?{encoding}?{text}?="
    assert claims(f"{name}; spf=pass", ours)


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


@given(hostile(), st.sampled_from(("mx.test", "MX-1.test.", "mx.test/1", "a b")))
def test_what_we_write_ourselves_is_ours(client: Evidence, authserv_id: str) -> None:
    assert claims(authentication_results(authserv_id, client), authserv_id)


@given(st.one_of(TEXTS, st.text(alphabet='()"\\; .=?mx1test\n', max_size=200)))
def test_reads_anything(value: str) -> None:
    assert claims(value, "mx.test") in (True, False)
    assert is_unsupported(value) in (True, False)


SIZE = 65536
GROWTH = 4


def shape(text: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """Return a function that repeats the text up to a length."""
    return lambda length: before + text * (length // len(text)) + after * (length // len(after or " "))


def cpu_time(value: str) -> float:
    """Return the seconds of CPU time to examine a value."""
    began = time.thread_time()
    for text in (value, value + "mx.test; spf=pass"):
        claims(text, "mx.test")
        is_unsupported(text)
    return time.thread_time() - began


@pytest.mark.parametrize(
    "value",
    [
        shape("("),
        shape("(", after=")"),
        shape("()"),
        shape(")"),
        shape("\\"),
        shape("(\\"),
        shape('"'),
        shape('"\\'),
        shape(" "),
        shape("a "),
        shape("a"),
        shape("."),
        shape("1"),
        shape("\x00"),
        shape("\ufdfa"),
        shape("\udc80"),
        shape("=?"),
        shape("=?a?q?"),
        shape("A", before="=?a?b?"),
        shape("=?a?q?b?=" + " " * 40),
        shape(" ", before="=?a?q?b?="),
    ],
    ids=lambda value: ascii(value(60)[:9]),
)
def test_time_in_proportion_to_length(value: Callable[[int], str]) -> None:
    """On each of these values a parser with quadratic behaviour takes minutes at this size."""
    claims(value(SIZE), "mx.test")
    short = min(cpu_time(value(SIZE // GROWTH)) for _ in range(3))
    long = min(cpu_time(value(SIZE)) for _ in range(3))
    assert long < GROWTH**1.5 * max(short, 0.001)
