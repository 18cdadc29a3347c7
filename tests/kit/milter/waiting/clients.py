"""Clients that all wait for DNS in a running milter at the same time, until the name server releases its answers.

No test needs a clock: `waiting_at_rcpt` returns once a thread of the milter serves each client, and no client has been answered.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.packets import Reply, strings
from tests.kit.milter.transaction import Conversation, Outcome, burst, deliver
from tests.kit.milter.waiting.unread_packets import count_unserved
from tests.kit.smtp.client_identity import Client

COUNT = 100
DEADLINE = 25.0  # seconds; reached only if something is broken
# Sections of the configuration.
MILTER: dict[str, Any] = {"deadline": DEADLINE}
DNS: dict[str, Any] = {"timeout": DEADLINE, "tries": 1}
NETS = {"held": "192.0.2", "late": "203.0.113", "good": "198.18.0"}
REVERSE_NAMES, SENDERS = "2.0.192.in-addr.arpa", "held-sender.example"  # of the clients `held`


def zone() -> Zone:
    """Return COUNT clients of each kind. All are good; the PTR records of `late` come late."""
    lines = []
    for number in range(COUNT):
        for kind, net in NETS.items():
            address, name = f"{net}.{number + 1}", f"m{number}.{kind}.example"
            lines += [f"{address} PTR {name}", f"{name} A {address}", f"{name} TXT v=spf1 -all"]
            lines.append(f"m{number}.{kind}-sender.example TXT v=spf1 ip4:{address} -all")
        lines.append(f"{NETS['late']}.{number + 1} PTR!DELAY 0.1")
    return Zone("\n".join(lines))


def message(kind: str, number: int) -> dict[str, Any]:
    """Return the arguments of a message of a client of that kind."""
    client = Client(f"{NETS[kind]}.{number + 1}")
    return {"client": client, "helo": f"m{number}.{kind}.example", "mailfrom": f"a@m{number}.{kind}-sender.example"}


def sent(daemon: Daemon, kind: str, count: int) -> list[Outcome]:
    """Send a message from each of this many clients of a kind at the same moment; return the outcomes."""
    return burst([partial(deliver, daemon.spec, **message(kind, number)) for number in range(count)])


@contextmanager
def conversations(daemon: Daemon, kind: str, count: int) -> Iterator[list[Conversation]]:
    """Connect as this many clients of a kind, and send HELO."""
    with ExitStack() as stack:
        dialogues = [stack.enter_context(Conversation(daemon.spec, timeout=2 * DEADLINE)) for _ in range(count)]
        for number, dialogue in enumerate(dialogues):
            about = message(kind, number)
            dialogue.connect("x", about["client"].address)
            dialogue.helo(about["helo"])
        yield dialogues


def all_ask(server: NameServer, dialogues: Sequence[Conversation], command: bytes, argument: bytes = b"") -> None:
    """Send a command in all conversations, and wait until the milter serves each of them, while the answers of DNS are kept."""
    for dialogue in dialogues:
        dialogue.send_packet(command, argument)
    until(lambda: not count_unserved(dialogue.socket for dialogue in dialogues), DEADLINE / 2)
    until(lambda: server.held >= len(dialogues), DEADLINE / 2)
    assert answered(dialogues) == 0


@contextmanager
def waiting_at_rcpt(server: NameServer, daemon: Daemon, count: int) -> Iterator[list[Conversation]]:
    """Let this many clients wait at RCPT."""
    server.hold(REVERSE_NAMES)
    with conversations(daemon, "held", count) as dialogues:
        for number, dialogue in enumerate(dialogues):
            dialogue.mail(message("held", number)["mailfrom"])
        all_ask(server, dialogues, b"R", strings("<b@rcpt.example>"))
        yield dialogues


def answered(dialogues: Sequence[Conversation]) -> int:
    """Return the number of conversations in which the milter has answered."""
    poll = select.poll()
    for dialogue in dialogues:
        poll.register(dialogue.socket, select.POLLIN)
    return len(poll.poll(0))


def released(server: NameServer, dialogues: Sequence[Conversation]) -> list[Reply]:
    """Let DNS answer; return the reply in each conversation."""
    server.release()
    return [dialogue.read_end().reply for dialogue in dialogues]
