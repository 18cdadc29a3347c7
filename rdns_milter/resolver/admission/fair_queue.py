"""A fair queue for places: how many tasks may run at once, in all and for each owner, and whose turn is next.

Pure: no DNS, no clock, no event loop; the caller starts and ends the tasks. A task counts for several owners (its client, a domain,
its kind); each kind of owner has a limit. A task that finds no place waits. Waiting tasks are served client by client, so that a
client with a thousand of them delays only itself; of NEW free places all but one go to clients that hold none. No limit is ever
exceeded.

The scheme is that of fair queueing (RFC 970; new and old flows: RFC 8290 4.2).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

NEW = 4  # free places, of which one goes to the clients that hold some already
SCAN = 200  # owners that are examined for one free place, at most

Task = TypeVar("Task")
Key = TypeVar("Key")
Owner = tuple[str, str]  # its kind, which has a limit, and its name


@dataclass(frozen=True, slots=True)
class Capacity:
    """`places`: tasks that may run at once. `limits`: those of one owner, by the kind of owner. `waiting`: tasks that may wait, in
    all; `waiting_each`: those of one client."""

    places: int
    limits: Mapping[str, int]
    waiting: int
    waiting_each: int


class Ticket(Generic[Task]):
    """A task's request for a place. `client`: in whose turn it is served; `owners`: for whom it counts while it runs."""

    __slots__ = ("client", "owners", "task")

    def __init__(self, client: str, owners: tuple[Owner, ...], task: Task) -> None:
        self.client = client
        self.owners = owners
        self.task = task


# The waiting tickets of one client, oldest first, by their owners: all of a lane are held up by the same limits.
_Lane = OrderedDict[Ticket[Task], None]
_Lanes = OrderedDict[tuple[Owner, ...], _Lane[Task]]
_Ring = OrderedDict[str, None]


class FairQueue(Generic[Task]):
    """The places and those who wait for one. `running`, `waiting`: how many tickets there are of each."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.running = 0
        self.waiting = 0
        self._held: dict[Owner, int] = {}
        self._clients: dict[str, int] = {}  # places that each holds
        self._lanes: dict[str, _Lanes[Task]] = {}
        self._waiting_of: dict[str, int] = {}
        # Clients that wait: those that held no place when they began to, and the others.
        self._new: _Ring = OrderedDict()
        self._old: _Ring = OrderedDict()
        self._turn = 0

    def enter(self, ticket: Ticket[Task]) -> bool:
        """Give the ticket a place: True. False: it waits for one."""
        if self.running < self.capacity.places and not self._is_held_up(ticket.owners):
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
        """The ticket's task has ended: its place is free."""
        self.running -= 1
        _subtract(self._clients, ticket.client)
        for owner in ticket.owners:
            _subtract(self._held, owner)

    def next(self) -> Ticket[Task] | None:
        """Give a free place to the ticket whose turn it is; None if there is no place, or nobody for it."""
        if not self.waiting or self.running >= self.capacity.places:
            return None
        self._turn = (self._turn + 1) % NEW
        rings = (self._new, self._old) if self._turn else (self._old, self._new)
        left = SCAN
        for ring in rings:
            for _ in range(len(ring)):
                if left <= 0:
                    return None
                client = next(iter(ring))
                found, examined = self._first_of(client, left)
                left -= examined
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
        """The ticket waits no longer; False if it did not wait."""
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
        """How many places the client holds."""
        return self._clients.get(client, 0)

    def overflow(self, client: str) -> Ticket[Task] | None:
        """Withdraw a ticket if more wait than may, after one of this client has begun to: its newest, or the newest of the client
        that has the most. "" is no client, and has no limit of its own."""
        if self.waiting > self.capacity.waiting:
            client = max(self._waiting_of, key=self._waiting_of.__getitem__)
        elif not client or self._waiting_of.get(client, 0) <= self.capacity.waiting_each:
            return None
        lanes = self._lanes[client]
        ticket = next(reversed(lanes[next(reversed(lanes))]))
        self.withdraw(ticket)
        return ticket

    def clear(self) -> None:
        """Forget all who wait. Those who run keep their places."""
        self.waiting = 0
        for each in (self._lanes, self._waiting_of, self._new, self._old):
            each.clear()

    def _is_held_up(self, owners: tuple[Owner, ...]) -> bool:
        held, limits = self._held, self.capacity.limits
        for owner in owners:  # noqa: SIM110 - asked for each question: a generator would take twice as long
            if held.get(owner, 0) >= limits[owner[0]]:
                return True
        return False

    def _take(self, ticket: Ticket[Task]) -> None:
        self.running += 1
        _add(self._clients, ticket.client)
        for owner in ticket.owners:
            _add(self._held, owner)

    def _first_of(self, client: str, most: int) -> tuple[Ticket[Task] | None, int]:
        """The client's first ticket that nothing holds up, if there is one, and how many lanes were examined. Its lanes take
        turns."""
        lanes = self._lanes[client]
        for examined in range(1, min(len(lanes), most) + 1):
            owners = next(iter(lanes))
            lanes.move_to_end(owners)
            if not self._is_held_up(owners):
                return next(iter(lanes[owners])), examined
        return None, min(len(lanes), most)


def _add(counts: dict[Key, int], key: Key) -> None:
    counts[key] = counts.get(key, 0) + 1


def _subtract(counts: dict[Key, int], key: Key) -> None:
    """One less; what is at zero is not kept."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
