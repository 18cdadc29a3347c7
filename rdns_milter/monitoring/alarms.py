"""Alarms about the set-up, raised when many decisions in a row have the same anomaly: the MTA hides its clients, the name servers
answer wrongly, greetings do not arrive, or the clock jumps.

Pure: takes evidence and times, returns alarms. Must never influence a decision. Must never be raised by chance: an anomaly has to
occur in MIN_DECISIONS consecutive decisions within at least MIN_SECONDS, and a single decision without it starts the count again.
The answer of a DNS list that refuses the query is certain, and raises its alarm at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..checks.evidence import REFUSED, Evidence, Sources
from ..net.names import Address
from ..net.nat64 import seems_translated

MIN_DECISIONS = 300
MIN_SECONDS = 3600.0
PERIOD = 600.0  # seconds between two alarms with the same cause, of those that are repeated
MIN_JUMP = 60.0  # seconds between the wall clock and the monotonic clock

# What one decision shows: False is no anomaly, None says nothing either way, any other value is an anomaly. Two anomalies are the
# same if they are equal.
Anomaly = bool | Address | None


@dataclass(frozen=True, slots=True)
class Detector:
    """An alarm that follows from decisions. `anomaly`: what a single decision shows; `text`: the line for the log, with the
    remedy; `meaning`: one sentence for the documentation."""

    anomaly: Callable[[Evidence], Anomaly]
    text: str
    meaning: str


def _exempt(evidence: Evidence) -> Anomaly:
    return evidence.exempt == "network"


def _address(evidence: Evidence) -> Anomaly:
    return None if evidence.exempt else evidence.client


def _unconfirmed(evidence: Evidence) -> Anomaly:
    return _IS_UNCONFIRMED.get(evidence.iprev.result)


def _unnamed(evidence: Evidence) -> Anomaly:
    return None if evidence.via is None else evidence.exempt == "relay"


def _without_greeting(evidence: Evidence) -> Anomaly:
    return None if evidence.exempt else evidence.helo.kind == "missing"


def _translated(evidence: Evidence) -> Anomaly:
    # None instead of False: on a host with both address families, IPv6 clients connect in between.
    return seems_translated(evidence.client) or None


_IS_UNCONFIRMED: Mapping[str, bool] = MappingProxyType({"pass": False, "fail": True, "permerror": True})
# By the alarm's name in the log and in the metrics.
DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {
        "all-exempt": Detector(
            _exempt,
            f"no client is checked: the last {MIN_DECISIONS} clients were all in exempt.networks. Unless all of them"
            " are your own hosts, the MTA does not see the real addresses (container NAT, proxy): use host networking,"
            " the PROXY protocol or XCLIENT",
            "All clients were in `exempt.networks`. The MTA probably does not see the real clients, because of NAT"
            " or a proxy.",
        ),
        "one-address": Detector(
            _address,
            f"the last {MIN_DECISIONS} clients all had the same address. If it belongs to a proxy or to a relay of"
            " yours, the real clients are hidden: let the MTA see them (PROXY protocol, XCLIENT), list the relay in"
            " relays.networks, or run the milter on the host that they connect to",
            "All clients had the same address. It is probably that of a proxy or a relay.",
        ),
        "no-reverse-names": Detector(
            _unconfirmed,
            f"none of the last {MIN_DECISIONS} clients had a confirmed reverse name: the name servers probably answer"
            " wrongly. Try `dig -x ADDRESS` on this host with the address of a large mail provider, and check dns.nameservers",
            "No client had a confirmed reverse name. The name servers probably give wrong answers.",
        ),
        "no-greetings": Detector(
            _without_greeting,
            f"none of the last {MIN_DECISIONS} clients sent HELO or EHLO: the MTA probably does not pass it on. Check"
            " which protocol steps the MTA offers to milters (in Postfix: milter_protocol), and that the mail arrives"
            " by SMTP and is not submitted locally (non_smtpd_milters)",
            "No client sent HELO or EHLO. The MTA probably does not pass it on to milters.",
        ),
        "relays-name-no-client": Detector(
            _unnamed,
            f"none of the last {MIN_DECISIONS} messages that came through relays (relays.networks) named the client behind"
            ' them, so none was judged. The name after "by" in the newest Received field must belong to the domain of the'
            " relay's HELO name, and the addresses by which your relays hand mail to each other must be in relays.networks, too",
            "No message that came through a relay named the client behind it. The Received fields of the relay are not believed.",
        ),
        "translated-clients": Detector(
            _translated,
            f"{MIN_DECISIONS} clients had addresses of an IPv4/IPv6 translator (64:ff9b::/96 or 64:ff9b:1::/48). Such"
            " addresses have no reverse names and occur in no SPF record. Set dns.nat64 to the prefix of the translator: nat64 ="
            ' ["64:ff9b::/96"]',
            "Clients have addresses of a translator between IPv4 and IPv6, and `dns.nat64` is not set.",
        ),
    }
)
CLOCK_JUMPED = "clock-jumped"
# Raised again as long as their cause lasts: by Alarms for each DNS list, by monitoring/congestion.py.
LIST_REFUSED = "dnslist-refused"
CROWDED_OUT, FACTS_LATE = "questions-crowded-out", "facts-too-late"
# Every alarm with one sentence that explains it, for the documentation.
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        **{name: detector.meaning for name, detector in DETECTORS.items()},
        CLOCK_JUMPED: "The system clock has jumped by a minute or more.",
        LIST_REFUSED: "A DNS list refused the query, or answered what no list answers. Its answers do not count; use a resolver of"
        " your own.",
        CROWDED_OUT: "At least 100 DNS questions were not asked, because too many were waiting.",
        FACTS_LATE: "At least 20 messages, and at least a tenth of all, were judged without facts because DNS did not answer in"
        " time.",
    }
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """`name`: a key of MEANINGS; `text`: what is probably wrong and how to mend it; `repeats`: it is logged each time that it is
    raised, not only once for all processes."""

    name: str
    text: str
    repeats: bool = False


class Streak:
    """Consecutive decisions with the same anomaly: their number, and the time of the first."""

    __slots__ = ("anomaly", "count", "detector", "name", "since")

    def __init__(self, name: str, detector: Detector) -> None:
        self.name = name
        self.detector = detector
        self.anomaly: Anomaly = False
        self.count = 0
        self.since = 0.0

    def add(self, evidence: Evidence, now: float) -> bool:
        """Add a decision. Return True if the streak is now long enough for the alarm."""
        anomaly = self.detector.anomaly(evidence)
        if anomaly is None:
            return False
        if anomaly is False:
            self.count = 0
            return False
        if not self.count or anomaly != self.anomaly:
            self.anomaly, self.count, self.since = anomaly, 0, now
        self.count += 1
        return self.count >= MIN_DECISIONS and now - self.since >= MIN_SECONDS


class Alarms:
    """The alarms of one process. Each is raised once, except the alarm about a DNS list: it is raised again after PERIOD,
    separately for each list. Not thread-safe. Times are in seconds: `now` of a monotonic clock, `wall` of the system clock."""

    def __init__(self, wall: float, now: float) -> None:
        self._streaks = [Streak(name, detector) for name, detector in DETECTORS.items()]
        self._offset = wall - now
        self._has_jumped = False
        self._refused: dict[str, float] = {}  # when the alarm about a list was raised; by names of the configuration

    def decided(self, evidence: Evidence, now: float) -> Alarm | None:
        """Return the alarm that this decision raises; None if it raises none."""
        if evidence.dnslist and (alarm := self._refusal(evidence.dnslist, now)):
            return alarm
        for streak in self._streaks:
            if streak.add(evidence, now):
                self._streaks.remove(streak)
                return Alarm(streak.name, streak.detector.text)
        return None

    def _refusal(self, answers: Sources, now: float) -> Alarm | None:
        """Return the alarm about the first list that has refused the query, unless it was raised less than PERIOD ago."""
        for name, answer in answers:
            if answer == REFUSED and now - self._refused.get(name, -PERIOD) >= PERIOD:
                self._refused[name] = now
                return Alarm(
                    LIST_REFUSED,
                    f"your resolver is refused by the list: use your own. The DNS list {name} has answered what no list answers."
                    " Let a resolver of your own ask it (dns.nameservers), and see whether its terms of use allow your queries."
                    " Until then, rules defer what they would refuse if the list can change that",
                    repeats=True,
                )
        return None

    def check_clock(self, wall: float, now: float) -> Alarm | None:
        """Return the alarm if the system clock has jumped since the last call; otherwise None."""
        jump = wall - now - self._offset
        self._offset += jump
        if abs(jump) < MIN_JUMP or self._has_jumped:
            return None
        self._has_jumped = True
        return Alarm(
            CLOCK_JUMPED,
            f"the system clock has jumped by {jump:+.0f} s: times in the log are wrong around this line, and rules with"
            " `until` may have ended or may be in force again. Check the time synchronization (chrony, systemd-timesyncd)",
        )
