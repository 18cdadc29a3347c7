"""The MTA of the benchmark: many complete milter conversations at the same time in one thread, at low cost.

It sends the same packets as Postfix: negotiation, macros, CONNECT, HELO, MAIL, RCPT, DATA (if the milter wants it), 20 header
fields (if the milter wants them) and the end of the message; one message per connection. It waits for each reply. It can pause
before the next command, as an MTA does that waits for its client.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench import clients
from tests.kit.milter.packets import ALL_ACTIONS, ALL_STEPS, VERSION, Steps, packet, strings

TIMEOUT = 40.0  # seconds without a reply after which a conversation is aborted
RETRY = 0.002  # seconds until a connection is tried again if the listen queue is full
LARGEST = 1 << 16
NEGOTIATE, CONNECT, HELO, MAIL, RCPT, DATA, END = range(7)
THOUGHTS = (
    0,
    1,
    1,
    1,
    1,
    1,
    0,
)  # number of pauses after the reply to each stage; without DATA its pause comes after RCPT

_NEGOTIATION = packet(b"O", struct.pack(">III", VERSION, ALL_ACTIONS, ALL_STEPS))
_MACROS = packet(b"D", b"C" + strings("j", "mx.bench.test", "{daemon_addr}", "127.0.0.1", "{client_addr}", "10.0.0.1"))
_RCPT = packet(b"R", strings("<rcpt@bench.test>"))
_DATA = packet(b"D", b"T" + strings("i", "4KitQ00001")) + packet(b"T")
_END = packet(b"D", b"E" + strings("i", "4KitQ00001")) + packet(b"E")
_QUIT = packet(b"Q")
_FIELDS = b"".join(packet(b"L", strings(f"X-Field-{number}", " " + 40 * "x")) for number in range(20))
_FINAL = frozenset(b"acrtdy")  # command bytes of replies that end a stage
_TAKEN = frozenset(b"ac")


@dataclass(slots=True)
class Result:
    """The result of a run. `seconds`: from the first connection to the last reply; `cpu`: seconds of CPU time of the load
    generator; `waits`: the seconds that the MTA waited for the milter, for each message, sorted; `ended`: the number of messages by
    the milter's last reply, or by the error."""

    seconds: float = 0.0
    cpu: float = 0.0
    waits: list[float] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def messages(self) -> int:
        """The number of messages for which the milter answered every command."""
        return len(self.waits)

    def wait(self, part: float) -> float:
        """Return the quantile of `waits` for a part of 0 to 1."""
        return self.waits[min(len(self.waits) - 1, int(part * len(self.waits)))] if self.waits else 0.0


class _Conversation:
    """One connection. `wait`: seconds waited so far; `asked`: the time at which the last command was sent."""

    __slots__ = ("asked", "connected", "number", "socket", "stage", "unread", "wait")

    def __init__(self, number: int) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.connected = False
        self.stage = NEGOTIATE
        self.unread = b""
        self.wait = 0.0
        self.asked = 0.0


