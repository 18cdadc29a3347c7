"""Find the name servers to use: those of the configuration, or else those of the system.

Reads resolv.conf as the C library does: takes the usable nameserver lines and ignores all else, whatever bytes it consists of.
`SystemNameservers` notices changes of the file. Sends no query.

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
MAX_RESOLV_CONF = 65_536  # bytes that are read

# The keyword is at the start of the line, and what follows the address is ignored. For C a NUL ends the line.
_LINE = re.compile(rb"^nameserver[ \t]+([^ \t\n\0]+)", re.MULTILINE)


class NoNameservers(Exception):
    """There is no name server to use; the text says why."""


def nameservers(configured: Sequence[Endpoint], resolv_conf: str = RESOLV_CONF) -> tuple[Endpoint, ...]:
    """Return the configured servers, or the system's if there are none. Raises NoNameservers."""
    if configured:
        return tuple(configured)
    try:
        with open(resolv_conf, "rb") as file:
            content = file.read(MAX_RESOLV_CONF)
    except OSError as error:
        raise NoNameservers(f"{resolv_conf} cannot be read ({error.strerror}); set dns.nameservers") from error
    servers = parse_resolv_conf(content)
    if not servers:
        raise NoNameservers(f"{resolv_conf} names no usable name server; set dns.nameservers")
    return servers


def parse_resolv_conf(content: bytes) -> tuple[Endpoint, ...]:
    """Return the servers of the first MAX_SERVERS usable nameserver lines, each once."""
    found = (_address(text.decode("ascii", "replace")) for text in _LINE.findall(content))
    usable = [host for host in found if host is not None][:MAX_SERVERS]
    return tuple(Endpoint(host, DNS_PORT) for host in dict.fromkeys(usable))


def _address(text: str) -> str | None:
    """Return the address as the C library reads it: an IPv4 address in any form of inet_aton, or an IPv6 address with or without a
    zone; None for anything else."""
    if text.split() != [text]:  # Python's inet_aton, unlike the C library's here, accepts blanks after the address
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        return parse_server_address(text)


class SystemNameservers:
    """Watches resolv.conf with one stat(2) for each poll. A file that is still being written is not read: its state must be the
    same at two polls."""

    __slots__ = ("_path", "_read", "_seen")

    def __init__(self, path: str = RESOLV_CONF) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._read: tuple[int, ...] | None = None

    def poll(self, configured: Sequence[Endpoint]) -> tuple[Endpoint, ...] | None:
        """Return the system's servers if the file has changed since the last poll that returned servers or raised. Return None if
        it has not changed, or if servers are configured. Raises NoNameservers, once for each state of the file; the caller then
        keeps the servers that it has."""
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
    """Return values that change with each version of the file, whether it is written in place or replaced; () if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
