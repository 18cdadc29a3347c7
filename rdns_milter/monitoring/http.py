"""/metrics and /healthz over HTTP, served by a process that does nothing else, so that HTTP clients cannot disturb the mail.

HTTP clients are treated as hostile: bytes, seconds and connections are bounded, and each page is produced at most a few times per
second, however often it is requested. Only the first line of a request is read. Must never serve anything but the two pages.

RFC 9110 and 9112 (the minimum of HTTP/1.1).
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
from .healthcheck import find_problem
from .help_pages import UNHEALTHY, with_help
from .shared_memory import SharedMemory

MAX_CONNECTIONS = 50
MAX_HEAD = 8192  # bytes of a request
TIMEOUT = 5.0  # seconds for a request and its response
_METRICS_MAX_AGE = 0.1  # seconds for which a page is served again
_HEALTH_MAX_AGE = 1.0
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a response."""

    status: HTTPStatus
    content: bytes
    type: str = _PLAIN

    def response(self, with_body: bool = True) -> bytes:
        """Return the whole response. A response to HEAD has no body."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"Content-Type: {self.type}\r\nContent-Length: {len(self.content)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (self.content if with_body else b"")


class CachedPage:
    """A page that is produced again when it is older than `max_age` seconds: once for all requests that are waiting for it."""

    def __init__(self, produce: Callable[[], Awaitable[Page]], max_age: float) -> None:
        self._produce = produce
        self._max_age = max_age
        self._lock = asyncio.Lock()
        self._page: Page | None = None
        self._expires = 0.0

    async def get(self) -> Page:
        """Return the page."""
        now = asyncio.get_running_loop().time
        async with self._lock:
            if self._page is None or now() >= self._expires:
                self._page = await self._produce()
                self._expires = now() + self._max_age
            return self._page


class MetricsServer:
    """Answers requests. `place`: the milter's socket; `report_error`: called with each exception that is a bug."""

    def __init__(
        self,
        exposition: Exposition,
        memory: SharedMemory,
        place: SocketAddress,
        report_error: Callable[[Exception], None],
    ) -> None:
        self._exposition = exposition
        self._memory = memory
        self._place = place
        self._report_error = report_error
        self._clients: dict[asyncio.StreamWriter, None] = {}
        self._pages: Mapping[bytes, CachedPage] = {
            b"/metrics": CachedPage(self._metrics, _METRICS_MAX_AGE),
            b"/healthz": CachedPage(self._healthz, _HEALTH_MAX_AGE),
        }

    async def serve(self, sock: socket.socket, parent: int) -> None:
        """Serve at a listening socket until the other end of the pipe `parent` is closed."""
        parent_ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(parent, parent_ended.set)
        async with await asyncio.start_server(self._client, sock=sock, limit=MAX_HEAD):
            await parent_ended.wait()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: one request, one response."""
        if len(self._clients) >= MAX_CONNECTIONS:
            oldest = next(iter(self._clients))  # a well-behaved client has left by now
            del self._clients[oldest]
            oldest.transport.abort()
        self._clients[writer] = None
        # So that drain() waits until the kernel has taken everything.
        writer.transport.set_write_buffer_limits(0)
        try:
            async with asyncio.timeout(TIMEOUT):
                writer.write(await self._respond(reader))
                await writer.drain()
            writer.close()
        except (OSError, EOFError, TimeoutError):
            pass
        except Exception as error:  # noqa: BLE001 - the next request must be served all the same
            self._report_error(error)
        finally:
            self._clients.pop(writer, None)
            if not writer.is_closing():
                writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return Page(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"").response()
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return Page(HTTPStatus.BAD_REQUEST, b"").response()
        page = self._pages.get(words[1].partition(b"?")[0])
        if page is None:
            return Page(HTTPStatus.NOT_FOUND, b"there are /metrics and /healthz\n").response()
        if words[0] not in (b"GET", b"HEAD"):
            return Page(HTTPStatus.METHOD_NOT_ALLOWED, b"").response()
        return (await page.get()).response(with_body=words[0] == b"GET")

    async def _metrics(self) -> Page:
        return Page(HTTPStatus.OK, self._exposition.text(), CONTENT_TYPE)

    async def _healthz(self) -> Page:
        problem = await find_problem(self._place, self._memory)
        if problem:
            return Page(HTTPStatus.SERVICE_UNAVAILABLE, f"{with_help(UNHEALTHY, problem)}\n".encode())
        return Page(HTTPStatus.OK, b"alive: a negotiation was answered, and the event loop of each worker is running\n")


def run(
    sock: socket.socket,
    parent: int,
    memory: SharedMemory,
    place: SocketAddress,
    started: float,
    report_error: Callable[[Exception], None],
) -> None:
    """Serve at a listening socket until the other end of the pipe `parent` is closed. `started`: when the service started, by the
    system's monotonic clock."""
    exposition = Exposition(memory, time.monotonic, started)
    asyncio.run(MetricsServer(exposition, memory, place, report_error).serve(sock, parent))
