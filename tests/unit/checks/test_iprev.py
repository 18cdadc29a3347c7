"""The iprev check, one case for each line: DNS records and the result (RFC 8601 2.7.3 and 3)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from rdns_milter.checks.evidence import FACTS
from rdns_milter.checks.iprev import iprev
from rdns_milter.net.names import parse_address
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import TEMPORARY, UNRESOLVED
from tests.kit.dns.dict_answers import Answers, Entry

V4, V6 = "192.0.2.1", "2001:db8::1"
LONG = "a" * 63

# Client, DNS records, result, reason, name.
CASES: dict[str, tuple[str, dict[str, Entry], str, str, str]] = {
    "confirmed": (V4, {f"{V4} PTR": ["a.test"], "a.test A": [V4]}, "pass", "confirmed", "a.test"),
    "one address of several": (
        V4,
        {f"{V4} PTR": ["a.test"], "a.test A": ["192.0.2.9", V4]},
        "pass",
        "confirmed",
        "a.test",
    ),
    "no PTR: NXDOMAIN": (V4, {}, "permerror", "no-ptr", ""),
    "no PTR: NODATA": (V4, {f"{V4} PTR": []}, "permerror", "no-ptr", ""),
    "another address": (V4, {f"{V4} PTR": ["a.test"], "a.test A": ["192.0.2.9"]}, "fail", "not-confirmed", "a.test"),
    "forward NXDOMAIN": (V4, {f"{V4} PTR": ["a.test"]}, "fail", "no-forward", "a.test"),
    "forward NODATA": (V4, {f"{V4} PTR": ["a.test"], "a.test AAAA": [V6]}, "fail", "no-forward", "a.test"),
    "second name confirms": (
        V4,
        {f"{V4} PTR": ["a.test", "b.test"], "a.test A": ["192.0.2.9"], "b.test A": [V4]},
        "pass",
        "confirmed",
        "b.test",
    ),
    "both confirm: the first in order is shown": (
        V4,
        {f"{V4} PTR": ["b.test", "a.test"], "a.test A": [V4], "b.test A": [V4]},
        "pass",
        "confirmed",
        "a.test",
    ),
    "a name that confirms wins over an error": (
        V4,
        {f"{V4} PTR": ["a.test", "b.test"], "a.test A": "servfail", "b.test A": [V4]},
        "pass",
        "confirmed",
        "b.test",
    ),
    "an error wins over a mismatch": (
        V4,
        {f"{V4} PTR": ["a.test", "b.test"], "a.test A": ["192.0.2.9"], "b.test A": "timeout"},
        "temperror",
        "timeout",
        "a.test",
    ),
    "an error wins over no forward": (
        V4,
        {f"{V4} PTR": ["a.test", "b.test"], "b.test A": "servfail"},
        "temperror",
        "servfail",
        "a.test",
    ),
    "a mismatch wins over no forward": (
        V4,
        {f"{V4} PTR": ["a.test", "b.test"], "b.test A": ["192.0.2.9"]},
        "fail",
        "not-confirmed",
        "a.test",
    ),
    "IPv6 confirmed": (V6, {f"{V6} PTR": ["a.test"], "a.test AAAA": [V6]}, "pass", "confirmed", "a.test"),
    "IPv6 asks AAAA, not A": (V6, {f"{V6} PTR": ["a.test"], "a.test A": [V4]}, "fail", "no-forward", "a.test"),
    "IPv6 in another spelling": (
        V6,
        {f"{V6} PTR": ["a.test"], "a.test AAAA": ["2001:0DB8:0:0::1"]},
        "pass",
        "confirmed",
        "a.test",
    ),
    "IPv6 without PTR": (V6, {}, "permerror", "no-ptr", ""),
    "the mapped form of an IPv4 address as AAAA is none": (
        V4,
        {f"{V4} PTR": ["a.test"], "a.test AAAA": [f"::ffff:{V4}"]},
        "fail",
        "no-forward",
        "a.test",
    ),
    "name is an address": (V4, {f"{V4} PTR": [V4], f"{V4} A": [V4]}, "fail", "bad-name", V4),
    "name is localhost": (V4, {f"{V4} PTR": ["localhost"], "localhost A": [V4]}, "fail", "bad-name", "localhost"),
    "name under .local": (V4, {f"{V4} PTR": ["pc.local"], "pc.local A": [V4]}, "fail", "bad-name", "pc.local"),
    "name is the root": (V4, {f"{V4} PTR": [""]}, "fail", "bad-name", ""),
    "name with odd octets": (V4, {f"{V4} PTR": [r"a\010b.test"]}, "fail", "bad-name", r"a\010b.test"),
    "name with a blank": (V4, {f"{V4} PTR": [r"a\032b.test"]}, "fail", "bad-name", r"a\032b.test"),
    "label too long": (V4, {f"{V4} PTR": [f"{LONG}a.test"]}, "fail", "bad-name", f"{LONG}a.test"),
    "a bad name beside a good one": (
        V4,
        {f"{V4} PTR": [r"a\"b.test", "mail.test"], "mail.test A": [V4]},
        "pass",
        "confirmed",
        "mail.test",
    ),
    "underscore": (V4, {f"{V4} PTR": ["my_host.test"], "my_host.test A": [V4]}, "pass", "confirmed", "my_host.test"),
    "single label that confirms": (
        V4,
        {f"{V4} PTR": ["mailhost"], "mailhost A": [V4]},
        "pass",
        "confirmed",
        "mailhost",
    ),
}


@pytest.mark.parametrize(("client", "entries", "result", "reason", "ptr"), CASES.values(), ids=CASES.keys())
def test_case(client: str, entries: dict[str, Entry], result: str, reason: str, ptr: str) -> None:
    found = run(iprev(Answers(entries), ip_address(client), 10))
    assert (found.result, found.reason, found.ptr) == (result, reason, ptr)


@pytest.mark.parametrize("status", sorted(TEMPORARY))
@pytest.mark.parametrize("step", ["PTR", "A"])
def test_trouble_is_temperror_with_its_own_reason(status: str, step: str) -> None:
    entries: dict[str, Entry] = {f"{V4} PTR": ["a.test"], "a.test A": [V4]}
    entries[f"{V4} PTR" if step == "PTR" else "a.test A"] = status
    found = run(iprev(Answers(entries), ip_address(V4), 10))
    assert (found.result, found.reason) == ("temperror", "servfail" if status in UNRESOLVED else status)
    assert found.reason in FACTS["iprev_reason"].words


def test_at_most_so_many_names_are_asked_whatever_their_order() -> None:
    names = [f"h{number:02}.test" for number in range(30)]
    outcomes = set()
    for order in (names, names[::-1], names[15:] + names[:15]):
        answers = Answers({f"{V4} PTR": order, "h09.test A": [V4], "h10.test A": [V4]})
        found = run(iprev(answers, ip_address(V4), 10))
        outcomes.add((found.result, found.names, found.count))
        assert [question.name for question in answers.asked[1:]] == names[:10]
    assert outcomes == {("pass", ("h09.test",), 30)}


def test_the_eleventh_name_does_not_count() -> None:
    names = [f"h{number:02}.test" for number in range(11)]
    answers = Answers({f"{V4} PTR": names, "h10.test A": [V4]})
    assert run(iprev(answers, ip_address(V4), 10)).result == "fail"
    assert run(iprev(answers, ip_address(V4), 11)).result == "pass"


def test_names_that_cannot_be_used_take_no_place() -> None:
    names = [rf"\00{number}.test" for number in range(9)] + ["z.test"]
    found = run(iprev(Answers({f"{V4} PTR": names, "z.test A": [V4]}), ip_address(V4), 1))
    assert (found.result, found.ptr, found.count) == ("pass", "z.test", 10)


def test_a_mapped_address_is_an_ipv4_address() -> None:
    client = parse_address(f"::ffff:{V4}")
    assert client is not None
    found = run(iprev(Answers({f"{V4} PTR": ["a.test"], "a.test A": [V4]}), client, 10))
    assert found.result == "pass"


def test_all_confirmed_names_are_kept() -> None:
    entries: dict[str, Entry] = {f"{V4} PTR": ["c.test", "a.test", "b.test"], "a.test A": [V4], "c.test A": [V4]}
    found = run(iprev(Answers(entries), ip_address(V4), 10))
    assert (found.names, found.claimed, found.count) == (("a.test", "c.test"), ("a.test", "b.test", "c.test"), 3)
