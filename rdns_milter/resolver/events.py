"""Callbacks of a resolver, for metrics and for reports on name servers. Called on the event loop's thread; they must not raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..net.endpoints import Endpoint
from .lookup import Status, Type


def _ignore(*arguments: object) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class ResolverEvents:
    """The callbacks. `server_changed(server, status)`: a server is down, with the status of its last answers, or up again, with
    "ok". `query_done(type, outcome, seconds)`: a query has its answer or was given up; the outcome is the answer's status, or
    "cname" if it led only to another name. `cache_hit()`: a question was answered from the cache. `joined()`: a question joined an
    equal query that was under way. `crowded_out(client, sender)`: a question found no place in time; `client` is the client's
    address or network, `sender` the domain whose SPF asked the question, or "". `zone_skipped()`: a question was not sent because
    its zone does not answer."""

    server_changed: Callable[[Endpoint, Status], None] = _ignore
    query_done: Callable[[Type, str, float], None] = _ignore
    cache_hit: Callable[[], None] = _ignore
    joined: Callable[[], None] = _ignore
    crowded_out: Callable[[str, str], None] = _ignore
    zone_skipped: Callable[[], None] = _ignore


NO_EVENTS = ResolverEvents()
