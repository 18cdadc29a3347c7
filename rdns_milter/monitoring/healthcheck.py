"""Is the service alive? Asked as an MTA would, by a negotiation at the milter's own socket; and each worker's event loop must have
shown life lately.

Says only what it has seen. A silent name server does not make the service dead: it stands aside then, and other numbers say
so. Bounded in time and octets; never raises.

The milter protocol: SMFIC_OPTNEG, SMFIC_QUIT.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

from ..net.endpoints import SocketAddress
from .shared_memory import LATELY, Ledger

PATIENCE = 2.0  # seconds for the connection and the answer
_HEAD = struct.Struct("!Ic")  # length of what follows, command
_VERSION, _ALL_ACTIONS, _ALL_STEPS = 6, 0x1FF, 0x1FFFFF
_OPTIONS = struct.pack("!III", _VERSION, _ALL_ACTIONS, _ALL_STEPS)
_NEGOTIATE = _HEAD.pack(1 + len(_OPTIONS), b"O") + _OPTIONS
_QUIT = _HEAD.pack(1, b"Q")


async def trouble(place: SocketAddress, ledger: Ledger, patience: float = PATIENCE) -> str:
    """What is wrong with the service, in one sentence; "" if it is alive."""
    now = asyncio.get_running_loop().time()
    for number, silent in enumerate(ledger.silent_for(now)):
        if silent == float("inf"):
            return f"worker {number} has not begun yet"
        if silent >= LATELY:
            return f"the event loop of worker {number} has given no sign of life for {silent:.0f} seconds"
    return await negotiation_trouble(place, patience)


async def negotiation_trouble(place: SocketAddress, patience: float = PATIENCE) -> str:
    """Return what is wrong with a negotiation at the socket, in one sentence; "" if a milter answers."""
    try:
        async with asyncio.timeout(patience):
            return await _negotiate(place)
    except TimeoutError:
        return f"no answer to a negotiation at {place} within {patience:g} seconds"
    except (OSError, EOFError) as error:
        return f"no negotiation at {place}: {error}"


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
    return "" if command == b"O" else f"what answers at {place} is no milter"
