"""One SMTP connection: start checks early, wait for their results late, judge each recipient once.

Driven by the milter's callbacks, by `rdns-milter check` and by the tests: one call for each SMTP command, never two at the same
time, but not always by the same thread. Knows neither pymilter nor DNS. Never waits before the first RCPT; there it waits only as
long as a missing fact can still change the reply, and for one message never longer than the deadline.

RFC 5321 3.3 and 4.1.4 (order of the commands; a second EHLO starts anew), packaging/doc/rules.md (How rules are tried).
"""

from __future__ import annotations

from collections.abc import Callable

from ..checks.evidence import NOTHING_LATE, Cost, Evidence, Late
from ..config.load import Config
from ..net.mailboxes import normalized_path, parse_mailbox
from ..net.names import Address, canonical
from ..net.nat64 import translated
from ..net.received_field import ReceivedField
from ..net.relay_path import RelayPath
from ..net.rewritten_senders import original_sender
from ..policy.decide import reply_is_settled
from ..resolver.admission.requester import requester
from ..resolver.lookup import Answer, Question
from ..responses.incoming_fields import IncomingFields
from ..responses.replies import Reply
from .client import AnyFact, Client
from .costs import cost_of, late_facts
from .exemption import exemption_of_client, exemption_of_message, is_trusted
from .latch import Latch
from .message import Message
from .modifications import Modifications, modifications
from .receiver import Receiver, receiver_of
from .recipients import Recipients
from .service import Service

RCPT, END = "rcpt", "end"
RECEIVED = "received"  # the name of a field, in lower case


def _never_enough(evidence: Evidence) -> bool:
    """Wait for all facts."""
    return False


