"""Run the product's resolver in a test: a job gets one, and afterwards no descriptor of it may be left.

(answer,) = resolved(asked("mail.example.com A"), server)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver.bounded_lookup import BoundedLookup
from rdns_milter.resolver.events import ResolverEvents
from rdns_milter.resolver.limits import ResolverLimits
from rdns_milter.resolver.lookup import Answer, Question, Type
from rdns_milter.resolver.resolver import Resolver
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import until

T = TypeVar("T")
PATIENT = ResolverLimits(timeout=20.0, tries=1)  # for questions that are answered
ONCE = ResolverLimits(timeout=0.4, tries=1)  # for questions that are not
TWICE = ResolverLimits(timeout=1.0, tries=2)

ZONE = """
$TTL 60
mail.example.com   A    192.0.2.1
mail.example.com   A    192.0.2.2
mail.example.com   AAAA 2001:db8::1
example.com        MX   20 Mail.Example.COM
example.com        MX   10 .
192.0.2.1          PTR  MAIL.example.com
192.0.2.1          PTR  \\010odd\\255\\.name.example
192.0.2.2          CNAME 2.sub.192.in-addr.arpa
2.sub.192.in-addr.arpa PTR classless.example
text.example       TXT  "v=spf1 " "a -all"
text.example       TXT  "\\000\\255"
big.example        A!HUGE 1000
big.example        PTR!HUGE 3000
big.example        TXT!BIG-TXT 60000
partial.example    A    192.0.2.1
partial.example    A    192.0.2.2
partial.example    PARTIAL
forged.example     A    192.0.2.1
forged.example     GUESS-THEN-RIGHT
poisoned.example   A    192.0.2.1
poisoned.example   EXTRA-OWNER
rotating.example   A    192.0.2.1
rotating.example   A    192.0.2.2
rotating.example   ROTATE
short.example   1  A    192.0.2.1
long.example  99999 A   192.0.2.1
forever.example    A!TTL 4294967295
zero.example    0  A    192.0.2.1
late.example       A    192.0.2.1
late.example       DELAY 0.1
*.late.example     A    192.0.2.1
*.late.example     DELAY 0.05
slow.example       A    192.0.2.1
slow.example       DELAY 1
silent.example     SILENT
trouble.example    SERVFAIL
bogus.example      SERVFAIL-EDE
"""


def endpoint(server: NameServer) -> Endpoint:
    return Endpoint(*server.address)


def resolved(
    job: Callable[[Resolver], Awaitable[T]],
    *servers: NameServer | Endpoint,
    limits: ResolverLimits = PATIENT,
    changed: Callable[[bool], None] = lambda down: None,
) -> T:
    """Return the result of a job with a resolver that uses these servers. Afterwards all descriptors are closed. `changed` is
    called with True when a server goes down, and with False when it is up again."""
    before = _descriptors()

    async def run() -> T:
        events = ResolverEvents(server_changed=lambda server, status: changed(status != "ok"))
        endpoints = [server if isinstance(server, Endpoint) else endpoint(server) for server in servers]
        resolver = Resolver(asyncio.get_running_loop(), endpoints, limits, events)
        try:
            return await job(resolver)
        finally:
            resolver.close()

    result = asyncio.run(run())
    until(lambda: _descriptors() <= before)  # the name server's ends of TCP connections close a little later
    return result


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def question(text: str) -> Question:
    """Return the question "NAME TYPE"."""
    name, kind = text.split(" ")
    kinds: dict[str, Type] = {"A": "A", "AAAA": "AAAA", "PTR": "PTR", "MX": "MX", "TXT": "TXT"}
    return Question(name, kinds[kind])


async def ask(resolver: Resolver, *texts: str, seconds: float = 10.0) -> tuple[Answer, ...]:
    """Return the answers to questions that a check asks at the same time, with a deadline of so many seconds."""
    return await BoundedLookup(resolver, seconds).ask([question(text) for text in texts])


def asked(*texts: str, seconds: float = 10.0) -> Callable[[Resolver], Awaitable[tuple[Answer, ...]]]:
    """Return a job for `resolved`."""
    return lambda resolver: ask(resolver, *texts, seconds=seconds)


def fresh(server: NameServer) -> NameServer:
    """Return the server with nothing under way and its counters at zero."""
    until(lambda: server.queries.outstanding == 0)
    server.queries.reset()
    return server
