"""Collectors of list files accept the same entries as the readers of single values, and make the same sets of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.config import set_collectors
from rdns_milter.config.condition_types import GREETINGS, NETWORKS, PTR_NAMES, RECIPIENTS, SENDERS, ConditionType
from rdns_milter.net.networks import Networks
from rdns_milter.text.compact_set import SMALL, CompactSet, text_set

TYPES = {"networks": NETWORKS, "names": PTR_NAMES, "greetings": GREETINGS, "senders": SENDERS, "recipients": RECIPIENTS}
ENTRIES = [
    "192.0.2.1", "192.0.2.0/24", "192.0.2.1/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/255.255.255.0",
    "192.0.02.1", "192.0.2", "0.0.0.0/0", "255.255.255.255", "::", "::/0", "2001:db8::/32", "2001:DB8::1", "2001:db8::1/32",
    "::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "::ffff:192.0.2.1/120", "::ffff:0:0/96", "::fffe:0:0/95", "fe80::1%eth0",
    "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", "2001:db8::/129", "/24", "/", "192.0.2.1\0", "\u0661.2.3.4", "192.0.2.0/\u0662",
    "mx.example.com", "MX.Example.COM", "mx.example.com.", ".example.com", "*.example.com", "a..b", "-a.example", "a-.example",
    "a_b.example", "x." + "a" * 63, "x." + "a" * 64, "a." * 126 + "a", "a." * 127 + "a", "1.2.3.x", "host.1", "localhost",
    "bücher.example", "\u212a.example", "a b", "[192.0.2.1]", "user@example.com", "User@Example.COM", "user@", "@example.com",
    "<user@example.com>", "<>", "a..b@example.com", ".a@example.com", "user@localhost", "user@[192.0.2.1]", '"a b"@example.com',
    "user@1.2.3.4", "x" * 65 + "@example.com", "üser@example.com", "user@-a.example", "example", ".example", "user+x=y@a.example",
]  # fmt: skip


def one_by_one(condition_type: ConditionType, entries: list[str]) -> tuple[Any, list[str]]:
    """Return the set and the error messages, by the reader of single values."""
    return _read(entries, condition_type.read, condition_type.combine)


def collected(condition_type: ConditionType, entries: list[str]) -> tuple[Any, list[str]]:
    """Return the set and the error messages, by a collector."""
    assert condition_type.collector is not None
    collector = condition_type.collector()
    return _read(entries, collector.add, lambda _: collector.collected())


def _read(entries: list[str], read: Callable[[str], Any], combine: Callable[[list[Any]], Any]) -> tuple[Any, list[str]]:
    found, refused = [], []
    for entry in entries:
        try:
            found.append(read(entry))
        except ValueError as error:
            refused.append(str(error))
    return combine(found), refused


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_means_the_same_in_a_list(name: str, entry: str) -> None:
    assert collected(TYPES[name], [entry]) == one_by_one(TYPES[name], [entry])


_ANY = (
    st.from_regex(r"[0-9a-f.:/]{0,24}", fullmatch=True)
    | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,3})?", fullmatch=True)
    | st.from_regex(r"[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,8}(/[0-9]{1,3})?", fullmatch=True)
    | st.from_regex(r"[A-Za-z0-9_.@<>+\" \u00fc\u212a-]{1,30}", fullmatch=True)
    | st.ip_addresses().map(str)
    | st.tuples(st.ip_addresses(), st.integers(0, 128)).map(lambda it: f"{it[0]}/{it[1]}")
)


@pytest.mark.parametrize("name", TYPES)
@given(entries=st.lists(_ANY, max_size=6))
def test_any_entries_mean_the_same_in_a_list(name: str, entries: list[str]) -> None:
    assert collected(TYPES[name], entries) == one_by_one(TYPES[name], entries)


@given(numbers=st.lists(st.tuples(st.integers(0, 2**14 - 1), st.integers(20, 32)), max_size=40))
def test_networks_packed_in_several_steps_are_the_same_set(numbers: list[tuple[int, int]]) -> None:
    texts = [str(ip_network((number << 18 >> (32 - length) << (32 - length), length))) for number, length in numbers]
    texts += [f"2001:db8:{number:x}::/{length + 28}" for number, length in numbers if not number % 2]
    many, set_collectors._PACK_AT = set_collectors._PACK_AT, 3
    try:
        found, refused = collected(NETWORKS, texts)
    finally:
        set_collectors._PACK_AT = many
    expected, also_refused = one_by_one(NETWORKS, texts)
    assert (found, refused) == (expected, also_refused)
    for number, _ in numbers:
        address = ip_address(number << 18)
        assert (address in found) == any(address in network for network in expected)


_RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda it: (min(it), max(it))), max_size=6)


@given(_RANGES, _RANGES, _RANGES)
def test_sets_of_ranges(v4: list[tuple[int, int]], v6: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    """Compare membership, union, inclusion and pickling with sets of integers, for IPv4, and for IPv6 around 2^64."""
    middle = (1 << 64) - 30
    one = Networks.of_ranges(sorted(v4), sorted((first + middle, last + middle) for first, last in v6))
    two = Networks.of_ranges(sorted(others), sorted((first + middle, last + middle) for first, last in others))
    ours = [{number for first, last in ranges for number in range(first, last + 1)} for ranges in (v4, v6, others)]
    both = Networks.union([one, two])
    again = pickle.loads(pickle.dumps(both, 5))
    for number in range(-1, 62):
        for address, mine in ((IPv4Address(max(number, 0)), ours[0]), (IPv6Address(number + middle), ours[1])):
            inside = (int(address) if address.version == 4 else number) in mine
            other = (int(address) if address.version == 4 else number) in ours[2]
            assert (address in one) is inside
            assert (address in both) is (address in again) is (inside or other)
            assert any(address in network for network in one) is inside
    assert both == again
    assert both.covers(one)
    assert both.covers(two)
    assert one.covers(two) is (ours[2] <= ours[0] and ours[2] <= ours[1])


def test_a_compact_set_behaves_as_a_set() -> None:
    texts = {f"mx{number}.bücher.example" for number in range(SMALL + 1)}
    found = text_set(texts)
    assert isinstance(found, CompactSet)
    again = pickle.loads(pickle.dumps(found, 5))
    assert set(found) == set(again) == texts
    assert found == again == frozenset(texts)
    assert len(found) == len(texts)
    assert "mx7.bücher.example" in again
    assert "mx7.example" not in found
    assert "\ud800" not in found
    assert found | {"x"} == texts | {"x"}
    assert isinstance(text_set(list(texts)[:SMALL]), frozenset)
