"""Start checks early on the DNS thread and let sessions wait for their results.

The border between the threads that serve the MTA, which call this module, and the event loop, on which all checks run. Never waits
and never judges. A check that raises an exception is reported and gives `temperror`; the exception goes no further.

RFC 8601 2.7.3, RFC 7208 2.6.6 (the meaning of `temperror`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from ..checks.dns_list import dns_list
from ..checks.evidence import TEMPERROR, Iprev, Spf
from ..checks.evidence import Generic as GenericFact
from ..checks.generic import generic
from ..checks.helo import resolve, result_without_lookup
from ..checks.iprev import iprev
from ..checks.spf import Limits, check_host
from ..config.load import Config
from ..net.mailboxes import Mailbox
from ..net.names import Address
from ..resolver.admission.requester import Requester, requester
from ..resolver.bounded_lookup import BoundedLookup
from ..resolver.cache import Cache
from ..resolver.lookup import Answer
from ..resolver.resolver import Resolver

Fact = TypeVar("Fact")
Key = tuple[object, ...]
Answers = tuple[str, ...]  # of a DNS list

_ENTRY_BYTES = 1024  # of memory for one cached fact, roughly
_MAX_TTL = 3600.0  # seconds for which a fact is cached that rests on no answer


class CheckResult(NamedTuple, Generic[Fact]):
    """What a check returns. `ttl`: seconds for which the value may be cached; `unused`: the number of queries that it sent ahead
    and did not need."""

    value: Fact
    ttl: float
    unused: int = 0


@dataclass(slots=True)
class Check(Generic[Fact]):
    """A check to run. `name`: for error messages; `key`: of its value in the cache; `find`: the check itself; `seconds`: its
    deadline; `requester`: on whose account it sends queries; `failed`: its value if it raises an exception."""

    name: str
    key: Key
    find: Callable[[BoundedLookup], Coroutine[Any, Any, CheckResult[Fact]]]
    seconds: float
    requester: Requester
    failed: Fact


class ReverseName(NamedTuple):
    """The facts that depend on the address alone."""

    iprev: Iprev
    generic: GenericFact


@dataclass(frozen=True, slots=True)
class HeloResult:
    """Whether the HELO name resolves to the client, and the status of the lookup behind it."""

    result: str
    reason: str


# Values of facts that have not arrived yet, and of those that have not arrived in time.
UNKNOWN_REVERSE_NAME = ReverseName(Iprev(), GenericFact())
UNKNOWN_SPF = Spf()
LATE_REVERSE_NAME = ReverseName(Iprev(TEMPERROR, "deadline"), GenericFact("none"))
LATE_HELO = HeloResult(TEMPERROR, "deadline")
LATE_SPF = Spf(TEMPERROR, problem="no answer within the deadline")


class PendingFact(Generic[Fact]):
    """The value of a check that may still be running. Set once, by the DNS thread; read by any thread.

    `value`: None until it is set. `trail`: the answers behind it; `unused`: see CheckResult. `started`, `ended`: times of the
    check, on the loop's clock. `wanted`: a check was started for it, and has not been cancelled. `task`: the running check; for the
    DNS thread only."""

    __slots__ = ("_callbacks", "ended", "started", "task", "trail", "unused", "value", "wanted")

    def __init__(self, value: Fact | None = None) -> None:
        self.value = value
        self.trail: tuple[Answer, ...] = ()
        self.unused = 0
        self.started = self.ended = 0.0
        self.wanted = False
        self.task: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call the callback once the value is set, or at once if it is. It may be called twice, and by two threads at the same
        time: the DNS thread and the caller's."""
        if self.value is None:
            self._callbacks.append(callback)
        if self.value is not None:
            callback()

    def set(self, value: Fact) -> None:
        """Set the value and call the callbacks. On the DNS thread only."""
        self.value = value
        # Forget the callbacks: a session and its facts that refer to each other are freed only by the garbage collector.
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class FactCache:
    """Facts found lately, each as long as all answers behind it are valid. Threads may share it."""

    def __init__(self, entries: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: Cache[Key, PendingFact[Any]] = Cache(entries, entries * _ENTRY_BYTES)

    def get(self, key: Key) -> PendingFact[Any] | None:
        """Return the fact under the key, with its value set and without a trail; None if there is none, or no longer."""
        with self._lock:
            entry = self._cache.get(key, self._clock())
        return None if entry is None else entry[1]

    def put(self, key: Key, value: object, ttl: float) -> None:
        """Keep a value for so many seconds."""
        with self._lock:
            self._cache.put(key, PendingFact(value), self._clock() + ttl, _ENTRY_BYTES)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._cache.clear()


class CheckRunner:
    """Runs the checks of all sessions of a process on the event loop `loop`. `entries`: the size of its cache of facts. `on_error`:
    called with the name of a check and the exception that it raised.

    The methods may be called by any thread. Each `start_` method returns at once; the fact is set already if it is cached or needs
    no lookup."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resolver: Resolver,
        entries: int,
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self._loop = loop
        self._resolver = resolver
        self._on_error = on_error
        self._cache = FactCache(entries, loop.time)
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def clear_cache(self) -> None:
        """Forget all facts, because other limits may be in force now. Answers stay in the resolver's cache."""
        self._cache.clear()

    def start_reverse_name(self, address: Address, config: Config) -> PendingFact[ReverseName]:
        """Start iprev, and the inspection of the reverse name."""
        key = (address,)
        return self._cache.get(key) or self._start(
            Check(
                "iprev",
                key,
                partial(_reverse_name, address, config),
                config.milter.deadline,
                requester(address),
                ReverseName(Iprev(TEMPERROR, "error"), GenericFact("none")),
            )
        )

    def start_helo(self, address: Address, helo_name: str, config: Config) -> PendingFact[HeloResult]:
        """Start the lookup of the HELO name, if it needs one."""
        if result := result_without_lookup(helo_name, address):
            return PendingFact(HeloResult(result, ""))
        key = (address, helo_name)
        return self._cache.get(key) or self._start(
            Check(
                "helo",
                key,
                partial(_helo, address, helo_name),
                config.milter.deadline,
                requester(address),
                HeloResult(TEMPERROR, "error"),
            )
        )

    def start_spf(
        self, address: Address, mailbox: Mailbox, helo_name: str, config: Config, receiver: str = ""
    ) -> PendingFact[Spf]:
        """Start SPF of one identity. `receiver`: the name of the MTA, for macros. A result that depends on the local part, the HELO
        name, the time or the receiver is not cached."""
        if not mailbox.readable:
            return PendingFact(Spf("permerror", problem="the sender is no mailbox that can be read"))
        if not mailbox.domain:
            return PendingFact(Spf("none"))
        key = (address, mailbox.domain, "spf")
        return self._cache.get(key) or self._start(
            Check(
                "spf",
                key,
                partial(_spf, address, mailbox, helo_name, config, receiver),
                config.milter.deadline,
                requester(address, mailbox.domain),
                Spf(TEMPERROR, problem="internal error"),
            )
        )

    def start_client_spf(self, address: Address, domain: str, config: Config) -> PendingFact[Spf]:
        """Start SPF of a provider: whether its domain lets the client send. No message has an influence on it, so it is cached by
        client and domain."""
        key = (address, domain, "client_spf")
        return self._cache.get(key) or self._start(
            Check(
                "client_spf",
                key,
                partial(_client_spf, address, domain, config),
                config.milter.deadline,
                requester(address, domain),
                Spf(TEMPERROR, problem="internal error"),
            )
        )

    def start_dns_list(self, address: Address, zone: str, config: Config) -> PendingFact[Answers]:
        """Start the query of a DNS list."""
        key = (address, zone, "dnslist")
        return self._cache.get(key) or self._start(
            Check(
                "dnslist",
                key,
                partial(_dns_list, address, zone),
                config.milter.deadline,
                requester(address),
                (TEMPERROR,),
            )
        )

    def cancel(self, *facts: PendingFact[Any]) -> None:
        """Stop the checks of facts that are not needed any more."""
        for fact in facts:
            if fact.wanted and fact.value is None:
                fact.wanted = False
                self._call(partial(_cancel, fact))

    def _start(self, check: Check[Fact]) -> PendingFact[Fact]:
        fact: PendingFact[Fact] = PendingFact()
        fact.wanted = True
        self._call(partial(self._create_task, check, fact))
        return fact

    def _call(self, job: Callable[[], None]) -> None:
        """Run a job on the DNS thread, which is woken once for all jobs that it has not begun yet."""
        # This adds the job before it reads the flag; _run_jobs clears the flag before it takes jobs. So no job is left behind.
        self._jobs.append(job)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon_threadsafe(self._run_jobs)

    def _run_jobs(self) -> None:
        self._is_scheduled = False
        with suppress(IndexError):
            while True:
                self._jobs.popleft()()

    def _create_task(self, check: Check[Fact], fact: PendingFact[Fact]) -> None:
        if not fact.wanted:
            return
        task = fact.task = self._loop.create_task(self._run(check, fact))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, check: Check[Fact], fact: PendingFact[Fact]) -> None:
        lookup = BoundedLookup(self._resolver, check.seconds, check.requester)
        fact.started = self._loop.time()
        result = CheckResult(check.failed, 0.0)
        try:
            result = await check.find(lookup)
        except Exception as error:  # noqa: BLE001 - an error in a check must not bounce mail
            self._on_error(check.name, error)
        finally:
            lookup.close()
        fact.ended = self._loop.time()
        fact.trail = tuple(lookup.trail)
        fact.unused = result.unused
        fact.task = None
        fact.set(result.value)
        if result.ttl > 0:
            self._cache.put(check.key, result.value, min(result.ttl, _MAX_TTL))


