"""The resolver and the finder as they are, with a zone where the network would be, in a time of their own.

Cache, coalescing, deadlines, memory of findings: all of it is the product's; only what a flight does is replaced. No socket is
opened and nothing sleeps, so a test can run thousands of checks in any order of arrival.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from rdns_milter.checks.evidence import Spf
from rdns_milter.config.load import Config
from rdns_milter.net.mailboxes import Mailbox, parse_mailbox
from rdns_milter.net.names import canonical, parse_address
from rdns_milter.resolver.lookup import Question
from rdns_milter.resolver.query import Flight
from rdns_milter.resolver.reading import Reading
from rdns_milter.resolver.resolver import Resolver
from rdns_milter.session.check_runner import Finder, Greeting, Pending, ReverseName
from rdns_milter.session.dns_thread import limits_of
from tests.kit.dns.virtual_time import VirtualLoop
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_lookup import DictLookup, run

CONFIG = Config()


@dataclass(frozen=True, slots=True)
class Message:
    """What a check is about: the client's address, its greeting, the sender."""

    client: str
    helo: str
    mailfrom: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is found out about one message."""

    reverse: ReverseName
    greeting: Greeting
    spf_helo: Spf
    spf_mailfrom: Spf


class ZoneFlight(Flight):
    """A question that is answered out of a zone, some time later."""

    def __init__(self, *arguments: Any, zone: Zone, delay: float) -> None:
        super().__init__(*arguments)
        self._zone = zone
        self._delay = delay

    def start(self) -> None:
        """See Flight."""
        lookup = DictLookup(self._zone, delay=0.0, deadline=math.inf)
        (answer,) = run(lookup.ask((self.question,)))
        reading = Reading(answer.status, answer.values, answer.ttl)
        self._timer = self._loop.call_later(lookup.now + self._delay, self._end, reading)


class ZoneResolver(Resolver):
    """Asks `zone`, which may be replaced; each answer comes `delay(question)` seconds later. `asked`: the questions that would
    have gone out, in their order."""

    def __init__(self, loop: VirtualLoop, zone: Zone, config: Config, delay: Callable[[Question], float]) -> None:
        super().__init__(loop, (), limits_of(config))
        self.zone = zone
        self.asked: list[Question] = []
        self._delay = delay

    @property
    def is_down(self) -> bool:
        """Never: there is no server."""
        return False

    def _flight(self, question: Question) -> ZoneFlight:
        self.asked.append(question)
        return ZoneFlight(
            self._channels,
            question,
            iter(()),
            self._landed,
            self._heard,
            zone=self.zone,
            delay=self._delay(question),
        )


class SimulatedWorker:
    """A worker's finder over a zone. `entries`: what the resolver and the finder may each remember; with none, each message is
    looked up anew. A context manager, which holds at its end that no check broke."""

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
        self.finder = Finder(self.loop, self.resolver, entries, lambda *bug: self._bugs.append(repr(bug)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.resolver.close()
        self.loop.close()
        assert not self._bugs

    def facts(self, *messages: Message) -> list[Facts]:
        """What is found about the messages, all begun at the same moment."""
        begun = [begin(self.finder, message, self._config) for message in messages]
        self.settle([pending for pendings in begun for pending in pendings])
        return [found(pendings) for pendings in begun]

    def settle(self, pendings: Sequence[Pending[Any]]) -> None:
        """Let time pass until all are settled."""

        async def all_in() -> None:
            future = self.loop.create_future()

            def check() -> None:
                if not future.done() and all(pending.value is not None for pending in pendings):
                    future.set_result(None)

            for pending in pendings:
                pending.listen(check)
            check()
            await future

        self.loop.run_until_complete(all_in())


def begin(finder: Finder, message: Message, config: Config) -> tuple[Pending[Any], ...]:
    """All checks of a message begun, as a session begins them, in the order of Facts: the null sender is the greeting."""
    client = parse_address(message.client)
    assert client is not None
    mailbox = parse_mailbox(message.mailfrom)
    greeting = Mailbox("postmaster", canonical(message.helo))
    spf_helo = finder.spf(client, greeting, message.helo, config)
    return (
        finder.reverse_name(client, config),
        finder.greeting(client, message.helo, config),
        spf_helo,
        spf_helo if mailbox.is_null else finder.spf(client, mailbox, message.helo, config),
    )


def found(pendings: Sequence[Pending[Any]]) -> Facts:
    """What settled checks have found."""
    return Facts(*map(_value, pendings))


def _value(pending: Pending[Any]) -> Any:
    return pending.value
