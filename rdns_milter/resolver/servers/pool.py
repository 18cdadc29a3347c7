"""The name servers of a resolver: which one a query tries next, which are down, and probes of those in doubt.

Sends nothing but probes. Must never take a sender's dead zone for a dead server (resolver/servers/health.py). Runs on the event
loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...net.endpoints import Endpoint
from ..events import ResolverEvents
from ..lookup import UNRESOLVED, Answer, Question, Status
from ..query import UNREACHABLE, Attempt, Query
from ..reading import Reading
from ..transport.sockets import SocketPool
from .health import ServerHealth

GROWTH = 1.5  # each further round over the servers takes so much longer than the one before
PROBE = 1.0  # seconds from one probe of a server to the next
_FAULTS = frozenset(("timeout", UNREACHABLE)) | UNRESOLVED  # statuses of a server that does not resolve


class ServerPool:
    """Name servers and their health. `on_recovery` is called when a server answers that was down or unreachable, `on_all_down` when
    the last server goes down. `last_answer`: when any of them resolved a query, on the loop's clock."""

    def __init__(
        self,
        sockets: SocketPool,
        servers: Sequence[Endpoint],
        events: ResolverEvents,
        on_recovery: Callable[[], None],
        on_all_down: Callable[[], None],
    ) -> None:
        self.last_answer = float("-inf")
        self._sockets = sockets
        self._health = {server: ServerHealth() for server in servers}
        self._events = events
        self._on_recovery = on_recovery
        self._on_all_down = on_all_down
        self._in_probe: set[Endpoint] = set()  # from one probe to the time of the next
        self._probes: set[Query] = set()

    @property
    def are_down(self) -> bool:
        """Whether all servers are down."""
        for health in self._health.values():  # noqa: SIM110 - called for each question; a generator takes twice as long
            if not health.down:
                return False
        return True

    def replace(self, servers: Sequence[Endpoint]) -> None:
        """Use these servers from the next query on."""
        self._health = {server: self._health.get(server) or ServerHealth() for server in servers}

    def close(self) -> None:
        """Cancel the probes that are under way."""
        for probe in self._probes:
            probe.cancel()

    def attempts(self, timeout: float, rounds: int, makes_way: Callable[[], bool]) -> Iterator[Attempt]:
        """Yield the attempts of a query: each server in turn, in several rounds, each longer than the one before. Servers that are
        down are skipped unless all are. The last of several rounds is without EDNS, because some path or server may drop queries
        with it. Before each further round `makes_way` is asked whether the query has to stop."""
        for turn in range(rounds):
            if turn and makes_way():
                return
            for server, health in tuple(self._health.items()):
                if not health.down or self.are_down:
                    yield Attempt(server, timeout * GROWTH**turn, edns=turn == 0 or turn < rounds - 1)

    def on_status(self, server: Endpoint, question: Question, status: Status) -> None:
        """Note the outcome of one attempt. A server that is not used any more is ignored."""
        health = self._health.get(server)
        if health is None:
            return
        if status in _FAULTS:
            if health.unanswered(question, status):
                self._probe(server, health)
            return
        self.last_answer = self._sockets.loop.time()
        was_unreachable = health.fault == UNREACHABLE  # which no sender can cause
        was_down = health.answered(question)
        if was_down or was_unreachable:
            self._on_recovery()
        if was_down:
            self._events.server_changed(server, "ok")

    def _probe(self, server: Endpoint, health: ServerHealth) -> None:
        """Probe a server, once a second until it is not in doubt any more."""
        if server in self._in_probe:
            return
        self._in_probe.add(server)
        loop = self._sockets.loop
        until = loop.time() + PROBE

        def on_status(server: Endpoint, question: Question, status: Status) -> None:
            if status not in _FAULTS:
                self.on_status(server, question, status)

        def on_done(probe: Query, reading: Reading) -> None:
            self._probes.discard(probe)
            if reading.status in _FAULTS and health.missed():
                self._events.server_changed(server, health.fault)
                if self.are_down:
                    self._on_all_down()
            loop.call_at(until, probe_again)

        def probe_again() -> None:
            self._in_probe.discard(server)
            if health.in_doubt and self._health.get(server) is health:
                self._probe(server, health)

        probe = Query(self._sockets, health.probe(), iter((Attempt(server, PROBE, True),)), on_done, on_status)
        probe.waiters.append(_ignore)
        self._probes.add(probe)
        probe.start()


def _ignore(answer: Answer) -> None:
    """Wait for a probe's answer without using it."""
