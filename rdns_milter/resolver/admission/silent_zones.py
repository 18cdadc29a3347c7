"""Which zones do not answer? Learned from the questions that timed out, so that further ones take no place and no time.

Pure: sends nothing; the time is an argument. A zone is suspect once a name below it has had no answer. It is silent once several
names in different branches right below it have had none either, all of them asked since then, while nothing below it was answered:
questions that were under way together say nothing of a zone that answered others meanwhile. So the branch that is dead is found
where it is: a dead subdomain does not make its parent look dead, and nobody can make a zone look dead that answers. A public suffix
is never silent. One question at a time goes through, to see whether the zone is back; any answer from below it ends the silence.

RFC 2308 7.1 and RFC 9520 3.2 (failures are remembered, for a short time, and retries are bounded).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from ...net.names import organizational_domain

BRANCHES = 5  # branches below a zone without an answer make it silent
HOLDS = 30.0  # seconds from the last question without an answer, then the silence is forgotten
PROBE = 1.0  # seconds between two questions that go through all the same
MAX_ZONES = 10_000  # that are remembered
MAX_LEVELS = 8  # below the zone's top that are told apart
_IPV4, _IPV6 = ".in-addr.arpa", ".ip6.arpa"
_LABELS_IPV4, _LABELS_IPV6 = 3 + 2, 12 + 2  # of a reverse zone: of a /24, of a /48


def zone_of(name: str) -> str:
    """The part of a name that is under one hand: its organizational domain, or the reverse zone of a /24 or a /48."""
    if name.endswith(_IPV4):
        return _last(name, _LABELS_IPV4)
    if name.endswith(_IPV6):
        return _last(name, _LABELS_IPV6)
    return organizational_domain(name) or _last(name, 2)


def _last(name: str, count: int) -> str:
    return ".".join(name.split(".")[-count:])


class _Zone:
    """`since`: when it became suspect; `branches`: labels below it that have been asked since and had no answer; `until`: when that
    is forgotten; `probe`: when the next question goes through."""

    __slots__ = ("branches", "probe", "since", "until")

    def __init__(self, since: float) -> None:
        self.branches: set[str] = set()
        self.since = since
        self.until = self.probe = 0.0


class Silence:
    """What is known of zones that do not answer. Times are in seconds."""

    __slots__ = ("_zones",)

    def __init__(self) -> None:
        self._zones: OrderedDict[str, _Zone] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether anything is known: only then is there a use in asking."""
        return bool(self._zones)

    def unanswered(self, name: str, began: float, now: float) -> None:
        """A question about a name, asked at `began`, has had no answer, though the name servers answered others meanwhile."""
        for zone, branch in _above(name):
            known = self._zones.get(zone)
            if known is None or known.until <= now:
                known = self._zones[zone] = _Zone(now)
            self._zones.move_to_end(zone)
            known.until = now + HOLDS
            if began >= known.since and len(known.branches) < BRANCHES:
                known.branches.add(branch)
        while len(self._zones) > MAX_ZONES:
            self._zones.popitem(last=False)

    def answered(self, name: str) -> None:
        """A question about a name has had an answer."""
        for zone, _ in _above(name):
            self._zones.pop(zone, None)

    def covers(self, name: str, now: float) -> bool:
        """Whether a name lies in a silent zone, and no question about it is to be asked now."""
        silent = [known for zone, _ in _above(name) if (known := self._zones.get(zone)) and self._is_silent(known, now)]
        if not silent or any(now < known.probe for known in silent):
            return bool(silent)
        for known in silent:
            known.probe = now + PROBE
        return False

    def clear(self) -> None:
        """Forget all."""
        self._zones.clear()

    def _is_silent(self, zone: _Zone, now: float) -> bool:
        return len(zone.branches) >= BRANCHES and now < zone.until


def _above(name: str) -> Iterator[tuple[str, str]]:
    """The zones that a name may lie in, the topmost first, and below each the label of the branch in which it lies, "" for the
    zone's own name."""
    zone = zone_of(name)
    if name == zone:
        yield zone, ""
        return
    labels = name[: -len(zone) - 1].split(".")[::-1][:MAX_LEVELS]
    for label in labels:
        yield zone, label
        zone = f"{label}.{zone}"
