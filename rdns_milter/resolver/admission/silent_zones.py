"""Find zones that do not answer, from queries that timed out, so that further queries about them take no place and no time.

Pure: sends nothing; the time is an argument. A zone becomes suspect when a query about a name in it times out. It becomes silent
when queries that were sent after that have timed out in BRANCHES of its branches; each label directly below the zone begins a
branch. Any answer about a name in the zone ends this. Queries that were in progress when the zone became suspect do not count,
because it may have answered others meanwhile. Must never make a zone silent because of one dead subdomain, nor because of a
client's queries while the zone answers. A public suffix is never silent. One query in PROBE seconds is sent into a silent zone, to
find out whether it answers again.

RFC 2308 7.1 and RFC 9520 3.2 (failures are remembered, for a short time, and retries are bounded).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from ...net.alignment import organizational_domain

BRANCHES = 5  # names directly below a zone without an answer that make it silent
HOLDS = 30.0  # seconds from the last query without an answer until the zone is forgotten
PROBE = 1.0  # seconds between two queries that are sent nevertheless
MAX_ZONES = 10_000  # entries kept
MAX_LEVELS = 8  # labels below the topmost zone that are distinguished
_IPV4, _IPV6 = ".in-addr.arpa", ".ip6.arpa"
_LABELS_IPV4, _LABELS_IPV6 = 3 + 2, 12 + 2  # labels of the reverse zones of a /24 and of a /48


def zone_of(name: str) -> str:
    """Return the topmost zone that one operator runs: the organizational domain of a name, or the reverse zone of a /24 or a
    /48."""
    if name.endswith(_IPV4):
        return _last(name, _LABELS_IPV4)
    if name.endswith(_IPV6):
        return _last(name, _LABELS_IPV6)
    return organizational_domain(name) or _last(name, 2)


def _last(name: str, count: int) -> str:
    return ".".join(name.split(".")[-count:])


class _Zone:
    """A suspect zone. `since`: when it became suspect; `branches`: the labels directly below it about which a query was sent since
    then and not answered; `until`: when the zone is forgotten; `probe`: when the next query is sent nevertheless."""

    __slots__ = ("branches", "probe", "since", "until")

    def __init__(self, since: float) -> None:
        self.branches: set[str] = set()
        self.since = since
        self.until = self.probe = 0.0


class SilentZones:
    """The zones that are suspect or silent. Times are in seconds."""

    __slots__ = ("_zones",)

    def __init__(self) -> None:
        self._zones: OrderedDict[str, _Zone] = OrderedDict()

    def __bool__(self) -> bool:
        """Return whether any zone is suspect; if none is, `covers` need not be called."""
        return bool(self._zones)

    def unanswered(self, name: str, began: float, now: float) -> None:
        """Note a query about a name, sent at `began`, that timed out while the name servers answered others."""
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
        """Note a query about a name that was answered."""
        for zone, _ in _above(name):
            self._zones.pop(zone, None)

    def covers(self, name: str, now: float) -> bool:
        """Return whether a name is in a silent zone, so that no query about it may be sent now."""
        silent = [known for zone, _ in _above(name) if (known := self._zones.get(zone)) and self._is_silent(known, now)]
        if not silent or any(now < known.probe for known in silent):
            return bool(silent)
        for known in silent:
            known.probe = now + PROBE
        return False

    def clear(self) -> None:
        """Remove all zones."""
        self._zones.clear()

    def _is_silent(self, zone: _Zone, now: float) -> bool:
        return len(zone.branches) >= BRANCHES and now < zone.until


def _above(name: str) -> Iterator[tuple[str, str]]:
    """Yield each zone that a name may be in, the topmost first. With each zone comes the label of the name that is directly below
    the zone; "" if the name is the zone's own."""
    zone = zone_of(name)
    if name == zone:
        yield zone, ""
        return
    labels = name[: -len(zone) - 1].split(".")[::-1][:MAX_LEVELS]
    for label in labels:
        yield zone, label
        zone = f"{label}.{zone}"
