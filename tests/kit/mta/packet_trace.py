"""Record TCP packets on loopback, and find the stalls that Nagle's algorithm and delayed ACKs cause together.

    with PacketTrace(8895) as trace:
        ...                      # conversations with the server on port 8895
    assert not trace.stalls()

In a stall the sender holds data back until the receiver's delayed ACK arrives. It is found by an ACK without data, 30 ms or more
after the data that it acknowledges, and data in the other direction immediately after it. Times are the kernel's. A busy machine
causes no stall: an answer may be late, but then no data follows the ACK immediately. Needs root.

packet(7), RFC 896, RFC 1122 4.2.3.2.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

ETH_P_IP = 0x0800
ETHERNET = 14
SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
BUFFER = 64 << 20
DELAYED = 0.030  # seconds after which an ACK counts as delayed; Linux delays it by 40 ms
BEHIND = 0.003  # seconds within which held data follows the ACK: the kernel sends it when it processes the ACK
POLL = 0.05
SYN_FIN_RST = 0x07


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP segment. `time`: seconds; `peer`: the port on the other side; `to_port`: the direction; `size`: bytes of data."""

    time: float
    peer: int
    to_port: bool
    size: int
    plain: bool


class PacketTrace:
    """The packets from and to a port, IPv4, from the beginning of the context to its end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.packets: list[Packet] = []
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._filter()
        self._socket.bind(("lo", ETH_P_IP))
        self._socket.settimeout(POLL)
        self._thread = threading.Thread(target=self._run, name="packets", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _filter(self) -> None:
        """Let the kernel pass TCP segments from and to the port only (bpf)."""
        program = (
            (0x28, 0, 0, 12), (0x15, 0, 8, ETH_P_IP),  # the type
            (0x30, 0, 0, ETHERNET + 9), (0x15, 0, 6, socket.IPPROTO_TCP),
            (0xB1, 0, 0, ETHERNET),  # the length of the IP header
            (0x48, 0, 0, ETHERNET), (0x15, 2, 0, self._port),
            (0x48, 0, 0, ETHERNET + 2), (0x15, 0, 1, self._port),
            (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0),
        )  # fmt: skip
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        self._socket.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
        )

    def _run(self) -> None:
        while True:
            try:
                frame, extra, _, address = self._socket.recvmsg(ETHERNET + 120, 64)
            except TimeoutError:
                if self._stop.is_set():
                    return
                continue
            if address[2] == socket.PACKET_OUTGOING:  # on loopback each frame is seen twice
                continue
            seconds, nanoseconds = struct.unpack("qq", extra[0][2])
            ip = frame[ETHERNET:]
            total, tcp = int.from_bytes(ip[2:4], "big"), ip[4 * (ip[0] & 15) :]
            source, target = struct.unpack_from("!HH", tcp)
            size = total - 4 * (ip[0] & 15) - 4 * (tcp[12] >> 4)
            to_port = target == self._port
            self.packets.append(
                Packet(
                    seconds + nanoseconds / 1e9, source if to_port else target, to_port, size, not tcp[13] & SYN_FIN_RST
                )
            )

    def stalls(self) -> list[Packet]:
        """Return the packets that were held back, one for each stall."""
        connections: dict[int, list[Packet]] = defaultdict(list)
        for packet in self.packets:
            connections[packet.peer].append(packet)
        return [held for packets in connections.values() for held in _held(packets)]


def _held(packets: list[Packet]) -> Iterator[Packet]:
    for data, ack, behind in zip(packets, packets[1:], packets[2:], strict=False):
        if (
            data.size and not ack.size and behind.size and ack.plain
            and data.to_port == behind.to_port != ack.to_port
            and ack.time - data.time >= DELAYED and behind.time - ack.time <= BEHIND
        ):  # fmt: skip
            yield behind
