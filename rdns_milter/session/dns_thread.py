"""The event loop of a process: one thread that asks DNS for all sessions.

Started once per worker, after the fork; `check` uses the very same. Blocks the signals that belong to the main thread.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence

from ..config.load import Config
from ..net.endpoints import Endpoint
from ..resolver.lookup import Status
from ..resolver.resolver import Limits, Resolver
from ..resolver.tally import Tally
from .check_runner import Finder

MAIN_THREAD_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Engine:
    """The loop, its thread, its resolver, and the finder by which other threads reach them. A context manager."""

    def __init__(
        self,
        config: Config,
        servers: Sequence[Endpoint],
        bug: Callable[[str, BaseException], None],
        changed: Callable[[Endpoint, Status], None] = lambda server, status: None,
        tally: Tally | None = None,
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.resolver = Resolver(self.loop, servers, limits_of(config), changed, tally)
        self.finder = Finder(self.loop, self.resolver, config.dns.cache_entries, bug)
        self._thread = threading.Thread(target=self._run, name="dns", daemon=True)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_THREAD_SIGNALS)
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def __enter__(self) -> Engine:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.loop.call_soon_threadsafe(self._stop)
        self._thread.join()
        self.loop.close()

    def adopt(self, config: Config, servers: Sequence[Endpoint]) -> None:
        """From now on ask these servers, within these bounds. From any thread; answers that are remembered stay."""
        self.loop.call_soon_threadsafe(self.resolver.adopt, tuple(servers), limits_of(config))
        self.finder.forget()

    def _stop(self) -> None:
        self.resolver.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)


def limits_of(config: Config) -> Limits:
    """The resolver's bounds as the config has them."""
    dns = config.dns
    return Limits(
        dns.timeout,
        dns.tries,
        dns.cache_entries,
        dns.cache_min_ttl,
        dns.cache_max_ttl,
        dns.negative_ttl,
        dns.max_outstanding,
    )
