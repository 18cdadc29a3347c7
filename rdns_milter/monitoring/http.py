"""/metrics and /healthz over HTTP: the whole work of a process that does nothing else, so that nobody who asks can touch the mail.

Whoever asks is hostile: octets, seconds and connections are bounded, and however often somebody asks, the work is done some
times a second at most. Of a request only the first line counts. Never shows anything but the two pages.

RFC 9110 and 9112 (the least of HTTP/1.1 that there is).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from ..net.endpoints import SocketAddress
from .exposition import CONTENT_TYPE, Exposition
from .healthcheck import trouble
from .shared_memory import Ledger

MAX_CONNECTIONS = 50
MAX_HEAD = 8192  # octets of a request
PATIENCE = 5.0  # seconds for a request and its answer in all
_METRICS_HOLD = 0.1  # seconds for which a page is given again
_HEALTH_HOLDS = 1.0
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    status: HTTPStatus
    content: bytes
    type: str = _PLAIN

    def octets(self, body: bool = True) -> bytes:
        """The whole response; without its body for HEAD."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"Content-Type: {self.type}\r\nContent-Length: {len(self.content)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (self.content if body else b"")


class Kept:
    """A page that is made anew when it is older than so many seconds, by one at a time."""

    def __init__(self, make: Callable[[], Awaitable[Page]], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._page: Page | None = None
        self._until = 0.0

    async def get(self) -> Page:
        """The page."""
        now = asyncio.get_running_loop().time
        async with self._lock:
            if self._page is None or now() >= self._until:
                self._page = await self._make()
                self._until = now() + self._seconds
            return self._page


class Scrape:
    """Answers requests. `place`: the milter's socket; `bug` is told what is broken."""

    def __init__(
        self, exposition: Exposition, ledger: Ledger, place: SocketAddress, bug: Callable[[Exception], None]
    ) -> None:
        self._exposition = exposition
        self._ledger = ledger
        self._place = place
        self._bug = bug
        self._clients: dict[asyncio.StreamWriter, None] = {}
        self._pages: Mapping[bytes, Kept] = {
            b"/metrics": Kept(self._metrics, _METRICS_HOLD),
            b"/healthz": Kept(self._healthz, _HEALTH_HOLDS),
        }

    async def serve(self, sock: socket.socket, parent: int) -> None:
        """Serve at a listening socket until the other end of that pipe is closed."""
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(parent, gone.set)
        async with await asyncio.start_server(self._client, sock=sock, limit=MAX_HEAD):
            await gone.wait()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, one answer."""
        if len(self._clients) >= MAX_CONNECTIONS:
            oldest = next(iter(self._clients))  # who asks honestly is gone sooner
            del self._clients[oldest]
            oldest.transport.abort()
        self._clients[writer] = None
        # The answer counts as written when the kernel has it.
        writer.transport.set_write_buffer_limits(0)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(await self._answer(reader))
                await writer.drain()
            writer.close()
        except (OSError, EOFError, TimeoutError):
            pass
        except Exception as error:  # noqa: BLE001 - the next request is to be served all the same
            self._bug(error)
        finally:
            self._clients.pop(writer, None)
            if not writer.is_closing():
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return Page(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"").octets()
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return Page(HTTPStatus.BAD_REQUEST, b"").octets()
        kept = self._pages.get(words[1].partition(b"?")[0])
        if kept is None:
            return Page(HTTPStatus.NOT_FOUND, b"there are /metrics and /healthz\n").octets()
        if words[0] not in (b"GET", b"HEAD"):
            return Page(HTTPStatus.METHOD_NOT_ALLOWED, b"").octets()
        return (await kept.get()).octets(body=words[0] == b"GET")

    async def _metrics(self) -> Page:
        return Page(HTTPStatus.OK, self._exposition.text(), CONTENT_TYPE)

    async def _healthz(self) -> Page:
        wrong = await trouble(self._place, self._ledger)
        if wrong:
            return Page(HTTPStatus.SERVICE_UNAVAILABLE, f"{wrong}\n".encode())
        return Page(HTTPStatus.OK, b"alive: a negotiation was answered, and every worker shows life\n")


def run(
    sock: socket.socket,
    parent: int,
    ledger: Ledger,
    place: SocketAddress,
    began: float,
    bug: Callable[[Exception], None],
) -> None:
    """Serve at a listening socket, until the other end of the pipe `parent` is closed. `began`: since when the service runs,
    by the system's monotonic clock."""
    exposition = Exposition(ledger, time.monotonic, began)
    asyncio.run(Scrape(exposition, ledger, place, bug).serve(sock, parent))
