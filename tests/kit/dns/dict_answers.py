"""DNS as a dict, for the table tests of checks: a Lookup with all answers at once. No loop, no socket, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rdns_milter.net.names import parse_address, reverse_name
from rdns_milter.resolver.instant_lookup import InstantLookup
from rdns_milter.resolver.lookup import TEMPORARY, Answer, Question, Status, Type

Entry = str | Sequence[str]


class Answers(InstantLookup):
    """Answers by "NAME TYPE"; the owner of a PTR record may be an address. An entry is a list of values, or a status such as
    "servfail". A name with an entry of another type is `nodata`, one without any is `nxdomain`."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        super().__init__(self._find)
        self._entries: dict[Question, Entry] = {}
        for key, entry in entries.items():
            owner, kind = key.split()
            address = parse_address(owner)
            name = reverse_name(address) if address and kind == "PTR" else owner
            self._entries[Question(name.lower(), cast(Type, kind))] = entry
        self._names = {question.name for question in self._entries}

    def _find(self, question: Question) -> Answer:
        entry = self._entries.get(question)
        if entry is None:
            return Answer(question, "nodata" if question.name in self._names else "nxdomain", ttl=300)
        if isinstance(entry, str):
            assert entry in TEMPORARY or entry in ("nxdomain", "nodata"), entry
            return Answer(question, cast(Status, entry), ttl=300)
        return Answer(question, "ok", tuple(entry), 300) if entry else Answer(question, "nodata", ttl=300)
