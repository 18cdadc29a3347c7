"""Find the client behind a relay: the host from which our own relays took a message, by the Received fields that they have written.

Pure. The fields are read from the newest down. The newest field was written by the connected relay, and each further field by the
client that the field above it names. A field is believed only if the host that wrote it is a relay of ours. So the first client
outside the relays' networks is the result. All fields below can be forged by that client, and are never read. The number of fields
is limited.

RFC 5321 4.4 (trace information), RFC 6761 and RFC 6762 appendix G (names that only a local network has).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Network

from .alignment import alignment
from .names import Address, canonical, is_local, parse_address, parse_literal
from .nat64 import translated
from .networks import Networks
from .received_field import ReceivedField, parse_received

MAX_FIELDS = 25  # of a message that are read


class RelayPath:
    """The Received fields of one message, added from the newest on. `client`: the field that names the client behind the relays;
    None until it is found, or if there is none."""

    __slots__ = ("_count", "_has_ended", "_helo_name", "_nat64", "_relay", "_relays", "client")

    def __init__(self, relays: Networks, relay: Address, helo_name: str, nat64: Sequence[IPv6Network] = ()) -> None:
        """`relay`: the connected relay; `helo_name`: its HELO name; `nat64`: prefixes of translators."""
        self.client: ReceivedField | None = None
        self._relays = relays
        self._relay = relay
        self._helo_name = helo_name
        self._nat64 = nat64
        self._count = 0
        self._has_ended = False

    def add(self, value: str) -> None:
        """Take the value of the next Received field."""
        if self._has_ended:
            return
        self._count += 1
        field = parse_received(value)
        if field is None or self._count > MAX_FIELDS or (self._count == 1 and not self._is_written_by_relay(field)):
            self._has_ended = True
        elif field.client is None:
            self._has_ended = not field.has_predecessor
        elif not self._is_inside(field.client):
            self.client, self._has_ended = field, True

    def _is_inside(self, address: Address) -> bool:
        """Return whether a message from that address was still with our relays. A relay's loopback is the relay itself: content
        filters take mail and give it back there."""
        return address.is_loopback or translated(address, self._nat64) in self._relays

    def _is_written_by_relay(self, field: ReceivedField) -> bool:
        """Return whether the connected relay can have written the field. If the relay writes none, the newest field comes from the
        client and can be forged.

        The host after "by" must have one of these: the relay's HELO name, or a name in the same organizational domain; an address
        in the relays' networks; a name that only a local network has, such as those that Exchange and containers give themselves. A
        field without a name (qmail) counts as one with such a name."""
        name = canonical(field.by)
        address = parse_address(field.by) or parse_literal(field.by)
        addresses = field.by_addresses if address is None else (*field.by_addresses, address)
        if any(each == self._relay or each in self._relays for each in addresses):
            return True
        if address is not None:
            return False
        helo_name = canonical(self._helo_name)
        return alignment(name, (helo_name,) if helo_name else ()) in ("same", "aligned") or is_local(name)
