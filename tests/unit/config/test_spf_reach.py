"""What an SPF record authorizes: how many addresses, everybody, or addresses without number."""

from __future__ import annotations

import pytest

from rdns_milter.config.lint_checks.spf_reach import MAX_HOSTS, MAX_RECORDS, MAX_TEXT, Reach, spf_reach
from rdns_milter.resolver.instant_lookup import run
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

ZONE = """
one.example        TXT "v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.128/25 ip4:198.51.100.7 ip6:2001:db8::/32 -all"
tree.example       TXT "v=spf1 include:one.example include:two.example ~all"
two.example        TXT "v=spf1 ip4:203.0.113.0/25 redirect=three.example"
three.example      TXT "v=spf1 ip4:203.0.113.128/25 -all"
hosts.example      TXT "v=spf1 a/30 mx a:mail.hosts.example/24//64 -all"
hosts.example      A   192.0.2.9
hosts.example      MX  10 mail.hosts.example
mail.hosts.example A   198.51.100.9
mail.hosts.example AAAA 2001:db8::9
cloud.example      TXT "v=spf1 ip4:10.0.0.0/8 include:one.example ?all"
all.example        TXT "v=spf1 ip4:192.0.2.1 include:anyone.example -all"
anyone.example     TXT "v=spf1 all"
macro.example      TXT "v=spf1 exists:%{i}.list.example include:%{d}.x.example ptr a:%{h} ip4:192.0.2.1 -all"
minus.example      TXT "v=spf1 -ip4:192.0.2.0/24 ?include:one.example ~a ?all ip4:198.51.100.0/24"
loop.example       TXT "v=spf1 ip4:192.0.2.1 include:loop.example include:pool.example -all"
pool.example       TXT "v=spf1 ip4:192.0.2.2 include:loop.example -all"
broken.example     TXT "v=spf1 ip4:192.0.2.0/33 -all"
above.example      TXT "v=spf1 ip4:192.0.2.1 include:broken.example -all"
down.example       SERVFAIL
again.example      TXT "v=spf1 redirect=again.example"
twice.example      TXT "v=spf1 include:tree.example include:tree.example -all"
many.example       TXT "v=spf1 mx -all"
void.example       TXT "v=spf1 a a:none.example mx a:down.example ip4:192.0.2.1 -all"
void.example       A   192.0.2.9
later.example      TXT "v=spf1 mx:down.example -all"
nobody.example     TXT "v=spf1 -all"
neutral.example    TXT "v=spf1 ?all"
"""
ZONE += "".join(f"many.example MX {n} mx{n}.many.example\nmx{n}.many.example A 192.0.2.{n}\n" for n in range(11))


def reach(domain: str, more: str = "") -> Reach:
    return run(spf_reach(VirtualTimeLookup(Zone(ZONE + more)), domain))


@pytest.mark.parametrize(
    ("domain", "addresses"),
    [
        ("one.example", 257),
        ("tree.example", 257 + 256),
        ("two.example", 256),
        ("hosts.example", 4 + 256),
        ("cloud.example", (1 << 24) + 257),
        ("minus.example", 0),
    ],
)
def test_addresses_are_counted_once(domain: str, addresses: int) -> None:
    found = reach(domain)
    assert found.ipv4_addresses == addresses
    assert (found.everybody, found.uncountable, found.problem) == ("", [], "")


def test_the_largest_networks_come_first() -> None:
    assert list(map(str, reach("cloud.example").largest))[:2] == ["10.0.0.0/8", "192.0.2.0/24"]
    assert str(reach("one.example").largest[-1]) == "2001:db8::/32"


def test_everybody() -> None:
    assert reach("anyone.example").everybody == "all in the record of anyone.example"
    assert reach("all.example").everybody == "all in the record of anyone.example"


def test_terms_that_cannot_be_counted() -> None:
    found = reach("macro.example")
    assert found.uncountable == ["exists:%{i}.list.example", "include:%{d}.x.example", "ptr", "a:%{h}"]
    assert found.ipv4_addresses == 1


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        ("nothing.example", "nothing.example has no SPF record that can be evaluated"),
        ("down.example", "the record of down.example could not be looked up (servfail)"),
        ("above.example", "the record of broken.example has an error: Invalid IP4 CIDR length"),
        ("loop.example", "the record of loop.example includes itself"),
        ("pool.example", "the record of loop.example includes itself"),
        ("again.example", "the record of again.example includes itself"),
        ("many.example", "mx has 11 MX hosts, more than 10"),
        ("void.example", "down.example could not be looked up (servfail)"),
        ("later.example", "down.example could not be looked up (servfail)"),
    ],
)
def test_problems(domain: str, problem: str) -> None:
    assert reach(domain).problem.startswith(problem)


@pytest.mark.parametrize(
    ("domain", "lookups"),
    [
        ("one.example", 0),
        ("tree.example", 3),
        ("hosts.example", 3),
        ("macro.example", 4),
        ("twice.example", 8),  # RFC 7208 4.6.4: each time that a record is included
    ],
)
def test_terms_that_cause_lookups_are_counted(domain: str, lookups: int) -> None:
    assert reach(domain).lookups == lookups


def test_names_that_do_not_exist_are_counted() -> None:
    assert reach("void.example").voids == 2  # a:none.example, mx
    assert reach("hosts.example").voids == 0


@pytest.mark.parametrize(
    ("domain", "is_nobody"),
    [
        ("nobody.example", True),
        ("neutral.example", True),
        ("one.example", False),
        ("anyone.example", False),
        ("macro.example", False),
        ("later.example", False),
        ("down.example", False),
    ],
)
def test_a_record_that_authorizes_nobody(domain: str, is_nobody: bool) -> None:
    assert reach(domain).is_nobody == is_nobody


def test_texts_are_bounded_and_harmless() -> None:
    long, odd = "a" * 480, "\x1b[31m"
    more = f'long.example TXT "v=spf1 exists:%{{i}}.{long} include:{odd}{long}.example -all"'
    found = reach("long.example", more)
    assert found.problem
    for text in (*found.uncountable, found.problem):
        assert len(text) <= 2 * MAX_TEXT
        assert text.isprintable()


def test_the_walk_ends() -> None:
    chain = "\n".join(f'c{n}.example TXT "v=spf1 ip4:192.0.{n}.0/24 include:c{n + 1}.example -all"' for n in range(100))
    assert reach("c0.example", chain).ipv4_addresses == MAX_RECORDS * 256
    terms = " ".join(f"a:h{n}.example" for n in range(100))
    hosts = "\n".join(f"h{n}.example A 192.0.2.{n}" for n in range(100))
    assert reach("wide.example", f'wide.example TXT "v=spf1 {terms} -all"\n{hosts}').ipv4_addresses == MAX_HOSTS
