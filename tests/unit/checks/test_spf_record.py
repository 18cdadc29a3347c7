"""Records that pyspf alone parses differently from RFC 7208 sections 4.6, 5, 6 and 12, and similar ones."""

from __future__ import annotations

import pytest

from rdns_milter.checks import spf_record
from rdns_milter.checks.spf_record import CACHED_RECORDS, MAX_CACHED, Mechanism, Record, RecordError, parse, select
from tests.kit.data.spf.case import CLIENT, CLIENT6, Case, check

NINE = f"v.example A 192.0.2.9\nx.example A {CLIENT}\n"

CASES = (
    # Modifier names are case-insensitive (4.6.1, 12); known modifiers may appear only once (6)
    Case("redirect-upper", "v=spf1 REDIRECT=w.example", "w.example TXT v=spf1 -all", "fail", fact={"mechanism": "-all"}),
    Case("redirect-mixed", "v=spf1 ReDirect=w.example", "w.example TXT v=spf1 -all", "fail"),
    Case("redirect-twice-in-two-cases", "v=spf1 redirect=w.example Redirect=w.example", "w.example TXT v=spf1 -all", "permerror"),
    Case("redirect-upper-empty", "v=spf1 REDIRECT=", "", "permerror", fact={"problem": "Missing domain: REDIRECT="}),
    Case("redirect-upper-invalid", "v=spf1 -all Redirect=localhost", "", "permerror"),
    Case("exp-mixed", "v=spf1 -all Exp=e.example", "e.example TXT Why", "fail", fact={"explanation": "Why"}),
    Case("exp-twice-in-two-cases", "v=spf1 -all Exp=e.example eXP=e.example", "e.example TXT Why", "permerror"),
    Case("exp-upper-empty", "v=spf1 -all EXP=", "", "permerror"),
    Case("exp-upper-invalid", "v=spf1 -all EXP=%{c}.example", "", "permerror"),
    Case("unknown-twice", f"v=spf1 ip4:{CLIENT} rr=e rr=f -all", "", "pass"),
    Case("unknown-everywhere", f"v=spf1 rr=e RR=f default=x default=y moo= ip4:{CLIENT} rr=g -all op=a op=b", "", "pass"),
    Case("unknown-of-a-mechanism's-name", "v=spf1 a=b mx=%{d} include=x all=y redirect.x=z exp-=w -all", "", "fail"),
    Case("unknown-with-letters-of-explanations", "v=spf1 x=%{c}%{R}%{t} -all", "", "fail"),
    Case("unknown-with-bad-macro", "v=spf1 rr=%{q} -all", "", "permerror"),
    Case("unknown-with-lone-percent", "v=spf1 rr=100% -all", "", "permerror"),
    Case("unknown-with-tab", "v=spf1 rr=a\tb -all", "", "permerror"),
    Case("unknown-named-badly", "v=spf1 1rr=a -all", "", "permerror"),
    Case("modifier-with-qualifier", "v=spf1 ?redirect=w.example", "w.example TXT v=spf1 -all", "permerror"),
    # `redirect` counts if it is followed (4.6.4, 6.1), and is ignored in a record with `all` (5.1)
    Case("redirect-behind-ten", f"v=spf1 {'a ' * 9}a:x.example redirect=w.example", f"{NINE}w.example TXT v=spf1 -all", "pass"),
    Case("redirect-before-ten", f"v=spf1 redirect=w.example {'a ' * 9}a:x.example", f"{NINE}w.example TXT v=spf1 -all", "pass"),
    Case("redirect-as-tenth", f"v=spf1 {'a ' * 9}redirect=w.example", f"{NINE}w.example TXT v=spf1 -all", "fail"),
    Case("redirect-as-eleventh", f"v=spf1 {'a ' * 10}redirect=w.example", f"{NINE}w.example TXT v=spf1 -all", "permerror", asked=2,
         fact={"problem": "More than 10 terms that need lookups"}),
    Case("redirect-beside-all", f"v=spf1 redirect=w.example {'a ' * 10}?all", f"{NINE}w.example TXT v=spf1 -all", "neutral",
         asked=2),
    Case("redirect-beside-all-invalid", "v=spf1 -all redirect=a..", "", "permerror"),
    # The grammar of section 12
    Case("second-half-of-a-percent", "v=spf1 exists:%%{d} -all", "", "permerror"),
    Case("zero-padded-prefix", "v=spf1 ip4:192.0.2.0/024 -all", "", "permerror"),
    Case("prefix-of-nothing", "v=spf1 ip4:192.0.2.0/ -all", "", "permerror"),
    Case("prefix-zero", "v=spf1 ip4:10.0.0.0/0 -all", "", "pass"),
    Case("prefix-zero-6", "v=spf1 a//0 -all", "v.example AAAA 2001:db9::", "pass", client=CLIENT6),
    Case("prefix-6-too-long", "v=spf1 a//129 -all", "", "permerror"),
    Case("ip6-with-zone", "v=spf1 ip6:fe80::1%eth0 -all", "", "permerror"),
    Case("ip6-mapped-is-not-ip4", f"v=spf1 ip6:::ffff:{CLIENT} -all", "", "fail"),
    Case("all-with-prefix", "v=spf1 all/0", "", "permerror"),
    Case("error-behind-a-match", f"v=spf1 ip4:{CLIENT} exists", "", "permerror"),
    # Terms that are not reached are not evaluated
    Case("include-itself-behind-a-match", f"v=spf1 ip4:{CLIENT} include:v.example -all", "", "pass", asked=1),
    Case("p-behind-a-match", f"v=spf1 ip4:{CLIENT} a:%{{p}}.example -all", "", "pass", asked=1),
    Case("p-behind-a-lookup", "v=spf1 a:x.example ip4:192.0.2.0/24 exists:%{p}.example -all", f"x.example A {CLIENT}", "pass"),
    Case("include-of-one-label", "v=spf1 include:%{l} -all", "a TXT v=spf1 +all", "permerror", asked=1),
    Case("empty-label-at-the-end", "v=spf1 exists:x.example.%{l} -all", "x.example A 192.0.2.9", "fail",
         sender=".@v.example", asked=1),
    Case("name-that-macros-leave-empty", "v=spf1 exists:%{l} -all", "", "fail", sender=".@v.example"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    checked, lookup = check(case)
    assert checked.spf.result == case.result
    for key, value in case.fact.items():
        assert getattr(checked.spf, key) == value
    if case.asked is not None:
        assert len(lookup.begun) == case.asked


@pytest.mark.parametrize("qualifier", ["", "+", "-", "~", "?"])
@pytest.mark.parametrize("name", ["include", "exists", "Exists", "INCLUDE"])
@pytest.mark.parametrize("colon", ["", ":"])
def test_a_mechanism_that_needs_a_domain_has_one(qualifier: str, name: str, colon: str) -> None:
    term = f"{qualifier}{name}{colon}"
    checked, _ = check(Case("", f"v=spf1 {term} -all", f"v.example A {CLIENT}", ""))
    assert (checked.spf.result, checked.spf.problem) == ("permerror", f"Missing domain: {term}")


@pytest.mark.parametrize(
    "term",
    ["a:", "mx:", "ptr:", "-a:", "~mx:", "?ptr:", "a:/24", "mx://64", "A:/24//64", "redirect=", "exp=", "include/24",
     "exists/24", "ptr/24", "-ptr://64"],
)  # fmt: skip
def test_an_empty_domain_is_an_error(term: str) -> None:
    checked, _ = check(Case("", f"v=spf1 {term} -all", f"v.example A {CLIENT}", ""))
    assert checked.spf.result == "permerror"


def test_record() -> None:
    record = parse(
        "V=SPF1  -A/24//64 mx:%{d}/8 ip6:2001:DB8::/32  Exp=e.example ~ip4:192.0.2.0/0 Redirect=r.example  x=y "
    )
    assert record == Record(
        (
            Mechanism("-A/24//64", "-", "a", "", 24, 64),
            Mechanism("mx:%{d}/8", "+", "mx", "%{d}", 8, 128),
            Mechanism("ip6:2001:DB8::/32", "+", "ip6", "2001:DB8::", 32, 32),
            Mechanism("~ip4:192.0.2.0/0", "~", "ip4", "192.0.2.0", 0, 0),
        ),
        "r.example",
        "e.example",
    )
    assert parse("v=spf1") == parse("v=spf1   ") == Record()
    assert parse("v=spf1 redirect=r.example ?all") == Record((Mechanism("?all", "?", "all"),))


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        ("moo", "Unknown mechanism found"),
        ("moo/24", "Unknown mechanism found"),
        ("all:", "Unknown mechanism found"),
        ("all.", "Unknown mechanism found"),
        ("+-all", "Unknown mechanism found"),
        ("192.0.2.1", "Unknown mechanism found"),
        ("exp:e.example", "Unknown mechanism found"),
        ("=x", "Unknown mechanism found"),
        ("a\tb", "Unknown mechanism found"),
        ("all/24", "CIDR not allowed"),
        ("ptr:x.example/24", "CIDR not allowed"),
        ("include:x.example//64", "CIDR not allowed"),
        ("ip4:192.0.2.1//32", "Dual CIDR not allowed"),
        ("ip4", "Invalid IP4 address"),
        ("ip4:192.0.2.01", "Invalid IP4 address"),
        ("ip4:2001:db8::1", "Invalid IP4 address"),
        ("ip6:192.0.2.1", "Invalid IP6 address"),
        ("ip6:1:2:3:4:5:6:7:8:9", "Invalid IP6 address"),
        ("ip4:192.0.2.1/33", "Invalid IP4 CIDR length"),
        ("ip4:192.0.2.1/00", "Invalid IP4 CIDR length"),
        ("ip6:::/129", "Invalid IP6 CIDR length"),
        ("a/24//0129", "Invalid IP6 CIDR length"),
        ("a:x.example,", "Invalid domain found"),
        ("a:192.0.2.1", "Invalid domain found"),
        ("a:x.example/24/24", "Invalid domain found"),
        ("redirect=localhost", "Invalid domain found"),
        ("exists:%{x}.example", "Invalid macro"),
        ("a:x.\x7f.example", "Invalid character found"),
        ("a:%{r}.example", "%{r} is for explanations only"),
        ("a:%{d0}.example", "A macro that keeps no part"),
    ],
)
def test_problem(term: str, problem: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse(f"v=spf1 {term} -all")
    assert str(caught.value) == f"{problem}: {term}"


def test_the_cache_of_parsed_records_is_bounded() -> None:
    """A hostile zone has as many records as it likes, and long ones."""
    for number in range(2 * CACHED_RECORDS):
        parse(f"v=spf1 ip4:192.0.2.{number % 256} ip6:::{number:x} -all")
    kept = spf_record._parse_short.cache_info().currsize
    assert kept == CACHED_RECORDS
    parse("v=spf1" + " a" * MAX_CACHED)
    assert spf_record._parse_short.cache_info().currsize == kept


SELECTED: list[tuple[tuple[object, ...], bytes | None]] = [
    ((b"v=spf1 -all",), b"v=spf1 -all"),
    ((b"other", b"V=SPF1"), b"V=SPF1"),
    ((b"v=spf10 -all", b"v=spf1-all", b"v=spf1\t-all", b"v=spf1\n", b" v=spf1"), None),
    ((), None),
]


@pytest.mark.parametrize(("values", "record"), SELECTED)
def test_select(values: tuple[object, ...], record: bytes | None) -> None:
    assert select(values) == record


def test_more_than_one_record_is_an_error() -> None:
    with pytest.raises(RecordError, match="Two or more"):
        select((b"v=spf1 -all", b"other", b"v=spf1 -all"))
