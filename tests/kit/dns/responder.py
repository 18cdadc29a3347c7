"""The tests' name server without its sockets: a query in bytes in, the sends out.

Right answers are cached in wire format, and patched with the ID and the letter case of each query (0x20), so that the server can
answer tens of thousands a second. Answers with behaviours are built each time. Anything but a plain query of class IN is dropped
(RFC 1035 4.1.1).
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rdataclass
from dns.message import Message

from tests.kit.dns.hostile import behaviours
from tests.kit.dns.message import HEADER, Ask, Send, Sends
from tests.kit.dns.query_log import Queries, question
from tests.kit.dns.zone import Zone

QUERY_MAX = 4096
KEPT = 20_000
_SHORTEST = HEADER + 5
_UNREADABLE = (dns.exception.DNSException, ValueError, IndexError, struct.error)

_Key = tuple[bool, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Kept:
    asked: tuple[str, str]
    wire: bytes


class Responder:
    """Answers queries for one zone and counts them in `queries`. Not thread-safe."""

    def __init__(self, zone: Zone, queries: Queries) -> None:
        self.zone = zone
        self._queries = queries
        self._kept: dict[_Key, _Kept] = {}
        self._times: Counter[tuple[str, str]] = Counter()

    def respond(self, wire: bytes, tcp: bool) -> Sends:
        """Return the sends for these bytes; none for silence and for anything that is no query."""
        end = wire.find(b"\0", HEADER)
        if not (_SHORTEST <= len(wire) <= QUERY_MAX and end > 0):
            self._queries.malformed += 1
            return []
        # Length octets are below 64 and so have no case: lowering the name as a whole is safe.
        key = (tcp, wire[2:HEADER], wire[HEADER:end].lower(), wire[end:])
        kept = self._kept.get(key)
        if kept is not None:
            self._queries.note(kept.asked, tcp)
            return [Send(wire[:2] + kept.wire[2:HEADER] + wire[HEADER:end] + kept.wire[end:])]
        return self._work_out(wire, tcp, key)

    def _work_out(self, wire: bytes, tcp: bool, key: _Key) -> Sends:
        query = read_query(wire)
        if query is None:
            self._queries.malformed += 1
            return []
        name, rdtype = query.question[0].name, query.question[0].rdtype
        asked = question(name, rdtype)
        self._queries.note(asked, tcp)
        try:
            found = self.zone.lookup(name, rdtype)
            ask = Ask(wire, query, found, tcp, self._times[asked])
            self._count(asked)
            sends = behaviours.apply(found.behaviours, ask)
        except (*_UNREADABLE, OverflowError) as why:
            self._queries.faults.append(why)
            sends = []
        else:
            if not found.behaviours:
                self._keep(key, _Kept(asked, sends[0].data))
        if not sends:
            self._queries.unanswered += 1
        return sends

    def _count(self, asked: tuple[str, str]) -> None:
        if len(self._times) >= KEPT:
            self._times.clear()
        self._times[asked] += 1

    def _keep(self, key: _Key, kept: _Kept) -> None:
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[key] = kept


def read_query(wire: bytes) -> Message | None:
    """Return the query in these bytes if it has one question of class IN and no records except an OPT record; else None."""
    try:
        query = dns.message.from_wire(wire)
        plain = not query.flags & dns.flags.QR and query.opcode() == dns.opcode.QUERY and len(query.question) == 1
    except _UNREADABLE:
        return None
    if not plain or query.answer or query.authority or query.question[0].rdclass != dns.rdataclass.IN:
        return None
    return query
