"""Counts of the most frequent names in bounded memory: exact while they fit, never too high."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.monitoring.top_k import Entry, TopList


def test_exact_while_all_fit() -> None:
    names: TopList[str, str] = TopList(3)
    for name in "abacab":
        names.add(name, example=f"first {name}")
    names.add("d", 10)
    assert names.top() == [Entry("d", 10), Entry("a", 3, "first a"), Entry("b", 2, "first b"), Entry("c", 1, "first c")]
    assert names.top(1) == [Entry("d", 10)]
    assert names.top(0) == []
    assert names.missed == 0


def test_equal_counts_keep_their_order() -> None:
    names: TopList[str, str] = TopList()
    for name in ("z", "a", "m"):
        names.add(name)
    assert [entry.name for entry in names.top()] == ["z", "a", "m"]


def test_memory_is_bounded_and_the_frequent_survive() -> None:
    names: TopList[int, str] = TopList(50)
    for number in range(20_000):
        names.add(number, example=str(number))
        names.add(-(number % 5) - 1)
        assert len(names) <= 100
    top = names.top(5)
    assert {entry.name for entry in top} == {-1, -2, -3, -4, -5}
    assert all(entry.count == 4000 for entry in top)
    assert names.missed > 0


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3))), st.integers(1, 4))
def test_a_count_is_too_low_by_what_was_missed_at_most(stream: list[tuple[int, int]], capacity: int) -> None:
    names: TopList[int, str] = TopList(capacity)
    truth: Counter[int] = Counter()
    for name, count in stream:
        names.add(name, count)
        truth[name] += count
    found = {entry.name: entry.count for entry in names.top()}
    assert len(found) <= 2 * capacity
    assert all(0 <= true - found.get(name, 0) <= names.missed for name, true in truth.items())
