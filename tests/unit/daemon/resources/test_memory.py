"""Garbage collection of a worker: a cycle among frozen objects is freed within the stated growth, and not examined before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from rdns_milter.daemon.resources.memory import IDLE_GROWTH, MAX_GROWTH, UNEXAMINED, GarbageCollector


class Node:
    """An object that can be part of a cycle and referred to weakly."""

    def __init__(self) -> None:
        self.other: Node | None = None


@pytest.fixture
def collector() -> Iterator[GarbageCollector]:
    """A collector as in a worker: automatic collection is off."""
    gc.disable()
    try:
        yield GarbageCollector()
    finally:
        gc.unfreeze()
        gc.enable()


def leak_a_frozen_cycle(collector: GarbageCollector) -> weakref.ref[Node]:
    """Let a cycle become garbage after it was frozen."""
    node = Node()
    node.other = Node()
    node.other.other = node
    collector.run(is_idle=False)
    return weakref.ref(node)


def grow(blocks: int) -> list[float]:
    """Allocate so many blocks, none of which the collector examines."""
    return [number + 0.5 for number in range(blocks)]


def test_a_new_cycle_is_freed_at_once(collector: GarbageCollector) -> None:
    node = Node()
    node.other = node
    dead = weakref.ref(node)
    del node
    collector.run(is_idle=False)
    assert dead() is None


def leak_each_time(collector: GarbageCollector, times: int, is_idle: bool) -> list[bool]:
    """Let a cycle become garbage before each of so many collections. Return which of them are freed by it."""
    freed = []
    for _ in range(times):
        node = Node()
        node.other = node
        dead = weakref.ref(node)
        del node
        collector.run(is_idle)
        freed.append(dead() is None)
    return freed


@pytest.mark.parametrize(("is_idle", "unexamined"), [(True, 0), (False, UNEXAMINED)])
def test_new_objects_are_examined_now_and_then(collector: GarbageCollector, is_idle: bool, unexamined: int) -> None:
    """After a collection that found nothing some are left out in a busy process, after one that found something none."""
    collector.run(is_idle=True)
    collector.run(is_idle=True)  # the first one may have found what other tests left
    assert leak_each_time(collector, unexamined + 20, is_idle) == [False] * unexamined + [True] * 20


def test_a_frozen_object_is_freed_with_its_last_reference(collector: GarbageCollector) -> None:
    node = Node()
    dead = weakref.ref(node)
    collector.run(is_idle=False)
    del node
    assert dead() is None


@pytest.mark.parametrize(("is_idle", "bound"), [(True, IDLE_GROWTH), (False, MAX_GROWTH)])
def test_a_frozen_cycle_is_freed_within_the_growth(collector: GarbageCollector, is_idle: bool, bound: int) -> None:
    dead = leak_a_frozen_cycle(collector)
    grown = [grow(bound // 2)]
    collector.run(is_idle)
    assert dead() is not None, "all objects were examined although the process has hardly grown"
    grown.append(grow(bound - bound // 2))
    collector.run(is_idle)
    assert dead() is None
    del grown


def test_growth_counts_from_the_lowest_size(collector: GarbageCollector) -> None:
    """A process that has shrunk, as when a cache is cleared, may not leak all that it has given back."""
    ballast = grow(MAX_GROWTH // 2)
    collector.run(is_idle=False)
    del ballast
    collector.run(is_idle=False)
    dead = leak_a_frozen_cycle(collector)
    grown = grow(MAX_GROWTH)
    collector.run(is_idle=False)
    assert dead() is None
    del grown


def test_cycles_without_end_do_not_fill_the_memory(collector: GarbageCollector) -> None:
    """As long as cycles are leaked each second, at most so many of them exist as MAX_GROWTH allows."""
    alive: weakref.WeakSet[Node] = weakref.WeakSet()
    most = 0
    for _ in range(40):
        nodes = [Node() for _ in range(MAX_GROWTH // 20)]
        for node in nodes:
            node.other = node
        alive.update(nodes)
        collector.run(is_idle=False)
        del nodes, node
        most = max(most, len(alive))
    assert 0 < most <= MAX_GROWTH
