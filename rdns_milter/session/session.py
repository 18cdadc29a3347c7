"""One SMTP connection: start checks early, wait for their results late, judge each recipient once.

Driven by the milter's callbacks, by `rdns-milter check` and by the tests: one call for each SMTP command, never two at the same
time, but not always by the same thread. Knows neither pymilter nor DNS. Never waits before the first RCPT; there it waits only as
long as a missing fact can still change the reply, and for one message never longer than the deadline.

RFC 5321 3.3 and 4.1.4 (order of the commands; a second EHLO starts anew), packaging/doc/rules.md (How rules are tried).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..checks import helo as helo_check
from ..checks.evidence import NOTHING_LATE, UNKNOWN, Cost, Evidence, Helo, Late, Spf, exempted
from ..checks.spf import helo_mailbox
from ..config.load import Config
from ..net.mailboxes import normalized_path, parse_mailbox
from ..net.names import Address, alignment, canonical, is_domain, parse_address
from ..net.nat64 import translated
from ..policy.decide import reply_is_settled
from ..policy.rules import Policy
from ..resolver.admission.requester import requester
from ..resolver.lookup import Answer, Question
from ..responses.incoming_fields import IncomingFields
from ..responses.replies import Reply
from .check_runner import (
    LATE_HELO,
    LATE_REVERSE_NAME,
    LATE_SPF,
    UNKNOWN_REVERSE_NAME,
    UNKNOWN_SPF,
    HeloResult,
    PendingFact,
    ReverseName,
)
from .costs import cost_of, late_facts
from .latch import Latch
from .modifications import Modifications, modifications
from .recipients import Recipients
from .service import Service

MAX_HELO = 1000  # characters of a HELO name that are looked at; RFC 5321 4.5.3.1.2 requires 255
RCPT, END = "rcpt", "end"
AnyFact = PendingFact[ReverseName] | PendingFact[HeloResult] | PendingFact[Spf]


@dataclass(slots=True)
class Message:
    """The current message. `path`: of MAIL FROM; `fields`: the header fields that claim to be ours, None if none is to be removed;
    `queue_id`: "" until the MTA gives it one; `waited_ms`: how long the MTA was kept waiting for it; `given_up`: names of the facts
    that it stopped waiting for."""

    config: Config
    policy: Policy
    path: str
    spf: PendingFact[Spf]
    recipients: Recipients
    authenticated: bool = False
    exempt: str = ""
    queue_id: str = ""
    fields: IncomingFields | None = None
    waited_ms: float = 0.0
    given_up: frozenset[str] = frozenset()


def _never_enough(evidence: Evidence) -> bool:
    """Wait for all facts."""
    return False


class Session:
    """One connection. The calls in their order: connect, helo, then for each message mail, rcpt, field, end or abort; close."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._config = service.config
        self._client: Address | None = None
        self._exempt = "not-ip"
        self._own_names: frozenset[str] = frozenset()
        self._own_addresses: frozenset[Address] = frozenset()
        self._authserv_ids: tuple[str, ...] = (service.hostname,)
        self._receiver = ""
        self._helo_name = ""
        self._tls = False
        self._helo = Helo()  # as far as it is known without DNS
        self._helo_result: PendingFact[HeloResult] = PendingFact()
        self._reverse_name: PendingFact[ReverseName] = PendingFact()
        self._spf_helo: PendingFact[Spf] = PendingFact()
        self._spf_mailfrom: PendingFact[Spf] = PendingFact()
        self._message: Message | None = None
        self._counted: frozenset[AnyFact] = frozenset()

    def connect(self, client: Address | None, own_name: str = "", own_address: str = "") -> None:
        """Take a client's connection to `own_name` (the MTA's {j}) at `own_address`. Starts iprev."""
        config = self._config = self._service.config
        client = self._client = client and translated(client, config.dns.nat64)
        self._set_own_names(own_name, own_address)
        if client is None:
            self._exempt = "not-ip"
        elif client in config.exempt.networks:
            self._exempt = "network"
        else:
            self._exempt = ""
            self._reverse_name = self._service.check_runner.start_reverse_name(client, config)

    def helo(self, name: str) -> None:
        """Take HELO or EHLO; a second one replaces the first. Starts the checks of the HELO name."""
        self.abort()
        name = name[:MAX_HELO]
        if self._client is None or self._exempt:
            self._helo_name = name
            self._helo = Helo(helo_check.kind(name), "no", "none", "none")
            return
        if name == self._helo_name and name:
            return
        self._helo_name = name
        check_runner, config = self._service.check_runner, self._config
        check_runner.cancel(self._helo_result, self._spf_helo)
        self._helo = Helo(
            helo_check.kind(name), helo_check.own(name, self._client, self._own_names, self._own_addresses)
        )
        self._helo_result = check_runner.start_helo(self._client, name, config)
        self._spf_helo = check_runner.start_spf(self._client, helo_mailbox(name), name, config, self._receiver)

    def mail(self, path: str, authenticated: bool = False, tls: bool = False, queue_id: str = "") -> None:
        """Take MAIL FROM. Starts SPF of the sender; for the null sender SPF of the HELO name takes its place (RFC 7208 2.4).
        Sendmail gives a message its queue id here, Postfix with the first recipient that it accepts."""
        self.abort()
        config = self._service.config
        if not self._helo_name and not self._exempt:
            self._set_helo_missing()
        self._tls = tls
        mailbox, path = parse_mailbox(path), normalized_path(path)  # normalized before anything is stored
        exempt = self._exempt
        if not exempt and authenticated and config.exempt.authenticated:
            exempt = "authenticated"
        if exempt or self._client is None:
            spf = PendingFact(Spf("none"))
        elif mailbox.is_null:
            spf = self._spf_helo
        else:
            spf = self._service.check_runner.start_spf(self._client, mailbox, self._helo_name, config, self._receiver)
        self._spf_mailfrom = spf
        policy = config.policy.in_force(self._service.today())
        self._message = Message(
            config, policy, path, spf, Recipients(policy, bool(exempt)), authenticated, exempt, queue_id
        )
        headers = config.headers
        if headers.remove_forged and (self._client is None or self._client not in headers.trusted_networks):
            self._message.fields = IncomingFields(self._authserv_ids, headers.tag)

    def rcpt(self, path: str) -> Reply | None:
        """Take RCPT TO. Return the reply that refuses or defers the recipient, None if it is accepted."""
        message = self._message
        if message is None:
            return None
        recipient = normalized_path(path)

        def is_settled(evidence: Evidence) -> bool:
            return reply_is_settled(evidence, message.policy)

        evidence = self._collect(message, RCPT, recipient, is_settled)
        recipients = message.recipients
        return recipients.take(evidence) if is_settled(evidence) else recipients.judge(evidence)

    def field(self, name: str, value: str) -> None:
        """Take a header field of the message. The fields come in their order."""
        if self._message is not None and self._message.fields is not None:
            self._message.fields.add(name, value)

    def end(self, queue_id: str = "") -> Modifications:
        """Take the end of the message: wait for all facts, judge the recipients that are not judged yet, and record all
        decisions."""
        message = self._message
        if message is None:
            return Modifications()
        evidence = self._collect(message, END, message.recipients.first)
        verdicts = message.recipients.judge_taken(evidence)
        self._record(message, queue_id or message.queue_id)
        self._message = None
        self._cancel_spf(message)
        removals = message.fields.removals() if message.fields else ()
        return modifications(evidence, verdicts, removals, self._authserv_ids[0], message.config.headers)

    def abort(self) -> None:
        """Drop the message, if there is one. Decisions that were made on it are recorded."""
        message, self._message = self._message, None
        if message is None:
            return
        if message.recipients.are_judged:
            self._record(message, message.queue_id)
        self._cancel_spf(message)

    def close(self) -> None:
        """End the connection."""
        self.abort()
        self._service.check_runner.cancel(self._reverse_name, self._helo_result, self._spf_helo)

    def trail(self) -> list[Answer]:
        """Return every answer behind the facts of the last message, in the order of the checks. A question that several checks
        asked appears once, with the answer of the check that waited for it."""
        answers: dict[Question, Answer] = {}
        for fact in (self._reverse_name, self._helo_result, self._spf_helo, self._spf_mailfrom):
            for answer in fact.trail:
                if answer.question not in answers or answers[answer.question].cached:
                    answers[answer.question] = answer
        return list(answers.values())

    def _set_own_names(self, own_name: str, own_address: str) -> None:
        exempt, host, hostname = self._config.exempt, canonical(own_name), self._service.hostname
        self._own_names = frozenset(exempt.own_names) or frozenset((host,) if host else ())
        address = parse_address(own_address)
        self._own_addresses = frozenset(exempt.own_addresses or ((address,) if address is not None else ()))
        self._receiver = next(filter(is_domain, (host, *exempt.own_names, canonical(hostname))), "")
        self._authserv_ids = self._config.headers.authserv_ids or (own_name or hostname,)

    def _set_helo_missing(self) -> None:
        self._helo = Helo("missing", "no", "none", "none")
        self._spf_helo = PendingFact(Spf("none"))

    def _cancel_spf(self, message: Message) -> None:
        """Stop SPF of the sender, unless it is that of the HELO name, which the next message may need."""
        if message.spf is not self._spf_helo:
            self._service.check_runner.cancel(message.spf)

    def _facts(self, message: Message) -> dict[str, AnyFact]:
        """Return the facts that a check finds for a message, by their names."""
        facts: dict[str, AnyFact] = {
            "iprev": self._reverse_name,
            "spf_helo": self._spf_helo,
            "spf_mailfrom": message.spf,
        }
        if self._helo.result == UNKNOWN:
            facts["helo"] = self._helo_result
        return facts

    def _evidence(self, message: Message, recipient: str = "", late: bool = False) -> Evidence:
        """Return what is known now. A missing fact is unknown, or `temperror` if it is too late for it."""
        reverse = self._reverse_name.value or (LATE_REVERSE_NAME if late else UNKNOWN_REVERSE_NAME)
        missing_spf = LATE_SPF if late else UNKNOWN_SPF
        is_known = reverse is not UNKNOWN_REVERSE_NAME
        names = reverse.iprev.names
        evidence = Evidence(
            client=self._client,
            helo_name=self._helo_name,
            mailfrom=message.path,
            rcpt=recipient,
            authenticated=message.authenticated,
            tls=self._tls,
            iprev=reverse.iprev,
            generic=reverse.generic,
            helo=self._helo_fact(reverse, late),
            spf_helo=self._spf_helo.value or missing_spf,
            spf_mailfrom=message.spf.value or missing_spf,
            mailfrom_match=alignment(parse_mailbox(message.path).domain, names) if is_known else UNKNOWN,
            forged=message.fields.forged if message.fields else 0,
        )
        return exempted(evidence, message.exempt) if message.exempt else evidence

    def _helo_fact(self, reverse: ReverseName, late: bool) -> Helo:
        helo = self._helo
        found = self._helo_result.value or (LATE_HELO if late else None)
        result, reason = helo.result, ""
        if result == UNKNOWN and found is not None:
            result, reason = found.result, found.reason
        match = UNKNOWN
        if reverse is not UNKNOWN_REVERSE_NAME:
            match = alignment(canonical(self._helo_name), reverse.iprev.names)
        return Helo(helo.kind, helo.own, result, match, reason)

    def _collect(
        self,
        message: Message,
        stage: str,
        recipient: str,
        is_enough: Callable[[Evidence], bool] = _never_enough,
    ) -> Evidence:
        """Return the evidence once it is enough or complete, or once the message's time is up."""
        # The missing facts are noted before the evidence is read: a fact that arrives in between is in one of the two.
        missing = _missing(self._facts(message))
        evidence = self._evidence(message, recipient)
        if not missing or message.exempt or is_enough(evidence):
            return evidence
        latch = Latch()

        def on_fact() -> None:
            # On the DNS thread, which judges nothing. If all facts are needed, only the last one wakes the session.
            if is_enough is not _never_enough or not _missing(missing):
                latch.set()

        service = self._service
        began = service.clock()
        until = began + message.config.milter.deadline - message.waited_ms / 1000
        for fact in missing.values():
            fact.add_callback(on_fact)
        while True:
            left = until - service.clock()
            if left <= 0 or not service.wait(latch, left):
                message.given_up |= _missing(missing).keys()
                evidence = self._evidence(message, recipient, late=True)
                break
            is_complete = not _missing(missing)
            evidence = self._evidence(message, recipient)
            if is_complete or is_enough(evidence):
                break
        self._note_wait(message, stage, missing, began)
        return evidence

    def _note_wait(self, message: Message, stage: str, facts: dict[str, AnyFact], began: float) -> None:
        """Count the time that the message waited for these facts."""
        events, ended = self._service.events, self._service.clock()
        message.waited_ms += (ended - began) * 1000
        events.waited(stage, ended - began)
        for name, fact in facts.items():
            if fact.value is not None or name in message.given_up:
                until = ended if fact.value is None else fact.ended
                events.waited_for(stage, name, max(0.0, until - began) * 1000)

    def _cost(self, message: Message) -> Cost:
        """Return the cost of the message's facts. Checks of the connection count for its first message."""
        if message.exempt:
            return Cost(waited_ms=message.waited_ms)
        facts = dict.fromkeys(self._facts(message).values())
        fresh = [fact for fact in facts if fact not in self._counted]
        self._counted = frozenset(facts)
        return cost_of(fresh, message.waited_ms)

    def _late(self, message: Message) -> Late:
        facts = () if message.exempt else late_facts(self._facts(message), message.given_up)
        if not facts or self._client is None:
            return NOTHING_LATE
        who = requester(self._client, parse_mailbox(message.path).domain or canonical(self._helo_name))
        return Late(facts, who.client, who.sender)

    def _record(self, message: Message, queue_id: str) -> None:
        """Record one decision for each group of recipients with the same verdict."""
        cost = self._cost(message)
        forged = message.fields.forged if message.fields else 0
        self._service.events.judged(cost, forged, self._late(message))
        for decision in message.recipients.decisions(queue_id, cost):
            self._service.record(decision)


def _missing(facts: dict[str, AnyFact]) -> dict[str, AnyFact]:
    return {name: fact for name, fact in facts.items() if fact.value is None}
