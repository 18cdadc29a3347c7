"""Drive a session as the milter does, with facts that arrive when a test says so: between two commands, or one by one while the
session waits.

Uses no thread, no clock and no DNS, so each run is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from random import Random
from typing import Any

from rdns_milter.checks.evidence import UNKNOWN, Evidence, Generic, Iprev, Spf
from rdns_milter.config.load import Config
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.net.mailboxes import Mailbox, normalized_path, parse_mailbox
from rdns_milter.net.names import Address, parse_address
from rdns_milter.policy.decide import reply_is_settled
from rdns_milter.responses.replies import Reply
from rdns_milter.session.check_runner import HeloResult, PendingFact, ReverseName
from rdns_milter.session.latch import Latch
from rdns_milter.session.modifications import Modifications
from rdns_milter.session.service import Service, SessionEvents
from rdns_milter.session.session import Session
from tests.kit.data.strategies import HOSTS, MAILBOXES

CLIENT = parse_address("192.0.2.7")
HOST = "mx.test.example"
TODAY = date(2026, 12, 1)
MOMENT = 0.01  # seconds between two facts
ALL = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its sender, its recipients, and whether the client has logged in and uses TLS."""

    sender: str
    recipients: tuple[str, ...]
    authenticated: bool = False
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One connection of CLIENT."""

    helo: str
    messages: tuple[Message, ...]


def random_dialogue(seed: int) -> Dialogue:
    """Return a random dialogue, the same for the same seed."""
    rng = Random(seed)
    recipients = [box for box in MAILBOXES if box]
    messages = tuple(
        Message(
            rng.choice(MAILBOXES),
            tuple(rng.choices(recipients, k=rng.randint(1, 4))),
            rng.random() < 0.1,
            rng.random() < 0.5,
        )
        for _ in range(rng.randint(1, 2))
    )
    return Dialogue(rng.choice(HOSTS), messages)


class ScriptedFacts:
    """Stand-in for CheckRunner with the facts of `evidence`. Those named in `at_once` are known from the start, the others arrive
    one at a time. `latest`: the newest pending fact of each name."""

    def __init__(self, evidence: Evidence, rng: Random, at_once: Collection[str] = ()) -> None:
        self.latest: dict[str, PendingFact[Any]] = {}
        self.dropped: list[PendingFact[Any]] = []
        self._evidence = evidence
        self._rng = rng
        self._at_once = at_once
        self._coming: list[tuple[str, PendingFact[Any], Any]] = []

    def start_reverse_name(self, address: Address, config: Config) -> PendingFact[ReverseName]:
        """See CheckRunner."""
        found = self._evidence.iprev
        if found.result != "pass":  # then no name is confirmed, so that HELO and sender match none
            found = replace(found, names=())
        return self._begin("iprev", ReverseName(found, self._evidence.generic))

    def start_helo(self, address: Address, greeting: str, config: Config) -> PendingFact[HeloResult]:
        """See CheckRunner."""
        return self._begin("helo", HeloResult(self._evidence.helo.result, "ok"))

    def start_spf(
        self, address: Address, mailbox: Mailbox, helo: str, config: Config, receiver: str = ""
    ) -> PendingFact[Spf]:
        """See CheckRunner. The first call of a connection is for the HELO name, the others are for senders."""
        if "spf_helo" not in self.latest:
            return self._begin("spf_helo", self._evidence.spf_helo)
        return self._begin("spf_mailfrom", replace(self._evidence.spf_mailfrom, domain=mailbox.domain))

    def cancel(self, *pendings: PendingFact[Any]) -> None:
        """See CheckRunner."""
        self.dropped += pendings

    @property
    def coming(self) -> int:
        """The number of facts that have not arrived."""
        return len(self._coming)

    def settle(self, count: int) -> None:
        """Let this number of further facts arrive, chosen at random."""
        for _ in range(min(count, len(self._coming))):
            _, pending, value = self._coming.pop(self._rng.randrange(len(self._coming)))
            pending.set(value)

    def arrive(self, name: str) -> None:
        """Let the fact of this name arrive."""
        (coming,) = (each for each in self._coming if each[0] == name)
        self._coming.remove(coming)
        coming[1].set(coming[2])

    def _begin(self, name: str, value: Any) -> PendingFact[Any]:
        pending = self.latest[name] = PendingFact(value if name in self._at_once else None)
        if pending.value is None:
            self._coming.append((name, pending, value))
        return pending


@dataclass(slots=True)
class Run:
    """The outcome of a dialogue: the reply to each recipient, the decisions, and the modifications of each message that was sent.
    `waits`: the stages of the commands at which the session waited; `wakes`: the stage of each wake-up; `waited`: the waits that
    the session itself reported, as (stage, fact); `evidence`: the last evidence, by number of the message and recipient."""

    replies: list[Reply | None] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    modifications: list[Modifications] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    wakes: list[str] = field(default_factory=list)
    waited: list[tuple[str, str]] = field(default_factory=list)
    evidence: dict[tuple[int, str], Evidence] = field(default_factory=dict)


class DialogueRunner:
    """Runs dialogues.

    `early`: the numbers of facts that arrive before each command; repeated as often as needed. `patience`: the number of facts that
    arrive while the session waits, before its time is up. `complete`: Run.evidence of the same dialogue; if given, each wait at
    RCPT is checked: the session must not wait once the reply is settled.
    """

    def __init__(
        self,
        config: Config,
        facts: ScriptedFacts,
        early: Sequence[int],
        patience: int = ALL,
        complete: Mapping[tuple[int, str], Evidence] | None = None,
    ) -> None:
        self.run = Run()
        self._facts = facts
        self._early = early
        self._patience = patience
        self._complete = complete
        self._policy = config.policy.in_force(TODAY)
        self._commands = 0
        self._patience_left = 0
        self._has_waited = False  # at the current command
        self._now = 0.0
        self._about: tuple[int, str] | None = None
        self._service = Service(
            config=config,
            check_runner=facts,  # type: ignore[arg-type]  # in all that a session asks of it, it is one
            record=self.run.decisions.append,
            today=lambda: TODAY,
            clock=lambda: self._now,
            hostname=HOST,
            wait=self._wait,
            events=SessionEvents(waited_for=lambda stage, fact, ms: self.run.waited.append((stage, fact))),
        )

    def run_dialogue(self, dialogue: Dialogue) -> Run:
        """Run the dialogue, from the connection to its end."""
        session = Session(self._service)
        session.connect(CLIENT, HOST, "198.51.100.1")
        self._command()
        session.helo(dialogue.helo)
        self._command()
        for number, message in enumerate(dialogue.messages):
            self._message(session, number, message)
        session.close()
        return self.run

    def _message(self, session: Session, number: int, message: Message) -> None:
        run, recorded = self.run, len(self.run.decisions)
        session.mail(message.sender, message.authenticated, message.tls)
        replies = []
        for recipient in message.recipients:
            self._command()
            self._about = number, normalized_path(recipient)
            replies.append(session.rcpt(recipient))
            self._about = None
        run.replies += replies
        if None in replies:
            self._command()
            run.modifications.append(session.end("Q1"))
        else:
            session.abort()
        for decision in run.decisions[recorded:]:
            run.evidence |= {(number, each): replace(decision.evidence, rcpt=each) for each in decision.rcpts}

    def _command(self) -> None:
        self._facts.settle(self._early[self._commands % len(self._early)])
        self._commands += 1
        self._patience_left = self._patience
        self._has_waited = False

    def _wait(self, latch: Latch, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Let facts arrive one by one until the wait is over, or `patience` facts have arrived."""
        assert 0 < seconds < self._service.config.milter.deadline + MOMENT
        assert self._facts.coming
        stage = "rcpt" if self._about else "end"
        if not self._has_waited:
            self.run.waits.append(stage)
        self._has_waited = True
        until = self._now + seconds

        def is_over_when_woken() -> bool:
            self.run.wakes.append(stage)
            return is_over()

        while not (in_time := latch.wait(0, is_over_when_woken)) and self._patience_left > 0:
            self._check_unsettled()
            self._facts.settle(1)
            self._now += MOMENT
            self._patience_left -= 1
        if not in_time:
            self._now = until
        return in_time

    def _check_unsettled(self) -> None:
        """Check that the known facts do not settle the reply for which the session waits."""
        if self._complete is not None and self._about is not None:
            assert not reply_is_settled(self._known(self._complete[self._about]), self._policy)

    def _known(self, complete: Evidence) -> Evidence:
        """Return the evidence without the facts that have not arrived."""
        coming = {name for name, pending in self._facts.latest.items() if pending.value is None}
        known = complete
        if "iprev" in coming:
            helo = replace(known.helo, match=UNKNOWN)
            known = replace(known, iprev=Iprev(), generic=Generic(), mailfrom_match=UNKNOWN, helo=helo)
        if known.helo.kind != "missing":
            if "helo" in coming:
                known = replace(known, helo=replace(known.helo, result=UNKNOWN))
            if "spf_helo" in coming:
                known = replace(known, spf_helo=Spf())
        source = "spf_helo" if parse_mailbox(known.mailfrom).is_null else "spf_mailfrom"
        if source in coming and not (source == "spf_helo" and known.helo.kind == "missing"):
            known = replace(known, spf_mailfrom=Spf())
        return known
