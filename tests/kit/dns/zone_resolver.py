"""The product's resolver and check runner over a zone instead of a network, in virtual time.

Cache, coalescing, deadlines and the cache of facts are the product's; only a query gets its answer from a zone. No socket is opened
and nothing sleeps, so a test can run thousands of checks with answers in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

from rdns_milter.checks.evidence import Spf
from rdns_milter.config.load import Config
from rdns_milter.net.mailboxes import Mailbox, parse_mailbox
from rdns_milter.net.names import canonical, parse_address
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Question
from rdns_milter.resolver.query import Query
from rdns_milter.resolver.reading import Reading
from rdns_milter.resolver.resolver import Resolver
from rdns_milter.session.check_runner import CheckRunner, HeloResult, PendingFact, ReverseName
from rdns_milter.session.dns_thread import limits_of
from tests.kit.dns.virtual_time import VirtualLoop
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

CONFIG = Config()


@dataclass(frozen=True, slots=True)
class Message:
    """The input of the checks: the client's address, its HELO name, the sender."""

    client: str
    helo: str
    mailfrom: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts that the checks find for one message."""

    reverse: ReverseName
    helo: HeloResult
    spf_helo: Spf
    spf_mailfrom: Spf


class ZoneQuery(Query):
    """A query that is answered from a zone, some time later."""

    def __init__(self, *arguments: Any, zone: Zone, delay: float) -> None:
        super().__init__(*arguments)
        self._zone = zone
        self._delay = delay

    def start(self) -> None:
        """See Query."""
        lookup = VirtualTimeLookup(self._zone, delay=0.0, deadline=math.inf)
        (answer,) = run(lookup.ask((self.question,)))
        reading = Reading(answer.status, answer.values, answer.ttl)
        self._timer = self._sockets.timeouts.start(lookup.now + self._delay, partial(self._end, reading))


class ZoneResolver(Resolver):
    """A resolver for `zone`, which may be replaced. Each answer arrives `delay(question)` seconds later. `asked`: the questions
    that would have been sent, in their order."""

    def __init__(self, loop: VirtualLoop, zone: Zone, config: Config, delay: Callable[[Question], float]) -> None:
        super().__init__(loop, (), limits_of(config))
        self.zone = zone
        self.asked: list[Question] = []
        self._delay = delay

    @property
    def is_down(self) -> bool:
        """Always False: there is no server."""
        return False

    def _create(self, question: Question) -> ZoneQuery:
        self.asked.append(question)
        return ZoneQuery(
            self._sockets,
            question,
            iter(()),
            self._on_done,
            self._servers.on_status,
            zone=self.zone,
            delay=self._delay(question),
        )


class SimulatedWorker:
    """A worker's check runner over a zone. `entries`: the size of the two caches; with 0 each message is looked up anew. A context
    manager; at its end it asserts that no check raised an exception."""

    def __init__(
        self,
        zone: Zone,
        entries: int = 1000,
        delay: Callable[[Question], float] = lambda question: 0.02,
        config: Config = CONFIG,
    ) -> None:
        self._config = replace(config, dns=replace(config.dns, cache_entries=entries))
        self._bugs: list[str] = []
        self.loop = VirtualLoop()
        self.resolver = ZoneResolver(self.loop, zone, self._config, delay)
        self.check_runner = CheckRunner(self.loop, self.resolver, entries, lambda *bug: self._bugs.append(repr(bug)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.resolver.close()
        self.loop.close()
        assert not self._bugs

    def facts(self, *messages: Message) -> list[Facts]:
        """Return the facts for the messages, whose checks are all started at the same time."""
        begun = [begin(self.check_runner, message, self._config) for message in messages]
        self.settle([pending for pendings in begun for pending in pendings])
        return [found(pendings) for pendings in begun]

    def settle(self, pendings: Sequence[PendingFact[Any]]) -> None:
        """Let time pass until all facts are set."""

        async def all_in() -> None:
            future = self.loop.create_future()

            def check() -> None:
                if not future.done() and all(pending.value is not None for pending in pendings):
                    future.set_result(None)

            for pending in pendings:
                pending.add_callback(check)
            check()
            await future

        self.loop.run_until_complete(all_in())


def begin(check_runner: CheckRunner, message: Message, config: Config) -> tuple[PendingFact[Any], ...]:
    """Start all checks of a message as a session does, in the order of Facts. For the null sender SPF is that of the HELO name."""
    client = parse_address(message.client)
    assert client is not None
    mailbox = parse_mailbox(message.mailfrom)
    greeting = Mailbox("postmaster", canonical(message.helo))
    spf_helo = check_runner.start_spf(client, greeting, message.helo, config)
    return (
        check_runner.start_reverse_name(client, config),
        check_runner.start_helo(client, message.helo, config),
        spf_helo,
        spf_helo if mailbox.is_null else check_runner.start_spf(client, mailbox, message.helo, config),
    )


def found(pendings: Sequence[PendingFact[Any]]) -> Facts:
    """Return the facts, all of which are set."""
    return Facts(*map(_value, pendings))


def _value(pending: PendingFact[Any]) -> Any:
    return pending.value
