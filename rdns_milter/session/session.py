"""One SMTP connection: starts checks early, waits late, decides once.

Driven by the milter's callbacks, by `rdns-milter check` and by the tests, one call a step, always from one thread at a time
(never the same). Knows no pymilter and no DNS. Never waits before the first RCPT, and there only while an answer can still
change the reply; never longer than the deadline for a message.

RFC 5321 3.3 and 4.1.4 (the order of the commands; EHLO sent again begins anew), packaging/doc/rules.md (How rules are tried).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ..checks import helo as greetings
from ..checks.evidence import NOTHING_LATE, UNKNOWN, Cost, Evidence, Helo, Late, Spf, exempted
from ..checks.spf import helo_mailbox
from ..config.load import Config
from ..logs.decision import Decision
from ..net.mailboxes import normalized_path, parse_mailbox
from ..net.names import Address, alignment, canonical, is_domain, parse_address
from ..net.nat64 import translated
from ..policy.decide import reply_is_settled
from ..policy.rules import Policy
from ..resolver.admission.asker import asker
from ..resolver.lookup import Answer, Question
from ..responses.incoming_fields import IncomingFields
from ..responses.replies import Reply
from .check_runner import (
    NO_GREETING_IN_TIME,
    NO_REVERSE_NAME_IN_TIME,
    NO_SPF_IN_TIME,
    UNKNOWN_REVERSE_NAME,
    UNKNOWN_SPF,
    Finder,
    Greeting,
    Pending,
    ReverseName,
)
from .costs import cost_of, late_facts
from .latch import News
from .modifications import Ending, ending
from .recipients import Recipients

MAX_GREETING = 1000  # characters that are looked at; RFC 5321 4.5.3.1.2 asks for 255 octets
RCPT, END = "rcpt", "end"
PendingFact = Pending[ReverseName] | Pending[Greeting] | Pending[Spf]


@dataclass(slots=True)
class Service:
    """What the sessions of a process share. `config` may be exchanged at any time: a message keeps the one that it began with.
    `wait` waits for news, at most so many seconds, and says whether there is. Who counts is told: `waited` for which stage, which
    fact, how many milliseconds; `held` at which stage for how many seconds; `judged` what a message cost, how many forged
    fields it had, and which facts came too late, once for each."""

    config: Config
    finder: Finder
    record: Callable[[Decision], None]
    today: Callable[[], date]
    clock: Callable[[], float]
    hostname: str
    wait: Callable[[News, float], bool] = News.wait
    waited: Callable[[str, str, float], None] = lambda stage, fact, ms: None
    held: Callable[[str, float], None] = lambda stage, seconds: None
    judged: Callable[[Cost, int, Late], None] = lambda cost, forged, late: None


@dataclass(slots=True)
class Message:
    """What is known of the message under way. `fields`: the header fields that may claim to be ours, None if nothing is to be
    removed; `queue_id`: "" while it has none; `given_up`: facts for which there was no time."""

    config: Config
    policy: Policy
    path: str
    spf: Pending[Spf]
    recipients: Recipients
    authenticated: bool = False
    exempt: str = ""
    queue_id: str = ""
    fields: IncomingFields | None = None
    waited_ms: float = 0.0
    given_up: frozenset[str] = frozenset()


class Session:
    """One connection. The steps in their order: connect, helo, then for each message mail, rcpt, field, end or abort; close."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._config = service.config
        self._client: Address | None = None
        self._exempt = "not-ip"
        self._own_names: frozenset[str] = frozenset()
        self._own_addresses: frozenset[Address] = frozenset()
        self._authserv_ids: tuple[str, ...] = (service.hostname,)
        self._receiver = ""
        self._greeting = ""
        self._tls = False
        self._helo = Helo()
        self._reverse: Pending[ReverseName] = Pending()
        self._resolved: Pending[Greeting] = Pending()
        self._spf_helo: Pending[Spf] = Pending()
        self._spf_mailfrom: Pending[Spf] = Pending()
        self._message: Message | None = None
        self._counted: frozenset[PendingFact] = frozenset()

    def connect(self, client: Address | None, own_name: str = "", own_address: str = "") -> None:
        """The client has connected to `own_name` (the MTA's {j}) at `own_address`. Begins iprev."""
        config = self._config = self._service.config
        client = self._client = client and translated(client, config.dns.nat64)
        self._learn_own(own_name, own_address)
        if client is None:
            self._exempt = "not-ip"
        elif client in config.exempt.networks:
            self._exempt = "network"
        else:
            self._exempt = ""
            self._reverse = self._service.finder.reverse_name(client, config)

    def helo(self, greeting: str) -> None:
        """HELO or EHLO; a second one replaces the first. Begins what the greeting has to be asked for."""
        self.abort()
        greeting = greeting[:MAX_GREETING]
        if self._client is None or self._exempt:
            self._greeting = greeting
            self._helo = Helo(greetings.kind(greeting), "no", "none", "none")
            return
        if greeting == self._greeting and greeting:
            return
        self._greeting = greeting
        finder, config = self._service.finder, self._config
        finder.drop(self._resolved, self._spf_helo)
        own = greetings.own(greeting, self._client, self._own_names, self._own_addresses)
        self._helo = Helo(greetings.kind(greeting), own)
        self._resolved = finder.greeting(self._client, greeting, config)
        self._spf_helo = finder.spf(self._client, helo_mailbox(greeting), greeting, config, self._receiver)

    def mail(self, path: str, authenticated: bool = False, tls: bool = False, queue_id: str = "") -> None:
        """MAIL FROM. Begins SPF of the sender; for the null sender that is SPF of the greeting (RFC 7208 2.4). Sendmail gives a
        message its queue id here, Postfix with the first recipient that it takes."""
        self.abort()
        config = self._service.config
        if not self._greeting and not self._exempt:
            self._without_greeting()
        self._tls = tls
        mailbox, path = parse_mailbox(path), normalized_path(path)  # before anybody remembers it
        exempt = self._exempt
        if not exempt and authenticated and config.exempt.authenticated:
            exempt = "authenticated"
        if exempt or self._client is None:
            spf = Pending(Spf("none"))
        elif mailbox.is_null:
            spf = self._spf_helo
        else:
            spf = self._service.finder.spf(self._client, mailbox, self._greeting, config, self._receiver)
        self._spf_mailfrom = spf
        policy = config.policy.in_force(self._service.today())
        self._message = Message(
            config, policy, path, spf, Recipients(policy, bool(exempt)), authenticated, exempt, queue_id
        )
        headers = config.headers
        if headers.remove_forged and (self._client is None or self._client not in headers.trusted_networks):
            self._message.fields = IncomingFields(self._authserv_ids, headers.tag)

    def rcpt(self, path: str) -> Reply | None:
        """RCPT TO: the reply that refuses or defers the recipient; None if it is taken."""
        message = self._message
        if message is None:
            return None
        recipient = normalized_path(path)

        def settled(evidence: Evidence) -> bool:
            return reply_is_settled(evidence, message.policy)

        evidence = self._collect(message, RCPT, recipient, settled)
        recipients = message.recipients
        return recipients.take(evidence) if settled(evidence) else recipients.judge(evidence)

    def field(self, name: str, value: str) -> None:
        """A header field of the message, in order."""
        if self._message is not None and self._message.fields is not None:
            self._message.fields.add(name, value)

    def end(self, queue_id: str = "") -> Ending:
        """The end of the message: all facts are waited for, what remains is judged, and every verdict is recorded."""
        message = self._message
        if message is None:
            return Ending()
        evidence = self._collect(message, END, message.recipients.first)
        verdicts = message.recipients.judge_taken(evidence)
        self._record(message, queue_id or message.queue_id)
        self._message = None
        if message.spf is not self._spf_helo:
            self._service.finder.drop(message.spf)
        removals = message.fields.removals() if message.fields else ()
        return ending(evidence, verdicts, removals, self._authserv_ids[0], message.config.headers)

    def abort(self) -> None:
        """The message ends here, if there is one: what was judged of it is recorded."""
        message, self._message = self._message, None
        if message is None:
            return
        if message.recipients.are_judged:
            self._record(message, message.queue_id)
        if message.spf is not self._spf_helo:
            self._service.finder.drop(message.spf)

    def close(self) -> None:
        """The connection ends."""
        self.abort()
        self._service.finder.drop(self._reverse, self._resolved, self._spf_helo)

    def trail(self) -> list[Answer]:
        """Every answer that the facts of this message, or the last, rest on, in the order of the checks. What several checks
        asked stands once, as it was for the one that waited for it."""
        found: dict[Question, Answer] = {}
        for pending in (self._reverse, self._resolved, self._spf_helo, self._spf_mailfrom):
            for answer in pending.trail:
                if answer.question not in found or found[answer.question].cached:
                    found[answer.question] = answer
        return list(found.values())

    def _learn_own(self, own_name: str, own_address: str) -> None:
        exempt, host, hostname = self._config.exempt, canonical(own_name), self._service.hostname
        self._own_names = frozenset(exempt.own_names) or frozenset((host,) if host else ())
        address = parse_address(own_address)
        self._own_addresses = frozenset(exempt.own_addresses or ((address,) if address is not None else ()))
        self._receiver = next(filter(is_domain, (host, *exempt.own_names, canonical(hostname))), "")
        self._authserv_ids = self._config.headers.authserv_ids or (own_name or hostname,)

    def _without_greeting(self) -> None:
        self._helo = Helo("missing", "no", "none", "none")
        self._spf_helo = Pending(Spf("none"))

    def _evidence(self, message: Message, recipient: str = "", late: bool = False) -> Evidence:
        """What is known by now; with `late` what is not becomes `temperror`."""
        reverse = self._reverse.value or (NO_REVERSE_NAME_IN_TIME if late else UNKNOWN_REVERSE_NAME)
        late_spf = NO_SPF_IN_TIME if late else UNKNOWN_SPF
        known = reverse is not UNKNOWN_REVERSE_NAME
        names = reverse.iprev.names
        evidence = Evidence(
            client=self._client,
            helo_name=self._greeting,
            mailfrom=message.path,
            rcpt=recipient,
            authenticated=message.authenticated,
            tls=self._tls,
            iprev=reverse.iprev,
            generic=reverse.generic,
            helo=self._helo_fact(reverse, late),
            spf_helo=self._spf_helo.value or late_spf,
            spf_mailfrom=message.spf.value or late_spf,
            mailfrom_match=alignment(parse_mailbox(message.path).domain, names) if known else UNKNOWN,
            forged=message.fields.forged if message.fields else 0,
        )
        return exempted(evidence, message.exempt) if message.exempt else evidence

    def _helo_fact(self, reverse: ReverseName, late: bool) -> Helo:
        helo = self._helo
        found = self._resolved.value or (NO_GREETING_IN_TIME if late else None)
        result, reason = helo.result, ""
        if result == UNKNOWN and found is not None:
            result, reason = found.result, found.reason
        match = UNKNOWN
        if reverse is not UNKNOWN_REVERSE_NAME:
            match = alignment(canonical(self._greeting), reverse.iprev.names)
        return Helo(helo.kind, helo.own, result, match, reason)

    def _collect(
        self, message: Message, stage: str, recipient: str, settled: Callable[[Evidence], bool] | None = None
    ) -> Evidence:
        """The evidence once it is settled or complete, or the message's time is up."""
        # What is missing is noted before the evidence is read: a fact that comes in between must be in one of them.
        missing = {name: pending for name, pending in self._pendings(message).items() if pending.value is None}
        evidence = self._evidence(message, recipient)
        if not missing or message.exempt or (settled and settled(evidence)):
            return evidence
        service, news = self._service, News()

        def progress() -> None:
            # On the loop's thread: whoever waits is woken once, when it is of use.
            if all(pending.value is not None for pending in missing.values()) or (
                settled and settled(self._evidence(message, recipient))
            ):
                news.tell()

        began = service.clock()
        for pending in missing.values():
            pending.listen(progress)
        left = message.config.milter.deadline - message.waited_ms / 1000
        in_time = left > 0 and service.wait(news, left)
        ended = service.clock()
        message.waited_ms += (ended - began) * 1000
        service.held(stage, ended - began)
        if not in_time:
            message.given_up |= {name for name, pending in missing.items() if pending.value is None}
        for name, pending in missing.items():
            if pending.value is not None or not in_time:
                until = ended if pending.value is None else pending.ended
                service.waited(stage, name, max(0.0, until - began) * 1000)
        return self._evidence(message, recipient, late=not in_time)

    def _pendings(self, message: Message) -> dict[str, PendingFact]:
        """What the facts of a judged message hang on, by the name of the fact."""
        pendings: dict[str, PendingFact] = {
            "iprev": self._reverse,
            "spf_helo": self._spf_helo,
            "spf_mailfrom": message.spf,
        }
        if self._helo.result == UNKNOWN:
            pendings["helo"] = self._resolved
        return pendings

    def _cost(self, message: Message) -> Cost:
        """What this message's facts cost; what was begun for the connection counts for its first message."""
        if message.exempt:
            return Cost(waited_ms=message.waited_ms)
        pendings = dict.fromkeys(self._pendings(message).values())
        fresh = [pending for pending in pendings if pending not in self._counted]
        self._counted = frozenset(pendings)
        return cost_of(fresh, message.waited_ms)

    def _late(self, message: Message) -> Late:
        facts = () if message.exempt else late_facts(self._pendings(message), message.given_up)
        if not facts or self._client is None:
            return NOTHING_LATE
        who = asker(self._client, parse_mailbox(message.path).domain or canonical(self._greeting))
        return Late(facts, who.client, who.sender)

    def _record(self, message: Message, queue_id: str) -> None:
        """One decision for each group of recipients with the same verdict."""
        cost = self._cost(message)
        self._service.judged(cost, message.fields.forged if message.fields else 0, self._late(message))
        for decision in message.recipients.decisions(queue_id, cost):
            self._service.record(decision)
