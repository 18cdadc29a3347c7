"""A whole message through a milter, as Postfix or Sendmail would send it, without either.

`deliver` runs one SMTP session with one message and returns the milter's replies at each step, the time they took, and the
message that results. `Conversation` is the same step by step; `burst` runs many at once. Nothing here is checked: tests do that.

    outcome = deliver("inet:8895@127.0.0.1", client=Client("192.0.2.7", name="mx.example.com"), helo="mx.example.com",
                      mailfrom="a@example.com", rcpts=["b@rcpt.example"], headers=[("Subject", "x")])
    assert outcome.rcpts[0].code == 550
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from tests.kit.milter import macros as macro
from tests.kit.milter.conversation import Conversation, End, MilterClosed
from tests.kit.milter.endpoint import TIMEOUT, Endpoint
from tests.kit.milter.macros import Macros
from tests.kit.milter.message_edits import RECEIVED, Message, edited
from tests.kit.milter.packets import ALL_ACTIONS, ALL_STEPS, UNSENT, VERSION, Change, ProtocolError, Reply, octets, text
from tests.kit.smtp.client_identity import Client

__all__ = [
    "RECEIVED",
    "Change",
    "Client",
    "Conversation",
    "End",
    "Message",
    "MilterClosed",
    "Outcome",
    "ProtocolError",
    "Reply",
    "Step",
    "burst",
    "deliver",
]

QUEUE_ID = "4KitQ00001"
HEADERS = (("From", "a@sender.example"), ("To", "b@rcpt.example"), ("Subject", "kit"))

Headers = Sequence[tuple[str | bytes, str | bytes]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One step, its argument, the milter's reply, and the seconds until it came."""

    stage: str
    argument: str
    reply: Reply
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one message, in order; `message` as the MTA would queue it, None if it was not accepted."""

    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    message: Message | None

    def reply(self, stage: str) -> Reply:
        """Return the first reply at that stage; `unsent` if the session did not reach it."""
        return next((step.reply for step in self.steps if step.stage == stage), UNSENT)

    def seconds(self, stage: str = "") -> float:
        """Return the seconds waited at that stage, or in all."""
        return sum(step.seconds for step in self.steps if stage in ("", step.stage))

    @property
    def rcpts(self) -> tuple[Reply, ...]:
        """The reply to each recipient that was tried."""
        return tuple(step.reply for step in self.steps if step.stage == "rcpt")

    @property
    def verdict(self) -> Reply:
        """The last reply, which decides; that to the end of the message if it got that far."""
        return self.steps[-1].reply

    @property
    def accepted(self) -> bool:
        """The message would be queued (quarantined or not)."""
        return self.message is not None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The queued message's headers with the MTA's own RECEIVED; empty if it was not accepted."""
        return self.message.headers if self.message else ()

    @property
    def quarantined(self) -> str | None:
        """The reason of the quarantine, None if not quarantined."""
        return self.message.quarantined if self.message else None

    def header(self, name: str) -> list[str]:
        """Return the values of the queued message's headers of that name, from the top."""
        return self.message.values(name) if self.message else []


def deliver(
    spec: Endpoint,
    *,
    client: Client | None = None,
    helo: str | bytes | None = "mail.sender.example",
    mailfrom: str | bytes = "a@sender.example",
    mail_args: Sequence[str | bytes] = (),
    rcpts: Sequence[str | bytes] = ("b@rcpt.example",),
    headers: Headers = HEADERS,
    body: bytes = b"text\r\n",
    macros: Macros | None = None,
    mta: str = "postfix",
    version: int = VERSION,
    actions: int = ALL_ACTIONS,
    steps: int = ALL_STEPS,
    timeout: float = TIMEOUT,
) -> Outcome:
    """Run one session with one message, up to the step where a real MTA would stop.

    `client`: for CONNECT and the {client_*} macros (default: 192.0.2.1 without a name). `helo=None`: no HELO. `macros`: further
    macros, sent where the milter asked for them (else where `mta`'s defaults have them). `mta`: "postfix" or "sendmail", for the
    macro lists, the moment from which the queue id `i` is known, and the numbering of headers after a deletion. Errors as
    Conversation.
    """
    client = client or Client()
    known: Macros = {**macro.of_client(client), **(macros or {})}
    with Conversation(
        spec, macros=known, mta=mta, version=version, actions=actions, steps=steps, timeout=timeout
    ) as talk:
        return _Run(talk, mta, client, helo, mailfrom, mail_args, rcpts, headers, body).outcome()


