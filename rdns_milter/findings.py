"""Facts on their way: checks are begun early, and collected by whoever needs them, when he needs them.

The seam between the threads that serve the MTA and the event loop that asks DNS. Begins checks and never waits for one on
the loop's thread; judges nothing. A check that breaks gives `temperror`, never an exception, and says so.

RFC 8601 2.7.3, RFC 7208 (what `temperror` means).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .checks.generic import generic
from .checks.helo import resolve
from .checks.iprev import iprev
from .checks.spf import Finding, Limits, spf
from .config import Config
from .evidence import TEMPERROR, Iprev, Spf
from .evidence import Generic as GenericFact
from .lookup import Answer
from .names import Address, Mailbox
from .resolver import Inquiry, Resolver

Found = TypeVar("Found")
Check = Callable[[Inquiry], Coroutine[Any, Any, Found]]


@dataclass(frozen=True, slots=True)
class ReverseName:
    """What the address alone tells."""

    iprev: Iprev
    generic: GenericFact


@dataclass(frozen=True, slots=True)
class Greeting:
    """Whether the greeting leads to the client, and the status of the lookup behind it."""

    result: str
    reason: str


NO_REVERSE_NAME_IN_TIME = ReverseName(Iprev(TEMPERROR, "deadline"), GenericFact("none"))
NO_GREETING_IN_TIME = Greeting(TEMPERROR, "deadline")
NO_SPF_IN_TIME = Spf(TEMPERROR, problem="no answer within the deadline")


class Pending(Generic[Found]):
    """What a check will have found. Written once, by the loop's thread; read by any thread.

    `value` is None until then. `trail`, `vain`: the questions asked, and the number of those asked ahead in vain. `began`,
    `ended`: when, on the loop's clock."""

    __slots__ = ("_listeners", "began", "ended", "trail", "vain", "value")

    def __init__(self, value: Found | None = None) -> None:
        self.value = value
        self.trail: tuple[Answer, ...] = ()
        self.vain = 0
        self.began = self.ended = 0.0
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener once the value is there: at once if it is. It may be called twice, from the loop's thread."""
        self._listeners.append(listener)
        if self.value is not None:
            listener()

    def settle(self, value: Found) -> None:
        """The value is there. On the loop's thread only."""
        self.value = value
        for listener in self._listeners:
            listener()


class Finder:
    """Begins the checks of a worker's sessions on its event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, resolver: Resolver, bug: Callable[[str, BaseException], None]
    ) -> None:
        self._loop = loop
        self._resolver = resolver
        self._bug = bug
        self._tasks: set[asyncio.Task[None]] = set()

    def reverse_name(self, address: Address, config: Config) -> Pending[ReverseName]:
        """Begin iprev, and what its name looks like."""

        async def check(inquiry: Inquiry) -> ReverseName:
            found = await iprev(inquiry, address, config.dns.max_ptr_names)
            if found.result == TEMPERROR and not found.claimed:
                return ReverseName(found, GenericFact("none"))
            return ReverseName(found, generic(found.ptr, address, config.generic.patterns, config.generic.exceptions))

        return self._begin(check, config, ReverseName(Iprev(TEMPERROR, "error"), GenericFact("none")))

    def greeting(self, address: Address, greeting: str, config: Config) -> Pending[Greeting]:
        """Begin to look up whether the greeting leads to the client."""

        async def check(inquiry: Inquiry) -> Greeting:
            return Greeting(*await resolve(inquiry, greeting, address))

        return self._begin(check, config, Greeting(TEMPERROR, "error"))

    def spf(self, address: Address, mailbox: Mailbox, helo: str, config: Config) -> Pending[Spf]:
        """Begin SPF of one identity."""

        async def check(inquiry: Inquiry) -> Spf:
            limits = Limits(config.spf.lookup_limit, config.spf.void_limit)
            finding: Finding = await spf(inquiry, address, mailbox, helo, limits=limits)
            return finding.spf

        return self._begin(check, config, Spf(TEMPERROR, problem="internal error"))

    def _begin(self, check: Check[Found], config: Config, broken: Found) -> Pending[Found]:
        pending: Pending[Found] = Pending()
        self._loop.call_soon_threadsafe(self._run, check, config.milter.deadline, pending, broken)
        return pending

    def _run(self, check: Check[Found], seconds: float, pending: Pending[Found], broken: Found) -> None:
        task = self._loop.create_task(self._find(check, seconds, pending, broken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find(self, check: Check[Found], seconds: float, pending: Pending[Found], broken: Found) -> None:
        inquiry = self._resolver.inquiry(seconds)
        pending.began = self._loop.time()
        value = broken
        try:
            value = await check(inquiry)
        except Exception as error:  # noqa: BLE001 - whatever breaks in a check must not bounce mail
            self._bug(check.__qualname__, error)
        pending.ended = self._loop.time()
        pending.trail = tuple(inquiry.trail)
        pending.vain = inquiry.vain
        pending.settle(value)
