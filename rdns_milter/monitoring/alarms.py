"""What the facts of many clients, taken together, say about our own set-up: the MTA hides its clients, the resolver answers
wrongly, the greeting gets lost, the clock has jumped.

Pure: is fed with evidence and times, gives sentences. Judges no client. Must not cry by chance: it takes the same oddity in MANY
decisions on end, over at least LONG; one exception, and the count begins anew (but for addresses
of translators: other clients come beside them).

DESIGN section 5 (the log).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..checks.evidence import Evidence
from ..net.names import Address
from ..net.nat64 import seems_translated

MANY = 300  # decisions
LONG = 3600.0  # seconds
JUMP = 60.0  # seconds by which the clock must differ from the time that has passed

# Of one client: an oddity (two are the same if they are equal), none, or nothing that says anything about it.
Oddity = bool | Address | None


@dataclass(frozen=True, slots=True)
class Watch:
    """`odd`: what of a decision is odd: False if nothing is, None if it tells nothing. `text`: what is said, and what to do."""

    odd: Callable[[Evidence], Oddity]
    text: str


def _exempt(evidence: Evidence) -> Oddity:
    return evidence.exempt == "network"


def _address(evidence: Evidence) -> Oddity:
    return None if evidence.exempt else evidence.client


def _nameless(evidence: Evidence) -> Oddity:
    return _NAMELESS.get(evidence.iprev.result)


def _ungreeted(evidence: Evidence) -> Oddity:
    return None if evidence.exempt else evidence.helo.kind == "missing"


def _translated(evidence: Evidence) -> Oddity:
    return seems_translated(evidence.client) or None


_NAMELESS: Mapping[str, bool] = MappingProxyType({"pass": False, "fail": True, "permerror": True})
CLOCK = "clock-jumped"
# Told again and again while they last (monitoring/congestion.py).
CROWDED, LATE = "questions-crowded-out", "facts-too-late"
# By the name that the alarm has in the metrics.
WATCHES: Mapping[str, Watch] = MappingProxyType(
    {
        "all-exempt": Watch(
            _exempt,
            f"nobody is judged: the last {MANY} clients were all in exempt.networks. If they were not all your own, the MTA does"
            " not see the real ones (NAT of a container, a proxy): let it see them (host network, PROXY protocol, XCLIENT)",
        ),
        "one-address": Watch(
            _address,
            f"the last {MANY} clients all had one and the same address. If that is a proxy or a relay of yours, the real clients"
            " are hidden: let the MTA see them (PROXY protocol, XCLIENT), or attach the milter where they connect",
        ),
        "no-reverse-names": Watch(
            _nameless,
            f"none of the last {MANY} clients had a reverse name that leads back to it: the name servers seem to answer wrongly."
            " Try `dig -x` with an address of a big mail provider there, and see dns.nameservers",
        ),
        "no-greetings": Watch(
            _ungreeted,
            f"none of the last {MANY} clients sent HELO or EHLO: the MTA does not seem to pass it on. See which steps it offers"
            " to milters (in Postfix: milter_protocol), and that clients are not taken from a queue (non_smtpd_milters)",
        ),
        "translated-clients": Watch(
            _translated,
            f"{MANY} clients had addresses of a translator between IPv4 and IPv6 (64:ff9b::/96 or 64:ff9b:1::/48): they have no"
            ' reverse names, and no SPF record names them. Set dns.nat64 to the translator\'s prefix: nat64 = ["64:ff9b::/96"]',
        ),
    }
)
NAMES = (*WATCHES, CLOCK, CROWDED, LATE)


@dataclass(frozen=True, slots=True)
class Alarm:
    """`name`: one of NAMES; `text`: what seems to be wrong, and what to do; `again`: it is told each time, not once for all
    processes."""

    name: str
    text: str
    again: bool = False


class Streak:
    """The same oddity, how often on end, and since when."""

    __slots__ = ("count", "name", "oddity", "since", "watch")

    def __init__(self, name: str, watch: Watch) -> None:
        self.name = name
        self.watch = watch.odd
        self.oddity: Oddity = False
        self.count = 0
        self.since = 0.0


class Alarms:
    """Keeps count; tells each alarm once. Not for several threads at a time. Times are in seconds: `now` of a clock that never
    jumps, `wall` of the one that shows the date."""

    def __init__(self, wall: float, now: float) -> None:
        self._streaks = [Streak(name, watch) for name, watch in WATCHES.items()]
        self._offset = wall - now
        self._clock_told = False

    def heard(self, evidence: Evidence, now: float) -> Alarm | None:
        """One more decision: the alarm that it sets off."""
        for streak in self._streaks:
            oddity = streak.watch(evidence)
            if oddity is None:
                continue
            if oddity is False:
                streak.count = 0
            elif streak.count and oddity == streak.oddity:
                streak.count += 1
                if streak.count >= MANY and now - streak.since >= LONG:
                    self._streaks.remove(streak)
                    return Alarm(streak.name, WATCHES[streak.name].text)
            else:
                streak.oddity, streak.count, streak.since = oddity, 1, now
        return None

    def looked(self, wall: float, now: float) -> Alarm | None:
        """A look at the clocks: the alarm if one of them has jumped."""
        jump = wall - now - self._offset
        self._offset += jump
        if abs(jump) < JUMP or self._clock_told:
            return None
        self._clock_told = True
        return Alarm(
            CLOCK,
            f"the clock has jumped by {jump:+.0f} s: times in the log are not to be trusted around it, and rules with `until` may"
            " have ended or come back; see to its synchronization (chrony, systemd-timesyncd)",
        )
