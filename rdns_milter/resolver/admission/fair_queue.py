"""A fair queue: limits the tasks that run at the same time, in all and for each owner, and chooses the next task.

Pure: no DNS, no clock, no event loop; the caller starts and ends the tasks. A running task holds one place. It counts for several
owners (its client, a domain, its kind), and each kind of owner has a limit. A task waits if there is no free place or a limit is
reached. The clients take turns, so a client with a thousand waiting tasks delays only itself. Of NEW free places in a row, one goes
to a client that holds places already, and the others to clients that hold none. Must never exceed a limit. While fewer tasks run
than each limit allows, owners are not looked at.

Fair queueing: RFC 970; new and old flows: RFC 8290 4.2.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

NEW = 4  # free places, of which one goes to a client that holds places already
SCAN = 200  # lanes that are examined for one free place, at most

Task = TypeVar("Task")
Key = TypeVar("Key")
Owner = tuple[str, str]  # kind and name; each kind has a limit


@dataclass(frozen=True, slots=True)
class Capacity:
    """Limits on tasks. `places`: how many may run at the same time; `limits`: how many of one owner may run at the same time, by
    the kind of owner; `waiting`: how many may wait; `waiting_each`: how many of one client may wait."""

    places: int
    limits: Mapping[str, int]
    waiting: int
    waiting_each: int

    @property
    def unlimited(self) -> int:
        """The number of tasks that may run whatever their owners are."""
        return min(self.places, *self.limits.values())


class Ticket(Generic[Task]):
    """A task's request for a place. `client`: the client whose turn it uses; `find_owners`: returns the owners for which the task
    counts while it runs; called only if they are needed."""

    __slots__ = ("_find_owners", "_owners", "client", "task")

    def __init__(self, client: str, find_owners: Callable[[], tuple[Owner, ...]], task: Task) -> None:
        self.client = client
        self.task = task
        self._find_owners = find_owners
        self._owners: tuple[Owner, ...] | None = None

    @property
    def owners(self) -> tuple[Owner, ...]:
        """The owners for which the task counts. They are found at the first call."""
        if self._owners is None:
            self._owners = self._find_owners()
        return self._owners


# A lane: waiting tickets of one client with the same owners, oldest first. A limit blocks all of them or none.
_Lane = OrderedDict[Ticket[Task], None]
_Lanes = OrderedDict[tuple[Owner, ...], _Lane[Task]]
_Ring = OrderedDict[str, None]


class FairQueue(Generic[Task]):
    """The places, and the tickets that wait for one. `running`: the number of tickets that have a place; `waiting`: the number of
    tickets that wait."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.running = 0
        self.waiting = 0
        self._uncounted: set[Ticket[Task]] = set()  # running tickets that are in neither of these counts yet
        self._held: dict[Owner, int] = {}
        self._clients: dict[str, int] = {}  # places that each client holds
        self._lanes: dict[str, _Lanes[Task]] = {}
        self._waiting_of: dict[str, int] = {}
        # Clients with waiting tickets: those that held no place when the first of them came, and the others.
        self._new: _Ring = OrderedDict()
        self._old: _Ring = OrderedDict()
        self._turn = 0

    @property
    def capacity(self) -> Capacity:
        """The limits, which may be replaced at any time."""
        return self._capacity

    @capacity.setter
    def capacity(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._unlimited = capacity.unlimited

    def enter(self, ticket: Ticket[Task]) -> bool:
        """Give the ticket a place, or let it wait for one. Return whether it has a place."""
        if self.running < self._unlimited:
            self.running += 1
            self._uncounted.add(ticket)
            return True
        self._count_all()
        if self.running < self.capacity.places and not self._is_blocked(ticket.owners):
            self._take(ticket)
            return True
        client = ticket.client
        lanes = self._lanes.get(client)
        if lanes is None:
            lanes = self._lanes[client] = OrderedDict()
            ring = self._old if client in self._clients else self._new
            ring[client] = None
        lanes.setdefault(ticket.owners, OrderedDict())[ticket] = None
        self.waiting += 1
        _add(self._waiting_of, client)
        return False

    def leave(self, ticket: Ticket[Task]) -> None:
        """Free the place of a ticket whose task has ended."""
        self.running -= 1
        if ticket in self._uncounted:
            self._uncounted.remove(ticket)
            return
        _subtract(self._clients, ticket.client)
        for owner in ticket.owners:
            _subtract(self._held, owner)

    def next(self) -> Ticket[Task] | None:
        """Give a free place to the next ticket, and return the ticket. Return None if no place is free, or limits block all
        tickets."""
        if not self.waiting or self.running >= self.capacity.places:
            return None
        self._count_all()
        self._turn = (self._turn + 1) % NEW
        rings = (self._new, self._old) if self._turn else (self._old, self._new)
        scans_left = SCAN
        for ring in rings:
            for _ in range(len(ring)):
                if scans_left <= 0:
                    return None
                client = next(iter(ring))
                found, examined = self._first_of(client, scans_left)
                scans_left -= examined
                if found is None:
                    ring.move_to_end(client)
                    continue
                self.withdraw(found)
                if client in ring:
                    del ring[client]
                    self._old[client] = None
                self._take(found)
                return found
        return None

    def withdraw(self, ticket: Ticket[Task]) -> bool:
        """Remove a waiting ticket. Return False if it was not waiting."""
        client = ticket.client
        lanes = self._lanes.get(client)
        lane = None if lanes is None else lanes.get(ticket.owners)
        if lanes is None or lane is None or ticket not in lane:
            return False
        del lane[ticket]
        self.waiting -= 1
        _subtract(self._waiting_of, client)
        if not lane:
            del lanes[ticket.owners]
        if not lanes:
            del self._lanes[client]
            self._new.pop(client, None)
            self._old.pop(client, None)
        return True

    def held_by(self, client: str) -> int:
        """Return the number of places that the client holds."""
        self._count_all()
        return self._clients.get(client, 0)

    def overflow(self, client: str) -> Ticket[Task] | None:
        """Remove and return a waiting ticket if too many wait; None otherwise. Call it after a ticket of `client` has begun to
        wait.

        If all clients together exceed the limit, the newest ticket of the client with the most waiting tickets is removed.
        Otherwise, if `client` exceeds its limit, its newest ticket is removed. The client "" has no limit of its own."""
        if self.waiting > self.capacity.waiting:
            client = max(self._waiting_of, key=self._waiting_of.__getitem__)
        elif not client or self._waiting_of.get(client, 0) <= self.capacity.waiting_each:
            return None
        lanes = self._lanes[client]
        ticket = next(reversed(lanes[next(reversed(lanes))]))
        self.withdraw(ticket)
        return ticket

    def clear(self) -> None:
        """Remove all waiting tickets. Running ones keep their places."""
        self.waiting = 0
        for each in (self._lanes, self._waiting_of, self._new, self._old):
            each.clear()

    def _is_blocked(self, owners: tuple[Owner, ...]) -> bool:
        held, limits = self._held, self.capacity.limits
        for owner in owners:  # noqa: SIM110 - called for each query; a generator takes twice as long
            if held.get(owner, 0) >= limits[owner[0]]:
                return True
        return False

    def _take(self, ticket: Ticket[Task]) -> None:
        self.running += 1
        self._count(ticket)

    def _count_all(self) -> None:
        """Count the running tickets that are not counted yet. There are at most Capacity.unlimited of them."""
        while self._uncounted:
            self._count(self._uncounted.pop())

    def _count(self, ticket: Ticket[Task]) -> None:
        _add(self._clients, ticket.client)
        for owner in ticket.owners:
            _add(self._held, owner)

    def _first_of(self, client: str, limit: int) -> tuple[Ticket[Task] | None, int]:
        """Return two values: the client's first ticket that no limit blocks, None if there is none; and the number of lanes
        examined, at most `limit`. The client's lanes take turns."""
        lanes = self._lanes[client]
        for examined in range(1, min(len(lanes), limit) + 1):
            owners = next(iter(lanes))
            lanes.move_to_end(owners)
            if not self._is_blocked(owners):
                return next(iter(lanes[owners])), examined
        return None, min(len(lanes), limit)


def _add(counts: dict[Key, int], key: Key) -> None:
    counts[key] = counts.get(key, 0) + 1


def _subtract(counts: dict[Key, int], key: Key) -> None:
    """Subtract one, and remove the key at zero."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
