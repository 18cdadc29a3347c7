"""Collect the entries of a list, one after another, into the set that a condition is compared with.

Fast for the entries as nearly all lists have them; every other goes through the readers of config/value_parsers.py, which know
what is allowed
and say what is wrong. Must never take an entry that those would refuse, nor understand it in another way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Protocol

from ..net.names import MAX_NAME
from ..net.networks import Network, Networks, Range
from ..policy.rules import Mailboxes, Names, Values
from ..text.compact_set import text_set
from .value_parsers import read_network

_MANY = 150_000  # networks
_HOST4 = {"": 0} | {str(length): (1 << (32 - length)) - 1 for length in range(33)}
_HOST6 = {"": 0} | {str(length): (1 << (128 - length)) - 1 for length in range(129)}
_MAPPED = 0xFFFF  # bits 32 to 47 of an IPv4-mapped address (RFC 4291 2.5.5.2), or of a network around such addresses
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# The last label begins with a letter: so it is no number, and the name no address.
_NAME = re.compile(rf"\.?(?:{_LABEL}\.)*[a-z](?:[a-z0-9_-]{{0,61}}[a-z0-9_])?\Z")
_MAILBOX = re.compile(rf"[a-z0-9_+=-][a-z0-9_+=.-]{{0,63}}@(?:{_LABEL}\.)*[a-z](?:[a-z0-9_-]{{0,61}}[a-z0-9_])?\Z")


class Collector(Protocol):
    """Takes entries, and gives the set of them."""

    def add(self, entry: str) -> None:
        """Take an entry. Raises ValueError that says what is wrong with it."""

    def collected(self) -> Values:
        """The set. To be called once, at the end."""


class NetworkCollector:
    """Collects addresses and networks. Whenever there are many they are packed, so that no more than that many lie about."""

    def __init__(self) -> None:
        self._v4: list[Range] = []
        self._v6: list[Range] = []
        self._packed: list[Networks] = []

    def add(self, entry: str) -> None:
        """See Collector."""
        address, slash, length = entry.partition("/")
        try:
            if slash and not length:
                raise ValueError
            if ":" in address:
                self._add6(int.from_bytes(inet_pton(AF_INET6, address)), _HOST6[length])
            else:
                self._add4(int.from_bytes(inet_pton(AF_INET, address)), _HOST4[length])
        except (OSError, KeyError, ValueError):
            self._add(read_network(entry))
        if len(self._v4) + len(self._v6) >= _MANY:
            self._pack()

    def _add4(self, first: int, host: int) -> None:
        if first & host:
            raise ValueError
        self._v4.append((first, first | host))

    def _add6(self, first: int, host: int) -> None:
        if first & host or first >> 32 == _MAPPED:
            raise ValueError
        self._v6.append((first, first | host))

    def _add(self, network: Network) -> None:
        first, last = int(network.network_address), int(network.broadcast_address)
        (self._v4 if isinstance(network, IPv4Network) else self._v6).append((first, last))

    def _pack(self) -> None:
        self._packed.append(Networks.of_ranges(sorted(self._v4), sorted(self._v6)))
        self._v4.clear()
        self._v6.clear()

    def collected(self) -> Networks:
        """See Collector."""
        self._pack()
        return self._packed[0] if len(self._packed) == 1 else Networks.union(self._packed)


class NameCollector:
    """Collects names and suffixes. `read`: the reader for all but plain names."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._names: list[str] = []

    def add(self, entry: str) -> None:
        """See Collector."""
        name = entry.lower()
        is_plain = entry.isascii() and len(entry) <= MAX_NAME and _NAME.match(name)
        self._names.append(name if is_plain else self._read(entry))

    def collected(self) -> Names:
        """See Collector."""
        return names_of(self._names)


class MailboxCollector:
    """Collects mailboxes, domains and suffixes. `read`: the reader for all but plain addresses."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._mailboxes: list[str] = []

    def add(self, entry: str) -> None:
        """See Collector."""
        mailbox = entry.lower()
        is_plain = entry.isascii() and len(entry) <= MAX_NAME and _MAILBOX.match(mailbox)
        self._mailboxes.append(mailbox if is_plain else self._read(entry))

    def collected(self) -> Mailboxes:
        """See Collector."""
        return mailboxes_of(self._mailboxes)


def names_of(names: list[str]) -> Names:
    """The set of canonical names, and of suffixes with their leading dot."""
    suffixes = [name for name in names if name.startswith(".")]
    return Names(text_set(name for name in names if not name.startswith(".")), text_set(suffixes))


def mailboxes_of(mailboxes: list[str]) -> Mailboxes:
    """The set of mailboxes as values.read_mailbox spells them."""
    addresses = text_set(each for each in mailboxes if "@" in each and not each.endswith("@"))
    local = text_set(each[:-1] for each in mailboxes if each.endswith("@"))
    domains = names_of([each for each in mailboxes if "@" not in each and each != "<>"])
    return Mailboxes(addresses, local, domains, "<>" in mailboxes)
