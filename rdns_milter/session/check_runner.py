"""Facts on their way: checks are begun early, and collected by whoever needs them, when he needs them.

The seam between the threads that serve the MTA and the event loop that asks DNS. Begins checks and never waits for one on
the loop's thread; judges nothing. A check that breaks gives `temperror`, never an exception, and says so.

RFC 8601 2.7.3, RFC 7208 (what `temperror` means).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ..checks.evidence import TEMPERROR, Iprev, Spf
from ..checks.evidence import Generic as GenericFact
from ..checks.generic import generic
from ..checks.helo import resolve, result_without_lookup
from ..checks.iprev import iprev
from ..checks.spf import Limits, check_host
from ..config.load import Config
from ..net.mailboxes import Mailbox
from ..net.names import Address
from ..resolver.admission.asker import Asker, asker
from ..resolver.bounded_lookup import Inquiry
from ..resolver.cache import Cache
from ..resolver.lookup import Answer
from ..resolver.resolver import Resolver

Fact = TypeVar("Fact")

_OCTETS = 1024  # of memory that a finding takes, about
_LONGEST = 3600.0  # seconds for which a finding that rests on no answer is remembered


@dataclass(frozen=True, slots=True)
class Found(Generic[Fact]):
    """What a check has found, for how many seconds it holds for others too, and how many questions it began in vain."""

    value: Fact
    seconds: float
    vain: int = 0


Check = Callable[[Inquiry], Coroutine[Any, Any, Found[Fact]]]


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


# What stands for a fact that has not come yet, and for one that did not come in time.
UNKNOWN_REVERSE_NAME = ReverseName(Iprev(), GenericFact())
UNKNOWN_SPF = Spf()
NO_REVERSE_NAME_IN_TIME = ReverseName(Iprev(TEMPERROR, "deadline"), GenericFact("none"))
NO_GREETING_IN_TIME = Greeting(TEMPERROR, "deadline")
NO_SPF_IN_TIME = Spf(TEMPERROR, problem="no answer within the deadline")


class Pending(Generic[Fact]):
    """What a check will have found. Written once, by the loop's thread; read by any thread.

    `value` is None until then. `trail`, `vain`: the questions asked, and the number of those asked ahead in vain. `began`,
    `ended`: when, on the loop's clock. `task`: of the check while it runs, for the loop's thread; `needed`: a check
    was begun for it, and somebody needs the fact."""

    __slots__ = ("_listeners", "began", "ended", "needed", "task", "trail", "vain", "value")

    def __init__(self, value: Fact | None = None) -> None:
        self.value = value
        self.trail: tuple[Answer, ...] = ()
        self.vain = 0
        self.began = self.ended = 0.0
        self.task: asyncio.Task[None] | None = None
        self.needed = False
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener once the value is there: at once if it is. It may be called twice, and from two
        threads at once: the loop's, and the caller's own."""
        if self.value is None:
            self._listeners.append(listener)
        if self.value is not None:
            listener()

    def settle(self, value: Fact) -> None:
        """The value is there. On the loop's thread only."""
        self.value = value
        # Whoever listens has the fact at hand: kept any longer, each would keep the other in memory.
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()