def _cancel(fact: PendingFact[Any]) -> None:
    if fact.task is not None:
        fact.task.cancel()
        fact.task = None


async def _reverse_name(address: Address, config: Config, lookup: BoundedLookup) -> CheckResult[ReverseName]:
    found = await iprev(lookup, address, config.dns.max_ptr_names)
    look = GenericFact("none")
    if found.ptr:
        look = generic(found.ptr, address, config.generic.patterns, config.generic.exceptions)
    return CheckResult(ReverseName(found, look), lookup.ttl)


async def _helo(address: Address, helo_name: str, lookup: BoundedLookup) -> CheckResult[HeloResult]:
    result, reason = await resolve(lookup, helo_name, address)
    return CheckResult(HeloResult(result, reason), lookup.ttl)


async def _spf(
    address: Address, mailbox: Mailbox, helo_name: str, config: Config, receiver: str, lookup: BoundedLookup
) -> CheckResult[Spf]:
    limits = Limits(config.spf.lookup_limit, config.spf.void_limit)
    checked = await check_host(lookup, address, mailbox, helo_name, limits=limits, receiver=receiver)
    may_share = not checked.message_specific and checked.spf.result != TEMPERROR
    return CheckResult(checked.spf, checked.ttl if may_share else 0.0, checked.unused)


async def _client_spf(address: Address, domain: str, config: Config, lookup: BoundedLookup) -> CheckResult[Spf]:
    limits = Limits(config.spf.lookup_limit, config.spf.void_limit)
    checked = await check_host(lookup, address, Mailbox("postmaster", domain), domain, limits=limits)
    ttl = 0.0 if checked.spf.result == TEMPERROR else checked.ttl
    return CheckResult(checked.spf, ttl, checked.unused)


async def _dns_list(address: Address, zone: str, lookup: BoundedLookup) -> CheckResult[Answers]:
    return CheckResult(await dns_list(lookup, address, zone), lookup.ttl)
