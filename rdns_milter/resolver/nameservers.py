"""The name servers to ask: those of the config, else those of the system.

Reads resolv.conf as the C library does: usable nameserver lines are taken, all else is ignored, whatever bytes it is made of.
`SystemNameservers` finds out when the file has changed. Asks no name server.

resolv.conf(5), RFC 4007 11 (zones of addresses).
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence

from ..net.endpoints import DNS_PORT, Endpoint, parse_server_address

RESOLV_CONF = "/etc/resolv.conf"
MAX_SERVERS = 3  # MAXNS of <resolv.h>: further lines are ignored
MAX_RESOLV_CONF = 65_536  # octets that are read

# The keyword begins the line; what follows upon the address is ignored; a NUL ends the line for C.
_LINE = re.compile(rb"^nameserver[ \t]+([^ \t\n\0]+)", re.MULTILINE)


class NoNameservers(Exception):
    """There is no name server to ask; the text says why."""


def nameservers(configured: Sequence[Endpoint], resolv_conf: str = RESOLV_CONF) -> tuple[Endpoint, ...]:
    """The configured servers, or, if there are none, the system's. Raises NoNameservers."""
    if configured:
        return tuple(configured)
    try:
        with open(resolv_conf, "rb") as file:
            octets = file.read(MAX_RESOLV_CONF)
    except OSError as error:
        raise NoNameservers(f"{resolv_conf} cannot be read ({error.strerror}); set dns.nameservers") from error
    servers = parse_resolv_conf(octets)
    if not servers:
        raise NoNameservers(f"{resolv_conf} names no usable name server; set dns.nameservers")
    return servers


def parse_resolv_conf(octets: bytes) -> tuple[Endpoint, ...]:
    """The servers of the first MAX_SERVERS usable nameserver lines, each once."""
    found = (_address(text.decode("ascii", "replace")) for text in _LINE.findall(octets))
    usable = [host for host in found if host is not None][:MAX_SERVERS]
    return tuple(Endpoint(host, DNS_PORT) for host in dict.fromkeys(usable))


def _address(text: str) -> str | None:
    """The address as the C library reads it: an IPv4 address in any of inet_aton's forms, or an IPv6 address with or without a
    zone; None for anything else."""
    if text.split() != [text]:  # Python's inet_aton, unlike the C library here, allows blanks behind the address
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        return parse_server_address(text)


class SystemNameservers:
    """Notices that resolv.conf has changed: one stat(2) for each look, nothing for a question. A file that is being written is
    read only once it has been the same at two looks."""

    __slots__ = ("_path", "_read", "_seen")

    def __init__(self, path: str = RESOLV_CONF) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._read: tuple[int, ...] | None = None

    def look(self, configured: Sequence[Endpoint]) -> tuple[Endpoint, ...] | None:
        """The system's servers if the file is new since the last look that returned some, or raised; else None, as always when
        servers are configured. Raises NoNameservers, once for each state of the file: the servers that are known are to be kept."""
        if configured:
            return None
        state = _state(self._path)
        if state == self._read:
            return None
        if state != self._seen:
            self._seen = state
            return None
        self._read = state
        return nameservers((), self._path)


def _state(path: str) -> tuple[int, ...]:
    """What changes with each version of the file, whether it is written in place or replaced; () if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