class Memory:
    """What was found lately, for as long as all answers behind it hold. Threads may share it."""

    def __init__(self, entries: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: Cache[tuple[object, ...], Pending[Any]] = Cache(entries, entries * _OCTETS)

    def get(self, key: tuple[object, ...]) -> Pending[Any] | None:
        """What was found under the key, settled long ago and without a trail; None if it is not known any more."""
        with self._lock:
            kept = self._cache.get(key, self._clock())
        return None if kept is None else kept[1]

    def put(self, key: tuple[object, ...], value: object, seconds: float) -> None:
        """Remember something for so many seconds."""
        with self._lock:
            self._cache.put(key, Pending(value), self._clock() + seconds, _OCTETS)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._cache.clear()


class Finder:
    """Begins the checks of a worker's sessions on its event loop, or knows already what they would find."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resolver: Resolver,
        entries: int,
        bug: Callable[[str, BaseException], None],
    ) -> None:
        self._loop = loop
        self._resolver = resolver
        self._bug = bug
        self._memory = Memory(entries, loop.time)
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox: deque[Callable[[], None]] = deque()
        self._woken = False

    def forget(self) -> None:
        """Forget what was found: other limits may hold now."""
        self._memory.clear()

    def reverse_name(self, address: Address, config: Config) -> Pending[ReverseName]:
        """Begin iprev, and what its name looks like."""

        async def check(inquiry: Inquiry) -> Found[ReverseName]:
            found = await iprev(inquiry, address, config.dns.max_ptr_names)
            if found.ptr:
                look = generic(found.ptr, address, config.generic.patterns, config.generic.exceptions)
            else:
                look = GenericFact("none")
            return Found(ReverseName(found, look), inquiry.holds())

        broken = ReverseName(Iprev(TEMPERROR, "error"), GenericFact("none"))
        return self._begin((address,), check, config, asker(address), broken)

    def greeting(self, address: Address, greeting: str, config: Config) -> Pending[Greeting]:
        """Begin to look up whether the greeting leads to the client, if that takes a lookup."""
        if result := result_without_lookup(greeting, address):
            return Pending(Greeting(result, ""))

        async def check(inquiry: Inquiry) -> Found[Greeting]:
            result, reason = await resolve(inquiry, greeting, address)
            return Found(Greeting(result, reason), inquiry.holds())

        return self._begin((address, greeting), check, config, asker(address), Greeting(TEMPERROR, "error"))

    def spf(self, address: Address, mailbox: Mailbox, helo: str, config: Config, receiver: str = "") -> Pending[Spf]:
        """Begin SPF of one identity, for an MTA of that name. What hangs on local part, HELO, time or that name is not
        remembered: it is for this sender alone, or for one of the MTAs."""
        if not mailbox.readable:
            return Pending(Spf("permerror", problem="the sender is no mailbox that can be read"))
        if not mailbox.domain:
            return Pending(Spf("none"))

        async def check(inquiry: Inquiry) -> Found[Spf]:
            limits = Limits(config.spf.lookup_limit, config.spf.void_limit)
            checked = await check_host(inquiry, address, mailbox, helo, limits=limits, receiver=receiver)
            sharable = not checked.message_specific and checked.spf.result != TEMPERROR
            return Found(checked.spf, checked.ttl if sharable else 0.0, checked.unused)

        broken = Spf(TEMPERROR, problem="internal error")
        return self._begin((address, mailbox.domain, "spf"), check, config, asker(address, mailbox.domain), broken)

    def drop(self, *pendings: Pending[Any]) -> None:
        """Nobody needs these facts any more: what was asked for them and is not answered yet is not waited for."""
        for pending in pendings:
            if pending.needed and pending.value is None:
                pending.needed = False
                self._post(partial(self._cancel, pending))

    def _begin(
        self, key: tuple[object, ...], check: Check[Fact], config: Config, who: Asker, broken: Fact
    ) -> Pending[Fact]:
        known = self._memory.get(key)
        if known is not None:
            return known
        pending: Pending[Fact] = Pending()
        pending.needed = True
        self._post(partial(self._run, key, check, config.milter.deadline, who, pending, broken))
        return pending

    def _post(self, job: Callable[[], None]) -> None:
        """Have it done on the loop's thread."""
        # First the job, then the question whether the loop knows; there the other way round: so none is overlooked.
        self._inbox.append(job)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._empty_inbox)

    def _empty_inbox(self) -> None:
        self._woken = False
        with suppress(IndexError):
            while True:
                self._inbox.popleft()()

    def _run(
        self,
        key: tuple[object, ...],
        check: Check[Fact],
        seconds: float,
        who: Asker,
        pending: Pending[Fact],
        broken: Fact,
    ) -> None:
        if not pending.needed:
            return
        inquiry = Inquiry(self._resolver, seconds, who)
        task = self._loop.create_task(self._find(key, check, inquiry, pending, broken))
        self._tasks.add(task)
        pending.task = task

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            pending.task = None
            inquiry.close()

        task.add_done_callback(ended)

    def _cancel(self, pending: Pending[Any]) -> None:
        if pending.task is not None:
            pending.task.cancel()

    async def _find(
        self, key: tuple[object, ...], check: Check[Fact], inquiry: Inquiry, pending: Pending[Fact], broken: Fact
    ) -> None:
        pending.began = self._loop.time()
        found = Found(broken, 0.0)
        try:
            found = await check(inquiry)
        except Exception as error:  # noqa: BLE001 - whatever breaks in a check must not bounce mail
            self._bug(check.__qualname__, error)
        pending.ended = self._loop.time()
        pending.trail = tuple(inquiry.trail)
        pending.vain = found.vain
        pending.settle(found.value)
        if found.seconds > 0:
            self._memory.put(key, found.value, min(found.seconds, _LONGEST))