class Session:
    """One connection. The calls in their order: connect, helo, then for each message mail, rcpt, field, end or abort; close."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._config = service.config
        self._receiver = Receiver(authserv_ids=(service.hostname,))
        self._client: Client | None = None
        self._message: Message | None = None
        self._last_facts: tuple[AnyFact, ...] = ()
        self._counted: frozenset[AnyFact] = frozenset()

    def connect(self, client: Address | None, own_name: str = "", own_address: str = "") -> None:
        """Take a client's connection to `own_name` (the MTA's {j}) at `own_address`. Starts iprev, unless it is a relay of ours."""
        config = self._config = self._service.config
        self._receiver = receiver_of(config, self._service.hostname, own_name, own_address)
        client, relays = client and translated(client, config.dns.nat64), config.relays.networks
        if relays and client is not None and client in relays:
            self._client = self._new_client(client, "relay", config, via=client)
        else:
            self._client = self._new_client(client, exemption_of_client(client, config), config)
            if config.policy.asks:
                self._client.start_sources(config.policy.in_force(self._service.today()), config)

    def helo(self, name: str) -> None:
        """Take HELO or EHLO; a second one replaces the first. Starts the checks of the HELO name."""
        self.abort()
        self._connected().helo(name)

    def mail(self, path: str, authenticated: bool = False, tls: bool = False, queue_id: str = "") -> None:
        """Take MAIL FROM. Starts SPF of the sender. Sendmail gives a message its queue id here, Postfix with the first recipient
        that it accepts."""
        self.abort()
        client, config = self._connected(), self._service.config
        client.set_helo_missing()
        sender, path = parse_mailbox(path), normalized_path(path)  # normalized before anything is stored
        exempt = exemption_of_message(client.exempt, authenticated, config)
        spf = client.start_spf(sender, config, exempt)
        policy = config.policy.in_force(self._service.today())
        if policy.asks or client.sources is not None:
            client.start_sources(policy, config)
        self._last_facts = client.all_facts(spf)
        recipients = Recipients(policy, bool(exempt) and client.via is None)
        message = self._message = Message(
            config, policy, path, sender, client, spf, recipients, authenticated, tls, exempt, queue_id
        )
        headers = config.headers
        if headers.remove_forged and not is_trusted(client.address, headers):
            message.fields = IncomingFields(self._receiver.authserv_ids, headers.tag)
        if client.via is not None:
            message.relay_path = RelayPath(
                self._config.relays.networks, client.via, client.helo_name, self._config.dns.nat64
            )

    def rcpt(self, path: str) -> Reply | None:
        """Take RCPT TO. Return the reply that refuses or defers the recipient; None if it is accepted."""
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
        message = self._message
        if message is None:
            return
        if message.fields is not None:
            message.fields.add(name, value)
        if message.relay_path is not None and name.lower() == RECEIVED:
            message.relay_path.add(value)

    def end(self, queue_id: str = "") -> Modifications:
        """Take the end of the message: wait for all facts, judge the recipients that are not judged yet, and record all
        decisions."""
        message = self._message
        if message is None:
            return Modifications()
        if message.relay_path is not None and message.relay_path.client is not None:
            self._judge_behind_relay(message, message.relay_path.client)
        evidence = self._collect(message, END, message.recipients.first)
        verdicts = message.recipients.judge_taken(evidence)
        self._record(message, queue_id or message.queue_id)
        self._message = None
        self._cancel(message)
        removals = message.fields.removals() if message.fields else ()
        return modifications(evidence, verdicts, removals, self._receiver.authserv_ids[0], message.config.headers)

    def abort(self) -> None:
        """Drop the message, if there is one. Decisions that were made on it are recorded."""
        message, self._message = self._message, None
        if message is None:
            return
        if message.recipients.are_judged:
            self._record(message, message.queue_id)
        self._cancel(message)

    def close(self) -> None:
        """End the connection."""
        self.abort()
        if self._client is not None:
            self._client.cancel()

    def trail(self) -> list[Answer]:
        """Return every answer behind the facts of the last message, in the order of the checks. If several checks asked a question,
        it appears once, with the answer of the check that waited for it."""
        answers: dict[Question, Answer] = {}
        for fact in self._last_facts:
            for answer in fact.trail:
                if answer.question not in answers or answers[answer.question].cached:
                    answers[answer.question] = answer
        return list(answers.values())

    def _connected(self) -> Client:
        """Return the connected client; one without an address if there was no `connect`."""
        if self._client is None:
            self._client = self._new_client(None, "not-ip", self._config)
        return self._client

    def _new_client(self, address: Address | None, exempt: str, config: Config, via: Address | None = None) -> Client:
        return Client(address, exempt, config, self._receiver, self._service.check_runner, via)

    def _judge_behind_relay(self, message: Message, found: ReceivedField) -> None:
        """Replace the relay by the client that it has named, and start the checks of that client."""
        config = message.config
        address = found.client and translated(found.client, config.dns.nat64)
        exempt = exemption_of_message(exemption_of_client(address, config), found.authenticated, config)
        client = message.client = self._new_client(address, exempt, config, message.client.via)
        if message.policy.asks:
            client.start_sources(message.policy, config)
        if found.helo:
            client.helo(found.helo)
        client.set_helo_missing()
        message.exempt, message.authenticated, message.tls = exempt, found.authenticated, found.tls
        message.sender = original_sender(message.sender)
        message.spf = client.start_spf(message.sender, config, exempt)
        self._last_facts = client.all_facts(message.spf)

    def _cancel(self, message: Message) -> None:
        """Stop the checks that no further message of the connection can need."""
        message.client.cancel_spf(message.spf)
        if message.client is not self._client:
            message.client.cancel()

    def _collect(
        self,
        message: Message,
        stage: str,
        recipient: str,
        is_enough: Callable[[Evidence], bool] = _never_enough,
    ) -> Evidence:
        """Return the evidence as soon as it is enough or complete, at the latest when the message's time is up."""
        # The missing facts are noted before the evidence is read: a fact that arrives in between is in one of the two.
        missing = _missing(message.facts())
        evidence = message.evidence(recipient, is_complete=not missing)
        if not missing or is_enough(evidence):
            return evidence
        latch = Latch()

        def is_over() -> bool:
            nonlocal evidence
            is_complete = not _missing(missing)
            evidence = message.evidence(recipient, is_complete=is_complete)
            return is_complete or is_enough(evidence)

        def on_fact() -> None:
            # On the DNS thread, which judges nothing. If all facts are needed, only the last one wakes the session.
            if is_enough is not _never_enough or not _missing(missing):
                latch.set()

        service = self._service
        began = service.clock()
        for fact in missing.values():
            fact.add_callback(on_fact)
        left = message.config.milter.deadline - message.waited_ms / 1000
        in_time = left > 0 and service.wait(latch, left, is_over)
        if not in_time:
            message.given_up |= _missing(missing).keys()
            evidence = message.evidence(recipient, late=True)
        self._note_wait(message, stage, missing, began, in_time)
        return evidence

    def _note_wait(self, message: Message, stage: str, facts: dict[str, AnyFact], began: float, in_time: bool) -> None:
        """Count the wait for these facts. `in_time`: the wait ended before the deadline, so facts that have no value were not
        needed."""
        events, ended = self._service.events, self._service.clock()
        message.waited_ms += (ended - began) * 1000
        events.waited(stage, ended - began)
        for name, fact in facts.items():
            if fact.value is not None or not in_time:
                until = ended if fact.value is None else fact.ended
                events.waited_for(stage, name.partition(" ")[0], max(0.0, until - began) * 1000)

    def _cost(self, message: Message, facts: dict[str, AnyFact]) -> Cost:
        """Return the cost of the message's facts. Checks of the connection belong to its first message."""
        if message.exempt:
            return Cost(waited_ms=message.waited_ms)
        distinct = dict.fromkeys(facts.values())
        fresh = [fact for fact in distinct if fact not in self._counted]
        self._counted = frozenset(distinct)
        return cost_of(fresh, message.waited_ms)

    def _late(self, message: Message, facts: dict[str, AnyFact]) -> Late:
        late, client = late_facts(facts, message.given_up), message.client
        if not late or client.address is None:
            return NOTHING_LATE
        who = requester(client.address, message.sender.domain or canonical(client.helo_name))
        return Late(late, who.client, who.sender)

    def _record(self, message: Message, queue_id: str) -> None:
        """Record one decision for each group of recipients with the same verdict."""
        facts = message.facts()
        cost = self._cost(message, facts)
        self._service.events.judged(cost, message.forged, self._late(message, facts))
        for decision in message.recipients.decisions(queue_id, cost):
            self._service.record(decision)


def _missing(facts: dict[str, AnyFact]) -> dict[str, AnyFact]:
    return {name: fact for name, fact in facts.items() if fact.value is None}
