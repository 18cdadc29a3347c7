"""/healthz for a milter that hangs or fails in one way or another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rdns_milter.monitoring.counters import Meter
from rdns_milter.monitoring.exposition import Exposition
from rdns_milter.monitoring.healthcheck import trouble
from rdns_milter.monitoring.http import Scrape
from rdns_milter.monitoring.shared_memory import LATELY, Ledger
from rdns_milter.net.endpoints import SocketAddress
from tests.kit.milter.endpoint import free_port

PATIENCE = 0.3
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NEGOTIATION = b"\x00\x00\x00\x0dO"
REST = 12  # bytes of a negotiation after that


def ledger(*silent: float) -> Ledger:
    """Return the counters of workers whose last heartbeat was this many seconds ago."""
    made = Ledger(len(silent))
    for number, seconds in enumerate(silent):
        Meter(made, number).alive(time.monotonic() - seconds)
    return made


@contextlib.asynccontextmanager
async def milter(handler: Handler, path: str = "") -> AsyncIterator[SocketAddress]:
    """A socket at which the handler acts as the milter."""

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


def asked(handler: Handler, path: str = "", memory: Ledger | None = None) -> str:
    """Return what the health check reports for that milter."""

    async def run() -> str:
        async with milter(handler, path) as place:
            return await trouble(place, memory or ledger(0.0), PATIENCE)

    return asyncio.run(run())


async def well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a negotiation correctly, then wait for QUIT."""
    assert await reader.readexactly(len(NEGOTIATION)) == NEGOTIATION
    options = await reader.readexactly(REST)
    writer.write(NEGOTIATION + options)
    assert await reader.readexactly(5) == b"\x00\x00\x00\x01Q"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send nothing."""
    await reader.read()


async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection."""
    await reader.readexactly(1)


async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a mail server."""
    writer.write(b"220 mx.example.com ESMTP\r\n")
    await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send one byte at a time."""
    for octet in NEGOTIATION:
        writer.write(bytes((octet,)))
        await asyncio.sleep(PATIENCE / 2)


@pytest.mark.parametrize("family", ["inet", "unix"])
def test_a_milter_that_answers(family: str, tmp_path: Path) -> None:
    assert asked(well, str(tmp_path / "socket") if family == "unix" else "") == ""


@pytest.mark.parametrize("handler", [silent, dripping])
def test_a_milter_that_hangs(handler: Handler) -> None:
    assert asked(handler).startswith("no answer to a negotiation at inet:")
    assert asked(handler).endswith(f" within {PATIENCE} seconds")


def test_a_milter_that_hangs_up() -> None:
    assert asked(curt).startswith("no negotiation at inet:")


def test_something_else_in_its_place() -> None:
    assert asked(other).startswith("what answers at inet:")


def test_nothing_listens(tmp_path: Path) -> None:
    for place in (
        SocketAddress("inet", "127.0.0.1", free_port()),
        SocketAddress("unix", path=str(tmp_path / "socket")),
    ):
        assert asyncio.run(trouble(place, ledger(0.0), PATIENCE)).startswith(f"no negotiation at {place}: ")


def test_an_event_loop_that_hangs() -> None:
    """The worker's DNS thread hangs, though the socket answers."""
    assert asked(well, memory=ledger(0.0, LATELY - 1, 0.5)) == ""
    wrong = asked(well, memory=ledger(0.0, LATELY + 1.5, 0.0))
    assert wrong.startswith("the event loop of worker 1 has given no sign of life for ")
    assert asked(well, memory=Ledger(2)) == "worker 0 has not begun yet"


def test_concurrent_requests_probe_the_milter_once() -> None:
    negotiations = 0
    bugs: list[Exception] = []

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal negotiations
        negotiations += 1
        await well(reader, writer)

    async def run() -> None:
        async with milter(counted) as place:
            memory = ledger(0.0)
            exposition = Exposition(memory, time.monotonic, 0.0)
            scrape = Scrape(exposition, memory, place, bugs.append)
            pages = await asyncio.gather(*(scrape._pages[b"/healthz"].get() for _ in range(100)))
            assert {page.status for page in pages} == {200}

    asyncio.run(run())
    assert (negotiations, bugs) == (1, [])
