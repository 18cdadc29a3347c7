"""The event loop of a process: one thread that sends all DNS queries and runs all checks.

Started once in each worker, after the fork; `check` and `forecast` use the same. Blocks the signals that the main thread handles.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Sequence

from ..config.load import Config
from ..net.endpoints import Endpoint
from ..resolver.events import NO_EVENTS, ResolverEvents
from ..resolver.limits import ResolverLimits
from ..resolver.resolver import Resolver
from .check_runner import CheckRunner

MAIN_THREAD_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with a faster clock: it is read some hundred times for a message, here without a call of a Python function."""

    time = staticmethod(time.monotonic)


class DnsThread:
    """The loop, its thread, its resolver, and the check runner that other threads call. A context manager. `on_error`: see
    CheckRunner."""

    def __init__(
        self,
        config: Config,
        servers: Sequence[Endpoint],
        on_error: Callable[[str, BaseException], None],
        events: ResolverEvents = NO_EVENTS,
    ) -> None:
        self.loop = EventLoop()
        self.resolver = Resolver(self.loop, servers, limits_of(config), events)
        self.check_runner = CheckRunner(self.loop, self.resolver, config.dns.cache_entries, on_error)
        self._thread = threading.Thread(target=self._run, name="dns", daemon=True)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_THREAD_SIGNALS)
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def __enter__(self) -> DnsThread:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.loop.call_soon_threadsafe(self._stop)
        self._thread.join()
        self.loop.close()

    def reconfigure(self, config: Config, servers: Sequence[Endpoint]) -> None:
        """Use these servers and limits from now on. From any thread. Cached answers stay."""
        self.loop.call_soon_threadsafe(self.resolver.reconfigure, tuple(servers), limits_of(config))
        self.check_runner.clear_cache()

    def _stop(self) -> None:
        self.resolver.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)


def limits_of(config: Config) -> ResolverLimits:
    """Return the resolver's limits that the configuration sets."""
    dns = config.dns
    return ResolverLimits(
        dns.timeout,
        dns.tries,
        dns.cache_entries,
        dns.cache_min_ttl,
        dns.cache_max_ttl,
        dns.negative_ttl,
        dns.max_outstanding,
    )
