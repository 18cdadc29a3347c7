"""Count the DNS questions that found no place and the messages that were judged without facts for lack of time, and remember
of whom most of them were.

Pure. Must never grow with the names that clients make up, nor repeat an alarm before PERIOD is over. Judges no client.

RFC 7208 4.6.4 (what one message may lead to).
"""

from __future__ import annotations

import threading
from collections import Counter

from ..checks.evidence import NOTHING_LATE, Late
from ..net.names import is_domain
from ..text.escape import printable, quoted_name
from .alarms import CROWDED, LATE, Alarm
from .top_k import TopList

PERIOD = 600.0  # seconds from one alarm to the next of its name, and for which counts below the bounds are kept
MANY_QUESTIONS = 100  # that found no place: more than one check can have waiting
MANY_MESSAGES = 20  # that were judged without facts: at least so many, and
LATE_PERCENT = 10  # at least so many of all messages, because there are always senders whose zones are dead
NAMES = 100  # clients, and senders' domains, that survive when too many have been counted
SHARE_PERCENT = 10  # of all, for a name to be told: nobody is blamed who is one of many
_MAX_NAME = 100  # characters of a name in an alarm


class Toll:
    """What has come together since `since`, and of whom."""

    __slots__ = ("clients", "count", "quiet_until", "senders", "since")

    def __init__(self, now: float, quiet_until: float) -> None:
        self.since = now
        self.quiet_until = quiet_until
        self.count = 0
        self.clients: TopList[str] = TopList(NAMES)
        self.senders: TopList[str] = TopList(NAMES)

    def add(self, client: str, sender: str) -> None:
        """One more, of that client and that sender's domain; "" for what it has not."""
        self.count += 1
        if client:
            self.clients.add(client)
        if sender:
            self.senders.add(sender)

    def whose(self) -> str:
        """The client and the sender's domain that occur most often, each with its count, if that is a good part of all."""
        named = [
            f"{kind} {_safe(top.name)} ({top.count})"
            for kind, names in (("client", self.clients), ("the sender's domain", self.senders))
            for top in names.top(1)
            if top.count * 100 >= self.count * SHARE_PERCENT
        ]
        return f"; most often of {' and of '.join(named)}" if named else "; of many clients and senders"


class Congestion:
    """Of one process. From any thread. Times are in seconds, of a clock that never jumps."""

    def __init__(self, now: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._crowded = Toll(now, now)
        self._late = Toll(now, now)
        self._facts: Counter[str] = Counter()
        self._messages = 0

    def crowded_out(self, client: str, sender: str) -> None:
        """A question found no place."""
        with self._lock:
            self._crowded.add(client, sender)

    def judged(self, late: Late = NOTHING_LATE) -> None:
        """A message was judged; some of its facts may not have been there in time."""
        with self._lock:
            self._messages += 1
            if late.facts:
                self._late.add(late.client, late.sender)
                self._facts.update(late.facts)

    def looked(self, now: float) -> list[Alarm]:
        """The alarms that are due."""
        with self._lock:
            return [alarm for alarm in (self._look_at_questions(now), self._look_at_messages(now)) if alarm is not None]

    def _look_at_questions(self, now: float) -> Alarm | None:
        toll = self._crowded
        due = toll.count >= MANY_QUESTIONS and now >= toll.quiet_until
        if due or now - toll.since >= PERIOD:
            self._crowded = Toll(now, now + PERIOD if due else toll.quiet_until)
        if not due:
            return None
        return Alarm(
            CROWDED,
            f"{toll.count} DNS questions found no place within {_seconds(now - toll.since)} s{toll.whose()}. Clients have places of"
            " their own, so others are judged as usual; a client that goes on is to be limited where it connects (in Postfix:"
            " smtpd_client_message_rate_limit, in Sendmail: ratecontrol) or refused. If it is proper mail: dns.max_outstanding",
            again=True,
        )

    def _look_at_messages(self, now: float) -> Alarm | None:
        toll, messages, facts = self._late, self._messages, self._facts
        many = toll.count >= MANY_MESSAGES and toll.count * 100 >= messages * LATE_PERCENT
        due = many and now >= toll.quiet_until
        if due or now - toll.since >= PERIOD:
            self._late = Toll(now, now + PERIOD if due else toll.quiet_until)
            self._messages, self._facts = 0, Counter()
        if not due:
            return None
        missing = ", ".join(f"{fact} {count}" for fact, count in sorted(facts.items()))
        return Alarm(
            LATE,
            f"{toll.count} of {messages} messages within {_seconds(now - toll.since)} s were judged without facts for lack of time"
            f" ({missing}){toll.whose()}. Such facts are temperror, and refuse nobody. If it is one sender, its zone is dead"
            " or slow; if many, see whether the name servers are slow (dns_query_seconds), and dns.timeout and milter.deadline",
            again=True,
        )


def _safe(name: str) -> str:
    """A name out of the network, for a line of the log."""
    is_plain = is_domain(name) or _ADDRESS.issuperset(name)
    return printable(name, _MAX_NAME) if is_plain else quoted_name(name, _MAX_NAME)


_ADDRESS = frozenset("0123456789abcdef.:/")


def _seconds(span: float) -> int:
    return max(1, round(span))
