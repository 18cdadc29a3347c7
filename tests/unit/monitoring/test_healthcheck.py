"""What /healthz says of a milter that plays dead in one way or another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rdns_milter.monitoring.counters import Counters
from rdns_milter.monitoring.exposition import Exposition
from rdns_milter.monitoring.healthcheck import find_problem
from rdns_milter.monitoring.http import MetricsServer
from rdns_milter.monitoring.shared_memory import MAX_SILENCE, SharedMemory
from rdns_milter.net.endpoints import SocketAddress
from tests.kit.milter.endpoint import free_port

TIMEOUT = 0.3
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NEGOTIATION = b"\x00\x00\x00\x0dO"
REST = 12  # octets of a negotiation behind that


def memory_of(*silent: float) -> SharedMemory:
    """Of workers that gave their last sign of life so many seconds ago."""
    made = SharedMemory(len(silent))
    for number, seconds in enumerate(silent):
        Counters(made, number).heartbeat(time.monotonic() - seconds)
    return made


@contextlib.asynccontextmanager
async def milter(handler: Handler, path: str = "") -> AsyncIterator[SocketAddress]:
    """A socket at which the handler plays the milter."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await handler(reader, writer)
        writer.close()

    if path:
        server = await asyncio.start_unix_server(guarded, path)
        place = SocketAddress("unix", path=path)
    else:
        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        place = SocketAddress("inet", "127.0.0.1", server.sockets[0].getsockname()[1])
    async with server:
        yield place


def asked(handler: Handler, path: str = "", memory: SharedMemory | None = None) -> str:
    """What is wrong with that one."""

    async def run() -> str:
        async with milter(handler, path) as place:
            return await find_problem(place, memory or memory_of(0.0), TIMEOUT)

    return asyncio.run(run())


async def well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers a negotiation as it should be; then waits for QUIT."""
    assert await reader.readexactly(len(NEGOTIATION)) == NEGOTIATION
    options = await reader.readexactly(REST)
    writer.write(NEGOTIATION + options)
    assert await reader.readexactly(5) == b"\x00\x00\x00\x01Q"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing at all."""
    await reader.read()


async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up."""
    await reader.readexactly(1)


async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Is a mail server."""
    writer.write(b"220 mx.example.com ESMTP\r\n")
    await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one byte at a time, with pauses."""
    for octet in NEGOTIATION:
        writer.write(bytes((octet,)))
        await asyncio.sleep(TIMEOUT / 2)


@pytest.mark.parametrize("family", ["inet", "unix"])
def test_a_milter_that_answers(family: str, tmp_path: Path) -> None:
    assert asked(well, str(tmp_path / "socket") if family == "unix" else "") == ""


@pytest.mark.parametrize("handler", [silent, dripping])
def test_a_milter_that_hangs(handler: Handler) -> None:
    assert asked(handler).startswith("no answer to a negotiation at inet:")
    assert asked(handler).endswith(f" within {TIMEOUT} seconds")


def test_a_milter_that_hangs_up() -> None:
    assert asked(curt).startswith("negotiation at inet:")


def test_something_else_in_its_place() -> None:
    assert asked(other).startswith("what answers at inet:")


def test_nobody_there(tmp_path: Path) -> None:
    for place in (
        SocketAddress("inet", "127.0.0.1", free_port()),
        SocketAddress("unix", path=str(tmp_path / "socket")),
    ):
        assert asyncio.run(find_problem(place, memory_of(0.0), TIMEOUT)) == f"nothing listens at {place}"


def test_an_event_loop_that_hangs() -> None:
    """Though the socket answers."""
    assert asked(well, memory=memory_of(0.0, MAX_SILENCE - 1, 0.5)) == ""
    wrong = asked(well, memory=memory_of(0.0, MAX_SILENCE + 1.5, 0.0))
    assert wrong.startswith("the event loop of worker 1 has not run for ")
    assert asked(well, memory=SharedMemory(2)) == "worker 0 has not started yet"


def test_however_many_ask_the_milter_is_asked_once() -> None:
    negotiations = 0
    bugs: list[Exception] = []

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal negotiations
        negotiations += 1
        await well(reader, writer)

    async def run() -> None:
        async with milter(counted) as place:
            memory = memory_of(0.0)
            exposition = Exposition(memory, time.monotonic, 0.0)
            server = MetricsServer(exposition, memory, place, bugs.append)
            pages = await asyncio.gather(*(server._pages[b"/healthz"].get() for _ in range(100)))
            assert {page.status for page in pages} == {200}

    asyncio.run(run())
    assert (negotiations, bugs) == (1, [])
