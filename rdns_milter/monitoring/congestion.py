"""Count two events: a DNS question was crowded out, and a message was judged without facts for lack of time. Raise an alarm when
there are many. It names the client and the sender domain that most of them belong to.

Pure. Memory must never grow with the names that clients choose, and an alarm must never be repeated within PERIOD. Never influences
a decision.

RFC 7208 4.6.4 (the DNS questions that one message may cause).
"""

from __future__ import annotations

import threading
from collections import Counter

from ..checks.evidence import NOTHING_LATE, Late
from ..net.names import is_domain
from ..text.escape import printable, quoted_name
from .alarms import CROWDED_OUT, FACTS_LATE, PERIOD, Alarm
from .top_k import TopList

MIN_QUESTIONS = 100  # crowded out: more than a single check can have waiting
MIN_MESSAGES = 20  # judged without facts, and at least
MIN_LATE_PERCENT = 10  # of all messages, because some senders' zones are always dead
NAMES = 100  # clients, and sender domains, that are kept when too many have been counted
MIN_SHARE_PERCENT = 10  # of all, for a name to be mentioned: one of many is not to blame
_MAX_NAME = 100  # characters of a name in an alarm
_ADDRESS_CHARACTERS = frozenset("0123456789abcdef.:/")


class Window:
    """The events since `since`, counted by client and sender domain. No alarm is raised before `quiet_until`."""

    __slots__ = ("clients", "count", "quiet_until", "senders", "since")

    def __init__(self, now: float, quiet_until: float) -> None:
        self.since = now
        self.quiet_until = quiet_until
        self.count = 0
        self.clients: TopList[str, None] = TopList(NAMES)
        self.senders: TopList[str, None] = TopList(NAMES)

    def add(self, client: str, sender: str) -> None:
        """Count an event of this client and this sender domain; either may be ""."""
        self.count += 1
        if client:
            self.clients.add(client)
        if sender:
            self.senders.add(sender)

    def sources(self) -> str:
        """Return the most frequent client and sender domain with their counts, as part of a sentence. Those with a share of less
        than MIN_SHARE_PERCENT are left out."""
        named = [
            f"{kind} {_loggable(top.name)} ({top.count})"
            for kind, names in (("client", self.clients), ("sender domain", self.senders))
            for top in names.top(1)
            if top.count * 100 >= self.count * MIN_SHARE_PERCENT
        ]
        return f"most often for {' and for '.join(named)}" if named else "for many clients and senders"


class Congestion:
    """The counts of both events in one process. Thread-safe. Times are in seconds of a monotonic clock."""

    def __init__(self, now: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._crowded_out = Window(now, now)
        self._late = Window(now, now)
        self._late_facts: Counter[str] = Counter()
        self._messages = 0

    def crowded_out(self, client: str, sender: str) -> None:
        """Count a question that was crowded out."""
        with self._lock:
            self._crowded_out.add(client, sender)

    def judged(self, late: Late = NOTHING_LATE) -> None:
        """Count a message that was judged, and the facts that were late."""
        with self._lock:
            self._messages += 1
            if late.facts:
                self._late.add(late.client, late.sender)
                self._late_facts.update(late.facts)

    def due_alarms(self, now: float) -> list[Alarm]:
        """Return the alarms that are due. Reset the counts for which an alarm was raised or PERIOD is over."""
        with self._lock:
            return [alarm for alarm in (self._check_questions(now), self._check_messages(now)) if alarm is not None]

    def _check_questions(self, now: float) -> Alarm | None:
        window = self._crowded_out
        due = window.count >= MIN_QUESTIONS and now >= window.quiet_until
        if due or now - window.since >= PERIOD:
            self._crowded_out = Window(now, now + PERIOD if due else window.quiet_until)
        if not due:
            return None
        return Alarm(
            CROWDED_OUT,
            f"{window.count} DNS questions were dropped within {_seconds(now - window.since)} s because too many were"
            f" waiting, {window.sources()}. Other clients have places of their own and are judged as usual. Limit or"
            " refuse a client that goes on (in Postfix: smtpd_client_message_rate_limit, in Sendmail: ratecontrol). If"
            " this is legitimate mail, raise dns.max_outstanding",
            repeats=True,
        )

    def _check_messages(self, now: float) -> Alarm | None:
        window, messages, facts = self._late, self._messages, self._late_facts
        are_many = window.count >= MIN_MESSAGES and window.count * 100 >= messages * MIN_LATE_PERCENT
        due = are_many and now >= window.quiet_until
        if due or now - window.since >= PERIOD:
            self._late = Window(now, now + PERIOD if due else window.quiet_until)
            self._messages, self._late_facts = 0, Counter()
        if not due:
            return None
        missing = ", ".join(f"{fact} {count}" for fact, count in sorted(facts.items()))
        return Alarm(
            FACTS_LATE,
            f"{window.count} of {messages} messages within {_seconds(now - window.since)} s were judged without some"
            f" facts because DNS did not answer within the deadline ({missing}), {window.sources()}. Such facts are"
            " temperror, and no message is refused because of them. One sender domain: its DNS zone is dead or slow."
            " Many: check whether the name servers are slow (metric dns_query_seconds), and check dns.timeout and milter.deadline",
            repeats=True,
        )


def _loggable(name: str) -> str:
    """Return a name from the network in a form that is safe in a log line."""
    is_plain = is_domain(name) or _ADDRESS_CHARACTERS.issuperset(name)
    return printable(name, _MAX_NAME) if is_plain else quoted_name(name, _MAX_NAME)


def _seconds(span: float) -> int:
    return max(1, round(span))
