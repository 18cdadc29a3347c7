"""The resolver's limits: no question is asked twice or for too long, not too many at once, and a server that is down is passed
over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver.bounded_lookup import BoundedLookup
from rdns_milter.resolver.cache import FAILURE_TTL
from rdns_milter.resolver.lookup import Answer
from rdns_milter.resolver.resolver import Resolver
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.resolver_run import ONCE, PATIENT, TWICE, ZONE, ask, asked, endpoint, fresh, question, resolved
from tests.kit.dns.zone import Zone
from tests.kit.milter.endpoint import free_port


@pytest.fixture(scope="module")
def everything() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as server:
        yield server
        assert not server.queries.faults


@pytest.fixture
def server(everything: NameServer) -> NameServer:
    return fresh(everything)


def test_the_same_question_is_asked_once(server: NameServer) -> None:
    async def job(resolver: Resolver) -> list[Answer]:
        answers = await asyncio.gather(*(ask(resolver, "late.example A") for _ in range(10)))
        assert resolver.outstanding == 0
        return [answer for (answer,) in answers]

    answers = resolved(job, server)
    assert {answer.values for answer in answers} == {("192.0.2.1",)}
    assert sorted(answer.cached for answer in answers) == [False] + [True] * 9
    assert len(server.queries) == 1


def test_answers_are_remembered(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        for text in ("mail.example.com A", "nosuch.example A", "mail.example.com TXT"):
            (fresh,), (kept,) = await ask(resolver, text), await ask(resolver, text)
            assert (kept.status, kept.values, kept.cached, kept.ms) == (fresh.status, fresh.values, True, 0.0)
            assert 0 < kept.ttl <= fresh.ttl

    resolved(job, server)
    assert len(server.queries) == 3


@pytest.mark.parametrize(
    ("text", "ttl"),
    [
        ("mail.example.com A", 60),
        ("short.example A", 5),
        ("zero.example A", 5),
        ("long.example A", 1000),
        ("nosuch.example A", 100),
        ("mail.example.com TXT", 100),
        ("trouble.example A", FAILURE_TTL),
    ],
)
def test_how_long_answers_hold(server: NameServer, text: str, ttl: float) -> None:
    limits = replace(PATIENT, cache_min_ttl=5, cache_max_ttl=1000, negative_ttl=100)
    (answer,) = resolved(asked(text), server, limits=limits)
    assert answer.ttl == ttl


def test_a_ttl_with_its_highest_bit_set(server: NameServer) -> None:
    """RFC 2181 8: with its highest bit set it is 0; so it does not hold for ever."""
    (answer,) = resolved(asked("forever.example A"), server)
    assert answer.status == "ok"
    assert answer.ttl <= PATIENT.cache_max_ttl


def test_answers_are_forgotten(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        await ask(resolver, "mail.example.com A")
        await asyncio.sleep(0.15)
        (again,) = await ask(resolver, "mail.example.com A")
        assert not again.cached

    resolved(job, server, limits=replace(PATIENT, cache_min_ttl=0, cache_max_ttl=0.1))
    assert len(server.queries) == 2


def test_memory_is_bounded(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        for name in ("a", "b", "c", "c", "b", "a"):
            await ask(resolver, f"{name}.example A")

    resolved(job, server, limits=replace(PATIENT, cache_entries=2))
    assert [name for name, _ in server.queries] == ["a.example", "b.example", "c.example", "a.example"]
    server.queries.reset()
    resolved(job, server, limits=replace(PATIENT, cache_entries=0))
    assert len(server.queries) == 6


@pytest.mark.parametrize("name", ["trouble.example", "bogus.example", "silent.example"])
def test_failures_are_remembered(server: NameServer, name: str) -> None:
    """RFC 2308 7.1: a dead zone is not asked again for each message, whatever the size of the cache."""

    async def job(resolver: Resolver) -> None:
        (first,), (second,) = await ask(resolver, f"{name} A"), await ask(resolver, f"{name} A")
        assert first.temporary
        assert (second.status, second.cached) == (first.status, True)

    resolved(job, server, limits=replace(TWICE, cache_entries=0))
    assert server.queries.count(name) == (1 if name == "bogus.example" else 2)


def test_a_check_has_one_answer_to_a_question(server: NameServer) -> None:
    """However often it asks, and even if nothing is cached: a client cannot exploit an answer that changes."""

    async def job(resolver: Resolver) -> None:
        lookup = BoundedLookup(resolver, 5.0)
        answers = [(await lookup.ask([question("rotating.example A")]))[0] for _ in range(3)]
        assert len({answer.values for answer in answers}) == 1
        assert len(lookup.trail) == 1
        (other,) = await ask(resolver, "rotating.example A")
        assert other.values != answers[0].values

    resolved(job, server, limits=replace(PATIENT, cache_entries=0))
    assert len(server.queries) == 2


def test_no_more_than_so_many_at_once(server: NameServer) -> None:
    names = [f"n{number}.late.example A" for number in range(9)]
    answers = resolved(asked(*names), server, limits=replace(PATIENT, max_outstanding=3))
    assert [answer.status for answer in answers] == ["ok"] * 9
    assert server.queries.outstanding_max <= 3


def test_the_queue_is_bounded(server: NameServer) -> None:
    async def job(resolver: Resolver) -> list[str]:
        return [answer.status for answer in await ask(resolver, *(f"q{number}.late.example A" for number in range(15)))]

    statuses = resolved(job, server, limits=replace(PATIENT, max_outstanding=1))
    assert statuses == ["ok"] * 11 + ["error"] * 4


def test_questions_of_expired_checks_are_not_asked(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        slow = asyncio.create_task(ask(resolver, "slow.example A", seconds=0.3))
        await asyncio.sleep(0)
        (queued,) = await ask(resolver, "mail.example.com A", seconds=0.1)
        assert queued.status == "deadline"
        assert (await slow)[0].status == "deadline"
        while resolver.outstanding:
            await asyncio.sleep(0.01)

    resolved(job, server, limits=replace(ONCE, timeout=0.6, max_outstanding=1))
    assert server.queries.count("mail.example.com") == 0


# Several servers


@pytest.mark.parametrize("how", ["closed", "silent", "servfail", "refused"])
def test_the_first_server_is_of_no_use(server: NameServer, how: str) -> None:
    wild = {"silent": "*.example SILENT", "servfail": "*.example SERVFAIL", "refused": "*.example REFUSED"}
    with NameServer(Zone(wild.get(how, ""))) as useless:
        first = Endpoint("127.0.0.1", free_port()) if how == "closed" else endpoint(useless)
        (answer,) = resolved(asked("partial.example A"), first, server, limits=replace(PATIENT, timeout=2.0))
    assert answer.status == "ok"


def test_what_the_last_server_says_counts() -> None:
    with NameServer(Zone("*.example SERVFAIL")) as failing, NameServer(Zone("*.example REFUSED")) as refusing:
        (one,) = resolved(asked("x.example A"), failing, refusing)
        (other,) = resolved(asked("x.example A"), refusing, failing, limits=TWICE)
        assert (one.status, other.status) == ("refused", "servfail")
        assert (len(failing.queries), len(refusing.queries)) == (3, 3)


def test_no_server_is_there() -> None:
    dead = [Endpoint("127.0.0.1", free_port()) for _ in range(2)]
    (answer,) = resolved(asked("mail.example.com A"), *dead, limits=ONCE)
    assert answer.status == "timeout"


def test_other_servers_after_a_reload(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        (before,) = await ask(resolver, "mail.example.com A")
        resolver.reconfigure([endpoint(other)], replace(PATIENT, negative_ttl=7))
        (kept,), (after,) = await ask(resolver, "mail.example.com A"), await ask(resolver, "partial.example A")
        assert (kept.values, kept.cached) == (before.values, True)
        assert (after.status, after.ttl) == ("nxdomain", 7)

    with NameServer() as other:
        resolved(job, server)
        assert len(other.queries) == 1


def test_a_server_that_goes_and_comes_back(server: NameServer) -> None:
    changes: list[bool] = []

    async def job(resolver: Resolver) -> None:
        await ask(resolver, "mail.example.com A")
        server.pause()
        answers = await ask(resolver, *(f"gone{number}.example A" for number in range(3)))
        assert {answer.status for answer in answers} <= {"timeout", "resolver-down"}
        while not resolver.is_down:
            await asyncio.sleep(0.01)
        (down,), (kept,) = await ask(resolver, "other.example A"), await ask(resolver, "mail.example.com A")
        assert (down.status, down.temporary, kept.status) == ("resolver-down", True, "ok")
        server.resume()
        while resolver.is_down:
            await asyncio.sleep(0.01)
        back = await ask(resolver, "other.example A", "gone0.example A")
        assert [answer.status for answer in back] == ["nxdomain", "nxdomain"]

    resolved(job, server, limits=replace(PATIENT, timeout=1.0), changed=changes.append)
    assert changes == [True, False]


# Lookup's other calls


def test_one_answer_may_be_enough(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        texts = [question("mail.example.com A"), question("slow.example A")]
        fast, slow = await BoundedLookup(resolver, 60.0).ask(texts, enough=lambda answer: answer.status == "ok")
        assert (fast.status, slow.status) == ("ok", "deadline")
        assert server.held == resolver.outstanding == 1, "the other question has no answer yet"

    server.hold("slow.example")
    resolved(job, server)
    server.release()


def test_the_first_answer(server: NameServer) -> None:
    async def job(resolver: Resolver) -> None:
        lookup = BoundedLookup(resolver, 10.0)
        texts = [question("late.example A"), question("mail.example.com A")]
        first = await lookup.first(texts)
        assert [answer.question.name for answer in first] == ["mail.example.com"]
        both = await lookup.ask(texts)
        assert [answer.status for answer in both] == ["ok", "ok"]
        assert len(lookup.trail) == 2
        assert await lookup.first([]) == ()

    resolved(job, server)
    assert len(server.queries) == 2


def test_closed_with_queries_under_way(server: NameServer) -> None:
    """Waiting checks have their own deadline; sockets and timers are closed at once."""

    async def job(resolver: Resolver) -> None:
        waiting = asyncio.create_task(ask(resolver, "slow.example A", "silent.example A", "big.example A", seconds=0.3))
        while len(server.queries) < 3:
            await asyncio.sleep(0.01)
        resolver.close()
        assert resolver.outstanding == 0
        assert {answer.status for answer in await waiting} <= {"deadline", "ok"}

    resolved(job, server, limits=replace(ONCE, timeout=5.0))