@dataclass(slots=True)
class _Run:
    """The steps of one message, taken in order until one does not go on."""

    talk: Conversation
    mta: str
    client: Client
    helo: str | bytes | None
    mailfrom: str | bytes
    mail_args: Sequence[str | bytes]
    rcpts: Sequence[str | bytes]
    headers: Headers
    body: bytes
    steps: list[Step] = field(default_factory=list)

    def outcome(self) -> Outcome:
        changes: tuple[Change, ...] = ()
        if self._greeting() and self._envelope() and self._content():
            began = time.monotonic()
            end = self.talk.end()
            self.steps.append(Step("end", "", end.reply, time.monotonic() - began))
            changes = end.changes
        else:
            self.talk.abort()
        last = self.steps[-1]
        accepted = last.reply.action == "accept" or (last.stage == "end" and last.reply.goes_on)
        headers = [(text(octets(name)), text(octets(value))) for name, value in self.headers]
        message = edited(headers, self.body, changes, mta=self.mta) if accepted else None
        return Outcome(tuple(self.steps), changes, message)

    def _take(self, stage: str, argument: str | bytes, call: Callable[[], Reply]) -> Reply:
        began = time.monotonic()
        reply = call()
        self.steps.append(Step(stage, text(octets(argument)), reply, time.monotonic() - began))
        return reply

    def _greeting(self) -> bool:
        talk, client, helo = self.talk, self.client, self.helo
        reply = self._take("connect", "", lambda: talk.connect(client.hostname, client.address, client.port))
        if reply.goes_on and helo is not None:
            reply = self._take("helo", helo, lambda: talk.helo(helo))
        return reply.goes_on

    def _envelope(self) -> bool:
        """Send MAIL and all RCPTs; return whether a recipient is left and the milter is to be asked further."""
        talk = self.talk
        queue_id = talk.known.pop("i", octets(QUEUE_ID))
        if self.mta == "sendmail":
            talk.known["i"] = queue_id
        if not self._take("mail", self.mailfrom, lambda: talk.mail(self.mailfrom, *self.mail_args)).goes_on:
            return False
        left = False
        for rcpt in self.rcpts:
            reply = self._take("rcpt", rcpt, partial(talk.rcpt, rcpt))
            if reply.goes_on:
                talk.known["i"] = queue_id
                left = True
            elif reply.action in {"accept", "discard", "shutdown"} or reply.code == 421:
                return False
        return left

    def _content(self) -> bool:
        talk = self.talk
        calls: list[tuple[str, str | bytes, Callable[[], Reply]]] = [
            ("data", "", talk.data),
            *(("header", name, partial(talk.header, name, value)) for name, value in self.headers),
            ("eoh", "", talk.eoh),
            ("body", "", partial(talk.body, self.body)),
        ]
        return all(self._take(*call).goes_on for call in calls)


def burst(jobs: Sequence[Callable[[], T]], timeout: float = 300.0) -> list[T]:
    """Run all jobs at the same moment, each in a thread of its own; return their results in the order of the jobs.

    Raises the first error of any job once all have ended; TimeoutError if one has not after `timeout` seconds.
    """
    gate = threading.Barrier(len(jobs) + 1)
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(number: int, job: Callable[[], T]) -> None:
        try:
            gate.wait()
            results[number] = job()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    gate.wait()
    until = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        raise TimeoutError(f"{sum(thread.is_alive() for thread in threads)} of {len(jobs)} jobs still run")
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(jobs))]
