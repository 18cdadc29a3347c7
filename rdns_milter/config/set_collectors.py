"""Collect networks, names or mailboxes, one by one, into the set with which a condition is compared.

For the entries of a list, which config/list_files.py reads from its file. Common forms of entries have a fast path; all others go
through config/value_parsers.py. The fast path must never accept an entry that value_parsers.py refuses, nor read it differently.
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

_PACK_AT = 150_000  # networks
_HOST4 = {"": 0} | {str(length): (1 << (32 - length)) - 1 for length in range(33)}
_HOST6 = {"": 0} | {str(length): (1 << (128 - length)) - 1 for length in range(129)}
_MAPPED = 0xFFFF  # bits 32 to 47 of an IPv4-mapped address (RFC 4291 2.5.5.2), or of a network around such addresses
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# The last label begins with a letter, so that it is not a number and the name is not an address.
_NAME = re.compile(rf"\.?(?:{_LABEL}\.)*[a-z](?:[a-z0-9_-]{{0,61}}[a-z0-9_])?\Z")
_MAILBOX = re.compile(rf"[a-z0-9_+=-][a-z0-9_+=.-]{{0,63}}@(?:{_LABEL}\.)*[a-z](?:[a-z0-9_-]{{0,61}}[a-z0-9_])?\Z")


class Collector(Protocol):
    """The interface of the collectors."""

    def add(self, entry: str) -> None:
        """Add an entry. Raises ValueError with the reason."""

    def collected(self) -> Values:
        """Return the set. To be called once, at the end."""


class NetworkCollector:
    """Collects addresses and networks. To limit memory, they are packed into a set whenever there are _PACK_AT of them."""

    def __init__(self) -> None:
        self._v4: list[Range] = []
        self._v6: list[Range] = []
        self._packed: list[Networks] = []

    def add(self, entry: str) -> None:
        """Add an address or network. Raises ValueError with the reason."""
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
        if len(self._v4) + len(self._v6) >= _PACK_AT:
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
        """Return the set."""
        self._pack()
        return self._packed[0] if len(self._packed) == 1 else Networks.union(self._packed)


class NameCollector:
    """Collect names and suffixes. `read`: reads entries that are not in the common form."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._names: list[str] = []

    def add(self, entry: str) -> None:
        """Add a name or suffix. Raises ValueError with the reason."""
        name = entry.lower()
        is_common = entry.isascii() and len(entry) <= MAX_NAME and _NAME.match(name)
        self._names.append(name if is_common else self._read(entry))

    def collected(self) -> Names:
        """Return the set."""
        return names_of(self._names)


class MailboxCollector:
    """Collect mailboxes, domains and suffixes. `read`: reads entries that are not in the common form."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._mailboxes: list[str] = []

    def add(self, entry: str) -> None:
        """Add a mailbox, domain or suffix. Raises ValueError with the reason."""
        mailbox = entry.lower()
        is_common = entry.isascii() and len(entry) <= MAX_NAME and _MAILBOX.match(mailbox)
        self._mailboxes.append(mailbox if is_common else self._read(entry))

    def collected(self) -> Mailboxes:
        """Return the set."""
        return mailboxes_of(self._mailboxes)


def names_of(names: list[str]) -> Names:
    """Return the set of canonical names and of suffixes, which have a leading dot."""
    suffixes = [name for name in names if name.startswith(".")]
    return Names(text_set(name for name in names if not name.startswith(".")), text_set(suffixes))


def mailboxes_of(mailboxes: list[str]) -> Mailboxes:
    """Return the set of mailboxes, which are in the form that read_mailbox returns."""
    addresses = text_set(each for each in mailboxes if "@" in each and not each.endswith("@"))
    local = text_set(each[:-1] for each in mailboxes if each.endswith("@"))
    domains = names_of([each for each in mailboxes if "@" not in each and each != "<>"])
    return Mailboxes(addresses, local, domains, "<>" in mailboxes)
