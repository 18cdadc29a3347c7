"""Compare the addresses of an SPF record and of DNS answers with the client's network of a given prefix length.

Pure. Compares numbers; must never compare addresses as text, in which one address has several forms.

RFC 7208 5 (mechanisms with addresses), 5.6 (ip4 and ip6).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ..net.names import Address
from ..resolver.lookup import Answer, Question
from .spf_record import Mechanism, Record


class AddressMatcher:
    """Compare addresses with the client's network of a given prefix length.

    Results are cached, because every run of an evaluation compares the same addresses.
    """

    def __init__(self, client: Address) -> None:
        self._client = client
        self._known: dict[tuple[Question | str, int], bool] = {}

    def reachable(self, record: Record, terms: int) -> Record:
        """Return the part of the record that an evaluation for the client can reach. A mechanism is dropped if it certainly does
        not match, if it follows one that certainly matches, or if it follows more than `terms` others."""
        kept: list[Mechanism] = []
        for mechanism in record.mechanisms:
            if mechanism.version is not None and not self._in_network(mechanism):
                continue
            kept.append(mechanism)
            if mechanism.needs_no_lookup or len(kept) > terms:
                break
        return Record(tuple(kept), record.redirect, record.explanation)

    def _in_network(self, mechanism: Mechanism) -> bool:
        version = self._client.version
        if mechanism.version != version:
            return False
        prefix = mechanism.length(version)
        shift = self._client.max_prefixlen - prefix
        is_match = int(self._client) >> shift == mechanism.network >> shift
        if is_match:
            self._known[mechanism.argument, prefix] = True
        return is_match

    def matches(self, text: str, prefix: int) -> bool:
        """Return whether an address in text form matches. Raises ValueError if it is not an address of the client's family."""
        key = text, prefix
        if key not in self._known:
            other = IPv4Address(text) if self._client.version == 4 else IPv6Address(text)
            shift = self._client.max_prefixlen - prefix
            self._known[key] = int(self._client) >> shift == int(other) >> shift
        return self._known[key]

    def matches_any(self, answer: Answer, prefix: int) -> bool:
        """Return whether one of the addresses in an answer matches. Raises ValueError as `matches`."""
        key = answer.question, prefix
        if key not in self._known:
            client, shift = int(self._client), self._client.max_prefixlen - prefix
            kind = IPv4Address if self._client.version == 4 else IPv6Address
            self._known[key] = any(client >> shift == int(kind(text)) >> shift for text in answer.names())
        return self._known[key]
