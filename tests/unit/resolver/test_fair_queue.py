"""The fair queue: no limit is exceeded, no place stays free while a waiting task may have it, and every task gets a place."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rdns_milter.resolver.admission.fair_queue import NEW, Capacity, FairQueue, Ticket

LIMITS = {"client": 3, "zone": 4, "kind": 6}
CAPACITY = Capacity(places=8, limits=LIMITS, waiting=30, waiting_each=12)


def ticket(number: int, client: str, zone: str = "", kind: str = "") -> Ticket[int]:
    """Return a ticket that counts for a client and, if given, for a zone and a kind."""
    owners = tuple(owner for owner in (("client", client), ("zone", zone), ("kind", kind)) if owner[1])
    return Ticket(client, lambda: owners, number)


def clients_served(queue: FairQueue[int], count: int) -> list[str]:
    """Return the clients of the next tickets, if each place is freed before the next one is given."""
    served = []
    for _ in range(count):
        found = queue.next()
        assert found is not None
        served.append(found.client)
        queue.leave(found)
    return served


def test_a_new_client_finds_a_place_during_a_flood() -> None:
    queue: FairQueue[int] = FairQueue(CAPACITY)
    assert [queue.enter(ticket(number, "flood")) for number in range(10)] == [True] * 3 + [False] * 7
    assert queue.enter(ticket(10, "newcomer"))
    assert queue.next() is None  # the flood's limit is reached, though places are free


def test_a_silent_zone_leaves_places_to_others() -> None:
    queue: FairQueue[int] = FairQueue(CAPACITY)
    entered = [queue.enter(ticket(number, f"client{number}", "asleep.example")) for number in range(20)]
    assert sum(entered) == LIMITS["zone"]
    assert queue.enter(ticket(20, "client0", "awake.example"))


def test_owners_are_looked_at_only_near_a_limit() -> None:
    """Tickets that entered before count from then on, and each of them once."""
    queue: FairQueue[int] = FairQueue(CAPACITY)
    asked: list[int] = []

    def owned(number: int) -> Ticket[int]:
        def owners() -> tuple[tuple[str, str], ...]:
            asked.append(number)
            return (("client", "a" if number else "b"),)

        return Ticket("a" if number else "b", owners, number)

    few = [owned(number) for number in range(3)]
    assert all(map(queue.enter, few))
    queue.leave(few[0])
    assert asked == []
    assert queue.enter(owned(3))
    assert not queue.enter(owned(4))  # three tickets of "a" run
    assert sorted(asked) == [1, 2, 3, 4]
    queue.leave(few[1])
    found = queue.next()
    assert found is not None
    assert found.task == 4


def test_clients_take_turns() -> None:
    queue: FairQueue[int] = FairQueue(Capacity(1, LIMITS, 100, 100))
    first = ticket(0, "other")
    assert queue.enter(first)
    for number in range(9):
        assert not queue.enter(ticket(number, "many"))
    assert not queue.enter(ticket(10, "few"))
    queue.leave(first)
    assert "few" in clients_served(queue, 3)


def test_clients_without_a_place_come_first() -> None:
    queue: FairQueue[int] = FairQueue(Capacity(4, LIMITS, 1000, 1000))
    holding = [ticket(number, f"old{number}") for number in range(4)]
    assert all(map(queue.enter, holding))
    for number in range(40):
        queue.enter(ticket(number, f"old{number % 3}"))
    for number in range(10):
        queue.enter(ticket(number, f"new{number}"))
    queue.leave(holding[3])
    served = clients_served(queue, 4 * NEW)
    assert sum(client.startswith("old") for client in served[:NEW]) == 1
    assert sum(client.startswith("new") for client in served) == 10


@pytest.mark.parametrize("waiting", [5, 1000])
def test_too_many_wait(waiting: int) -> None:
    """The client with the most tickets loses its newest ones; a client with few tickets keeps them."""
    queue: FairQueue[int] = FairQueue(Capacity(1, LIMITS, waiting, 4))
    queue.enter(ticket(0, "holder"))
    evicted = []
    for number, client in enumerate(["many"] * 8 + ["few"] * 2, 1):
        assert not queue.enter(ticket(number, client))
        while (last := queue.overflow(client)) is not None:
            evicted.append(last.task)
    assert evicted[:4] == [5, 6, 7, 8]
    assert len(evicted) == 10 - queue.waiting
    assert queue.waiting == min(waiting, 6)
    assert set(evicted) <= set(range(1, 9))


def test_withdrawn() -> None:
    queue: FairQueue[int] = FairQueue(Capacity(1, LIMITS, 100, 100))
    held, waits = ticket(0, "a"), ticket(1, "b")
    assert queue.enter(held)
    assert not queue.enter(waits)
    assert queue.withdraw(waits)
    assert not queue.withdraw(waits)
    assert not queue.withdraw(held)
    queue.leave(held)
    assert queue.next() is None
    assert (queue.running, queue.waiting) == (0, 0)


class Places(RuleBasedStateMachine):
    """Tickets that enter, leave and are withdrawn in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(CAPACITY)
        self.running: list[Ticket[int]] = []
        self.waiting: list[Ticket[int]] = []
        self.count = 0

    @rule(client=st.sampled_from("abcdef"), zone=st.sampled_from("xyz"), kind=st.sampled_from(("", "k")))
    def enter(self, client: str, zone: str, kind: str) -> None:
        self.count += 1
        new = ticket(self.count, client, zone, kind)
        (self.running if self.queue.enter(new) else self.waiting).append(new)
        last = self.queue.overflow(client)
        if last is not None:
            self.waiting.remove(last)
        self.fill()

    @rule(which=st.integers(0, 1000))
    def leave(self, which: int) -> None:
        if self.running:
            self.queue.leave(self.running.pop(which % len(self.running)))
            self.fill()

    @rule(which=st.integers(0, 1000))
    def withdraw(self, which: int) -> None:
        if self.waiting:
            assert self.queue.withdraw(self.waiting.pop(which % len(self.waiting)))

    def fill(self) -> None:
        while (found := self.queue.next()) is not None:
            self.waiting.remove(found)
            self.running.append(found)

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        held = Counter(owner for each in self.running for owner in each.owners)
        assert len(self.running) == self.queue.running <= CAPACITY.places
        assert all(count <= LIMITS[kind] for (kind, _), count in held.items())
        assert self.queue.waiting == len(self.waiting) <= CAPACITY.waiting
        assert all(count <= CAPACITY.waiting_each for count in Counter(each.client for each in self.waiting).values())

    @invariant()
    def no_place_stays_free(self) -> None:
        held = Counter(owner for each in self.running for owner in each.owners)
        if len(self.running) < CAPACITY.places:
            for each in self.waiting:
                assert any(held[owner] >= LIMITS[owner[0]] for owner in each.owners)

    def teardown(self) -> None:
        """Check that every ticket gets a place."""
        while self.running:
            self.leave(0)
        assert self.waiting == []
        assert (self.queue._held, self.queue._clients, self.queue._waiting_of) == ({}, {}, {})
        assert not self.queue._new
        assert not self.queue._old


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=60, stateful_step_count=80, deadline=None)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(1, 200))
def test_no_client_starves(clients: int, greed: int) -> None:
    """One task of each client gets a place within two rounds, whatever number of tasks another client has waiting."""
    queue: FairQueue[int] = FairQueue(Capacity(1, {"client": 1}, 10_000, 10_000))
    held = ticket(0, "greedy")
    queue.enter(held)
    for number in range(greed):
        queue.enter(ticket(number, "greedy"))
    for number in range(clients):
        queue.enter(ticket(number, f"c{number}"))
    queue.leave(held)
    served = clients_served(queue, min(2 * clients + 1, clients + greed))
    assert {f"c{number}" for number in range(clients)} <= set(served)
