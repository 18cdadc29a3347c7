"""The resolver of the product, driven by tests: a job is given one, and afterwards nothing of it may be left.

(answer,) = resolved(asked("mail.example.com A"), server)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver.bounded_lookup import Inquiry
from rdns_milter.resolver.lookup import Answer, Question, Type
from rdns_milter.resolver.resolver import Limits, Resolver
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import until

T = TypeVar("T")
ONCE = Limits(timeout=0.4, tries=1)
TWICE = Limits(timeout=0.2, tries=2)

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
    limits: Limits = ONCE,
    changed: Callable[[bool], None] = lambda down: None,
) -> T:
    """What the job makes of a resolver that asks these servers; afterwards all descriptors are closed again. `changed` is told
    when one goes down."""
    before = _descriptors()

    async def run() -> T:
        endpoints = [server if isinstance(server, Endpoint) else endpoint(server) for server in servers]
        resolver = Resolver(
            asyncio.get_running_loop(), endpoints, limits, lambda server, status: changed(status != "ok")
        )
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
    """The question "NAME TYPE"."""
    name, kind = text.split(" ")
    kinds: dict[str, Type] = {"A": "A", "AAAA": "AAAA", "PTR": "PTR", "MX": "MX", "TXT": "TXT"}
    return Question(name, kinds[kind])


async def ask(resolver: Resolver, *texts: str, seconds: float = 10.0) -> tuple[Answer, ...]:
    """The answers to questions asked all at once by a check that has so many seconds."""
    return await Inquiry(resolver, seconds).ask([question(text) for text in texts])


def asked(*texts: str, seconds: float = 10.0) -> Callable[[Resolver], Awaitable[tuple[Answer, ...]]]:
    """A job for `resolved`."""
    return lambda resolver: ask(resolver, *texts, seconds=seconds)


def fresh(server: NameServer) -> NameServer:
    """The same, with nothing under way and its counters at zero."""
    until(lambda: server.queries.outstanding == 0)
    server.queries.reset()
    return server
