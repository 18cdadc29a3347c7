"""Clients that cause many DNS queries, to keep the milter from serving other clients.

Each flood runs in a process of its own, so that what a test measures of other clients does not include the flood's own work.
`zone` has the records that the floods use; RFC 7208 4.6.4 allows all of them.

    with Flood(greetings, daemon.spec, rate=0) as flood:
        flood.wait(300)
        ...  # other clients send
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from tests.kit.dns.zone_text import Listing
from tests.kit.milter.conversation import Conversation
from tests.kit.milter.daemon import until
from tests.kit.milter.transaction import deliver
from tests.kit.smtp.client_identity import Client

SENDERS = 200  # domains with a record of ten mx of ten hosts
CLIENTS = 50
AT_ONCE = 400  # messages of the ordinary clients in progress
SECONDS = 20.0
ASLEEP = "asleep.example"
IDLE = 300  # connections
RECIPIENTS = 1000  # of a message
_NETWORK = "2001:db8:bad"

Begin = Callable[[], None]
Run = Callable[[str, Begin], None]


def zone() -> Listing:
    """Return the records of the attackers.

    Each client has a reverse name. The hosts of each f<n>.fan.example are in a zone of their own that does not answer. Each name
    below any.fan.example has an SPF record with ten names of its own that do not answer. Addresses of 203.0.112.0/24 have ten
    reverse names whose address queries are not answered; reverse names of 2001:db8:bad::/48 are not answered.
    """
    records: dict[str, Any] = {
        "*.113.0.203.in-addr.arpa": [("PTR", "client.fan.example")],
        "client.fan.example": [("A", f"203.0.113.{n}") for n in range(256)],
        "*.any.fan.example": [("TXT", f"v=spf1 {' '.join(f'a:{n}.%{{h}}.{ASLEEP}' for n in range(10))} -all")],
        "*.fast.example": [("TXT", "v=spf1 " + " ".join(f"exists:{n}.%{{l}}.%{{i}}.here.example" for n in range(10)))],
        f"*.{ASLEEP}": ["SILENT"],
        "*.d.a.b.0.8.b.d.0.1.0.0.2.ip6.arpa": ["SILENT"],
    }
    for number in range(256):
        records[f"203.0.112.{number}"] = [("PTR", f"p{k}.a{number}.{ASLEEP}") for k in range(10)]
    for number in range(SENDERS):
        name = f"f{number}.fan.example"
        records[name] = [("TXT", f"v=spf1 {' '.join(f'mx:m{k}.{name}' for k in range(10))} -all")]
        records[f"*.asleep{number}.example"] = ["SILENT"]
        for k in range(10):
            records[f"m{k}.{name}"] = [("MX", f"{j} h{j}.m{k}.asleep{number}.example.") for j in range(10)]
    return records


def client(number: int) -> Client:
    """Return the attacking client with this number."""
    return Client(f"203.0.113.{number % 256}")


def mail_and_reset(spec: str, begin: Begin) -> None:
    """One connection: MAIL with an SPF record of ten `mx` with ten hosts that do not answer, RSET, and again."""
    _mail_and_reset(spec, begin, 1, lambda number: f"a@f{number % SENDERS}.fan.example")


def _mail_and_reset(spec: str, begin: Begin, attacker: int, sender: Callable[[int], str]) -> None:
    with Conversation(spec) as talk:
        talk.connect("x", client(attacker).address)
        talk.helo("client.fan.example")
        for number in itertools.count():
            begin()
            talk.mail(sender(number))
            talk.abort()


def greetings(spec: str, begin: Begin) -> None:
    """One connection at a time: a hundred HELO commands, each with an SPF record of ten names that do not answer."""
    number = 0
    while True:
        with Conversation(spec) as talk:
            talk.connect("x", client(2).address)
            for _ in range(100):
                begin()
                talk.helo(f"h{number}.any.fan.example")
                number += 1
            talk.quit()


def unique_names(spec: str, begin: Begin) -> None:
    """MAIL and RSET, with ten names that are answered at once and are new each time."""
    _mail_and_reset(spec, begin, 3, lambda number: f"u{number}@s{number}.fast.example")


def ordinary(spec: str, begin: Begin) -> None:
    """Fifty clients that send messages. The SPF record of the HELO name has ten names that do not answer, the sender's a
    hundred."""

    def send(number: int) -> None:
        helo, sender = f"c{number}.any.fan.example", f"a@f{number % SENDERS}.fan.example"
        with suppress(OSError):
            deliver(spec, client=client(10 + number % CLIENTS), helo=helo, mailfrom=sender)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(1 << 30):
            begin()
            pool.submit(send, number)


def reverse_names(spec: str, begin: Begin) -> None:
    """Connections of clients with ten reverse names each, whose address queries are not answered."""
    for number in range(1 << 30):
        begin()
        _greet(spec, f"203.0.112.{number % 256}")


def one_network(spec: str, begin: Begin) -> None:
    """Connections from a new address each time, all in one /64, whose reverse zone does not answer."""
    for number in range(1 << 30):
        begin()
        _greet(spec, f"{_NETWORK}::{number % 0xFFFF:x}")


def recipients(spec: str, begin: Begin) -> None:
    """Messages with a thousand recipients each. The sender's SPF record has a hundred names that do not answer."""
    for number in range(1 << 30):
        with Conversation(spec) as talk:
            talk.connect("x", client(4).address)
            talk.helo("client.fan.example")
            talk.mail(f"a@f{number % SENDERS}.fan.example")
            for recipient in range(RECIPIENTS):
                begin()
                talk.rcpt(f"r{recipient}@rcpt.example")
            talk.abort()


def idle(spec: str, begin: Begin) -> None:
    """Connections that stay open and idle after MAIL with an SPF record like that of `recipients`."""
    with ExitStack() as stack:
        for number in range(IDLE):
            begin()
            talk = stack.enter_context(Conversation(spec))
            talk.connect("x", client(10 + number % CLIENTS).address)
            talk.helo(f"i{number}.any.fan.example")
            talk.mail(f"a@f{number % SENDERS}.fan.example")
        while True:
            begin()
            time.sleep(0.1)


def _greet(spec: str, address: str) -> None:
    with Conversation(spec) as talk:
        talk.connect("x", address)
        talk.helo("client.fan.example")
        talk.mail("a@client.fan.example")
        talk.abort()


class _Over(Exception):
    """Raised to end the flood."""


class Flood:
    """A flood that runs until the context ends. `rate`: rounds per second; 0: as fast as the milter answers."""

    def __init__(self, run: Run, spec: str, rate: float = 0) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would copy locks that the test's threads hold
        self._rounds = spawn.Value("Q", 0)
        self._over = spawn.Event()
        self._process = spawn.Process(target=_run, args=(run, spec, rate, self._rounds, self._over), daemon=True)

    @property
    def rounds(self) -> int:
        """The number of rounds that have begun."""
        return int(self._rounds.value)

    def wait(self, count: int) -> None:
        """Wait until this many more rounds have begun. Raises TimeoutError."""
        wanted = self.rounds + count
        until(lambda: self.rounds >= wanted, 60)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._process.join(SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _run(run: Run, spec: str, rate: float, rounds: Any, over: Any) -> None:
    began = time.monotonic()
    done = 0

    def begin() -> None:
        nonlocal done
        due = began + done / rate if rate else 0.0
        if over.wait(max(0.0, due - time.monotonic())) or over.is_set():
            raise _Over
        done += 1
        rounds.value = done

    with suppress(_Over):
        run(spec, begin)
