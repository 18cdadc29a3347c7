"""Addresses of services in the configuration: the milter's socket, name servers, the metrics server.

Pure: opens no socket and looks up no name. Never assumes a missing host: nothing listens on every address unless the configuration
says so.

RFC 3986 3.2.2 (IPv6 in brackets before a port). The milter's socket is written as in Postfix and Sendmail.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..text.toml import quoted
from .names import canonical, is_hostname, parse_address

DNS_PORT = 53
_MAX_UNIX_PATH = 107  # bytes of sun_path, without the final NUL
_HOST_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<host>[^\[\]:]*))(?::(?P<port>[^:]*))?\Z")
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,15}")  # the name of an interface has at most 15 bytes (IFNAMSIZ)
_PORT = re.compile(r"[0-9]{1,5}\Z")


class Endpoint(NamedTuple):
    """A port of a host. `host`: an address, or a name where names are allowed."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SocketAddress(NamedTuple):
    """The address of the milter's socket. `family`: "inet" or "inet6" with host and port, or "unix" with a path."""

    family: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.family == "unix" else f"{self.family}:{self.port}@{self.host}"


def parse_socket_address(text: str) -> SocketAddress:
    """Parse "inet:PORT@HOST", "inet6:PORT@HOST", "unix:/PATH" or "local:/PATH". Raises ValueError with the reason, also for a
    missing host (that would be any address), a port outside 1 to 65535, and a path that is relative or too long."""
    family, colon, rest = text.partition(":")
    if not colon or family not in ("inet", "inet6", "unix", "local"):
        raise ValueError(
            f'{quoted(text)} is not a socket address; write "inet:8895@127.0.0.1" or'
            ' "unix:/run/rdns-milter/rdns-milter.sock"'
        )
    if family in ("unix", "local"):
        return SocketAddress("unix", path=_unix_path(rest))
    number, _, host = rest.partition("@")
    port = _port(number)
    loopback = "127.0.0.1" if family == "inet" else "::1"
    if not host:
        raise ValueError(f'{quoted(text)} would listen on every address; name the host: "{family}:{port}@{loopback}"')
    return SocketAddress(family, _host(host.removeprefix("[").removesuffix("]"), 4 if family == "inet" else 6), port)


def parse_nameserver(text: str) -> Endpoint:
    """Parse the address of a name server: "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353", "fe80::1%eth0". Raises
    ValueError."""
    address = parse_server_address(text)
    if address is not None:
        return Endpoint(address, DNS_PORT)
    match = _HOST_PORT.match(text)
    address = parse_server_address(match["bracketed"] or match["host"] or "") if match else None
    if match is None or address is None:
        raise ValueError(
            f'{quoted(text)} is not an address of a name server; write "127.0.0.1", "127.0.0.1:5353" or "[::1]:53"'
        )
    return Endpoint(address, DNS_PORT if match["port"] is None else _port(match["port"]))


def parse_server_address(text: str) -> str | None:
    """Return an IP address in canonical text, an IPv6 address with its zone if it has one, as in "fe80::1%eth0" (RFC 4007 11); None
    for anything else. The interface need not exist yet: a missing one is an error when the socket is made."""
    host, percent, zone = text.partition("%")
    address = parse_address(host)
    if address is None or (percent and (not _ZONE.fullmatch(zone) or address.version != 6)):
        return None
    return f"{address}%{zone}" if percent else str(address)


def parse_host_port(text: str) -> Endpoint:
    """Parse "127.0.0.1:9415", "[::1]:9415" or "localhost:9415". Raises ValueError, also for a missing host."""
    match = _HOST_PORT.match(text)
    if match is None or not match["port"]:
        raise ValueError(f'{quoted(text)} is not HOST:PORT; write "127.0.0.1:9415"')
    port = _port(match["port"])
    host = match["bracketed"] or match["host"]
    if not host:
        raise ValueError(f'{quoted(text)} would listen on every address; name the host: "127.0.0.1:{port}"')
    return Endpoint(_host(host, 6 if match["bracketed"] else 4), port)


def _port(text: str) -> int:
    if not _PORT.match(text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"{quoted(text)} is not a port number (1 to 65535)")
    return int(text)


def _host(text: str, version: int) -> str:
    """Return the host's name, or its address, which must be of that IP version. Raises ValueError."""
    address = parse_address(text)
    if address is not None:
        if address.version != version:
            raise ValueError(f"{address} is an IPv{address.version} address; an IPv{version} address is needed here")
        return str(address)
    name = canonical(text)
    if not is_hostname(name):
        raise ValueError(f"{quoted(text)} is neither an address nor a host name")
    return name


def _unix_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{quoted(path)} is not an absolute path")
    if not path.isprintable() or len(path.encode(errors="replace")) > _MAX_UNIX_PATH:
        raise ValueError(f"the path of a unix socket has at most {_MAX_UNIX_PATH} bytes and no control characters")
    return path