class Load:
    """A closed loop: `concurrency` conversations at the same time over the UNIX socket `path`. It ends after a number of messages
    or of seconds. `numbers`: the clients (tests.bench.clients); `think`: seconds before each command after the first."""

    def __init__(
        self,
        path: str,
        numbers: Iterator[int],
        concurrency: int,
        *,
        messages: int = 1 << 40,
        seconds: float = 1e9,
        think: float = 0.0,
    ) -> None:
        self._path = path
        self._numbers = numbers
        self._concurrency = concurrency
        self._left = messages
        self._seconds = seconds
        self._think = think
        self._end, self._data = _END, False
        self._result = Result()
        self._epoll = select.epoll()
        self._active: dict[int, _Conversation] = {}
        self._due: list[tuple[float, int, _Conversation]] = []
        self._order = itertools.count()

    def run(self) -> Result:
        """Run the load to its end. Raises RuntimeError if the milter negotiates something that this MTA does not support."""
        result, began, cpu = self._result, time.monotonic(), time.process_time()
        until, check = began + self._seconds, began
        self._fill(until)
        while self._active:
            for fd, _ in self._epoll.poll(self._pause(), 256):
                conversation = self._active.get(fd)
                if conversation is not None:
                    self._read(conversation)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                self._resume(heapq.heappop(self._due)[2])
            if now > check:
                check = now + 1
                self._give_up(now)
            self._fill(until)
        self._epoll.close()
        result.seconds = time.monotonic() - began
        result.cpu = time.process_time() - cpu
        result.waits.sort()
        return result

    def _pause(self) -> float:
        return min(1.0, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 1.0

    def _fill(self, until: float) -> None:
        while len(self._active) < self._concurrency and self._left > 0 and time.monotonic() < until:
            self._left -= 1
            conversation = _Conversation(next(self._numbers))
            self._active[conversation.socket.fileno()] = conversation
            conversation.asked = time.monotonic()
            self._connect(conversation)

    def _connect(self, conversation: _Conversation) -> None:
        try:
            conversation.socket.connect(self._path)
        except BlockingIOError:  # the listen queue of the socket is full
            self._later(conversation, RETRY)
            return
        conversation.connected = True
        self._epoll.register(conversation.socket, select.EPOLLIN)
        conversation.socket.send(_NEGOTIATION)

    def _later(self, conversation: _Conversation, seconds: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), conversation))

    def _resume(self, conversation: _Conversation) -> None:
        if conversation.socket.fileno() < 0:
            return  # it has been aborted meanwhile
        if conversation.connected:
            self._send(conversation)
        else:
            self._connect(conversation)

    def _read(self, conversation: _Conversation) -> None:
        try:
            data = conversation.unread + conversation.socket.recv(LARGEST)
        except OSError:
            data = b""
        if len(data) == len(conversation.unread):
            self._close(conversation, "closed")
            return
        place = 0
        while place + 5 <= len(data):
            length = int.from_bytes(data[place : place + 4], "big")
            if place + 4 + length > len(data):
                break
            code, payload = data[place + 4], data[place + 5 : place + 4 + length]
            place += 4 + length
            if code in _FINAL or code == 79:  # "O": negotiated
                self._take(conversation, code, payload)
                return
        conversation.unread = data[place:]

    def _take(self, conversation: _Conversation, code: int, payload: bytes) -> None:
        """Handle the reply to a stage."""
        conversation.unread = b""
        conversation.wait += time.monotonic() - conversation.asked
        stage = conversation.stage
        if stage == NEGOTIATE:
            self._negotiated(payload)
        if stage == END or (code not in _TAKEN and stage != NEGOTIATE):
            self._result.waits.append(conversation.wait)
            self._close(conversation, "accepted" if code in _TAKEN else "refused")
            return
        skips = stage == RCPT and not self._data
        conversation.stage = END if skips else stage + 1
        thought = self._think * (THOUGHTS[stage] + skips)
        if thought:
            self._later(conversation, thought)
        else:
            self._send(conversation)

    def _negotiated(self, payload: bytes) -> None:
        _, _, steps = struct.unpack(">III", payload[:12])
        for left_out, unanswered in ((Steps.NO_HEADERS, Steps.NOREPLY_HEADERS), (Steps.NO_EOH, Steps.NOREPLY_EOH)):
            if not steps & (left_out | unanswered):
                raise RuntimeError("this MTA does not wait for replies to header fields, nor to their end")
        if not steps & Steps.NO_BODY:
            raise RuntimeError("this MTA sends no body")
        fields = b"" if steps & Steps.NO_HEADERS else _FIELDS
        self._end = fields + (b"" if steps & Steps.NO_EOH else packet(b"N")) + _END
        self._data = not steps & Steps.NO_DATA

    def _send(self, conversation: _Conversation) -> None:
        number, stage = conversation.number, conversation.stage
        if stage == CONNECT:
            ip, host = clients.address(number), clients.host(number)
            data = _MACROS + packet(b"C", strings(host) + b"4\x82\x35" + strings(ip))
        elif stage == HELO:
            data = packet(b"H", strings(clients.host(number)))
        elif stage == MAIL:
            data = packet(b"M", strings(f"<user{number}@{clients.sender(number)}>"))
        else:
            data = {RCPT: _RCPT, DATA: _DATA}.get(stage, self._end)
        conversation.asked = time.monotonic()
        try:
            conversation.socket.send(data)
        except OSError:
            self._close(conversation, "closed")

    def _close(self, conversation: _Conversation, why: str) -> None:
        self._result.ended[why] += 1
        del self._active[conversation.socket.fileno()]
        with conversation.socket as connection, contextlib.suppress(OSError):
            if why in ("accepted", "refused"):
                connection.send(_QUIT)

    def _give_up(self, now: float) -> None:
        for conversation in tuple(self._active.values()):
            if now - conversation.asked > TIMEOUT:
                self._close(conversation, "unanswered")
