"""The health check: a milter negotiation at the service's own socket, as an MTA makes it, and a recent heartbeat of each worker's
event loop.

Reports only what it has seen. A service whose name servers are silent is healthy: it lets mail pass, and the metrics show it. Must
never raise, and never take longer than its timeout.

The milter protocol: SMFIC_OPTNEG, SMFIC_QUIT.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

from ..net.endpoints import SocketAddress
from .shared_memory import MAX_SILENCE, SharedMemory

TIMEOUT = 2.0  # seconds for the connection and the answer
_HEAD = struct.Struct("!Ic")  # length of what follows, command
_VERSION, _ALL_ACTIONS, _ALL_STEPS = 6, 0x1FF, 0x1FFFFF
_OPTIONS = struct.pack("!III", _VERSION, _ALL_ACTIONS, _ALL_STEPS)
_NEGOTIATE = _HEAD.pack(1 + len(_OPTIONS), b"O") + _OPTIONS
_QUIT = _HEAD.pack(1, b"Q")


async def find_problem(place: SocketAddress, memory: SharedMemory, timeout: float = TIMEOUT) -> str:
    """Return in one sentence what is wrong with the service at `place`; "" if it is healthy."""
    now = asyncio.get_running_loop().time()
    for number, silence in enumerate(memory.silence(now)):
        if silence == float("inf"):
            return f"worker {number} has not started yet"
        if silence >= MAX_SILENCE:
            return f"the event loop of worker {number} has not run for {silence:.0f} seconds"
    return await negotiation_trouble(place, timeout)


async def negotiation_trouble(place: SocketAddress, timeout: float = TIMEOUT) -> str:
    """Return in one sentence what is wrong with a negotiation at the socket; "" if a milter answers."""
    try:
        async with asyncio.timeout(timeout):
            return await _negotiate(place)
    except TimeoutError:
        return f"no answer to a negotiation at {place} within {timeout:g} seconds"
    except (ConnectionRefusedError, FileNotFoundError):
        return f"nothing listens at {place}"
    except (OSError, EOFError) as error:
        return f"negotiation at {place} failed: {error}"


async def _negotiate(place: SocketAddress) -> str:
    if place.path:
        reader, writer = await asyncio.open_unix_connection(place.path)
    else:
        reader, writer = await asyncio.open_connection(place.host, place.port)
    try:
        writer.write(_NEGOTIATE)
        _, command = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        writer.write(_QUIT)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return "" if command == b"O" else f"what answers at {place} is not a milter"
