"""Read Postfix's settings: main.cf, the services of master.cf with the parameters that they override, and the lists of milters.

Runs postconf(1), which changes nothing, and parses what it writes. Judges nothing.

postconf(5) smtpd_milters, master(5).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..net.endpoints import SocketAddress
from ..net.names import parse_address
from .host import Host

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Entries of a list of milters: in braces with their own settings, or plain.
_ENTRY = re.compile(r"\{\s*(?P<braced>[^{}]*(?:\{[^{}]*\}[^{}]*)*)\}|(?P<plain>[^\s,{}]+)")
_TIME = re.compile(r"(\d+)([smhdw]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class MilterEntry:
    """One milter of smtpd_milters. `place`: as written; `settings`: those in its braces."""

    place: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """One service of master.cf. `overrides`: parameters that it sets with -o."""

    name: str
    type: str
    chroot: bool
    program: str
    overrides: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}/{self.type}"


@dataclass(frozen=True, slots=True)
class PostfixSettings:
    """`main`: every parameter with its value in force; `services`: those of master.cf."""

    main: Mapping[str, str]
    services: tuple[Service, ...]

    def of(self, service: Service, name: str) -> str:
        """Return a parameter as that service sees it."""
        return service.overrides.get(name, self.main.get(name, ""))

    def from_strangers(self) -> tuple[Service, ...]:
        """Return the smtpd services that serve port 25: `smtp inet`, or `smtpd pass` behind postscreen."""
        behind = any(each.program == "postscreen" for each in self.services)
        return tuple(
            each
            for each in self.services
            if each.program == "smtpd"
            and ((each.type == "pass" and behind) or (each.type == "inet" and _is_port_25(each.name)))
        )


def _is_port_25(name: str) -> bool:
    return name.rpartition(":")[2] in ("smtp", "25")


def read_postfix(host: Host) -> PostfixSettings | None:
    """Return the settings of Postfix; None if there is no Postfix here, or none that is set up."""
    main = host.output("postconf", "-x")
    if main is None:
        return None
    return parse_settings(main, host.output("postconf", "-M") or "", host.output("postconf", "-P") or "")


def parse_settings(main: str, services: str, overrides: str) -> PostfixSettings:
    """Return the settings from what `postconf -x`, `postconf -M` and `postconf -P` write."""
    by_service: dict[str, dict[str, str]] = {}
    for key, value in _pairs(overrides):
        name, _, rest = key.partition("/")
        kind, _, parameter = rest.partition("/")
        by_service.setdefault(f"{name}/{kind}", {})[parameter] = value
    found = []
    for line in services.splitlines():
        columns = line.split()
        if len(columns) >= 8 and not line.startswith("#"):
            name, kind, chroot, program = columns[0], columns[1], columns[4], columns[7]
            found.append(Service(name, kind, chroot == "y", program, by_service.get(f"{name}/{kind}", {})))
    return PostfixSettings(dict(_pairs(main)), tuple(found))


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def parse_milters(text: str) -> tuple[MilterEntry, ...]:
    """Return the milters of a list such as `inet:127.0.0.1:8895, { unix:/a, default_action=accept }`."""
    found = []
    for match in _ENTRY.finditer(text):
        if match["plain"]:
            found.append(MilterEntry(match["plain"]))
            continue
        place, *settings = re.split(r"\s*,\s*|\s+(?=\w+\s*=)", match["braced"].strip())
        pairs = (each.strip("{} ").partition("=") for each in settings)
        found.append(MilterEntry(place, {name.strip(): value.strip() for name, _, value in pairs if name}))
    return tuple(found)


def seconds(text: str) -> float | None:
    """Return the seconds of a Postfix time such as "30s" or "5m"; None for anything else."""
    match = _TIME.fullmatch(text.strip())
    return None if match is None else float(int(match[1]) * _UNITS[match[2]])


def leads_to(place: str, socket: SocketAddress, queue_directory: str, chroot: bool) -> bool:
    """Return whether an entry of smtpd_milters leads to that socket."""
    kind, _, rest = place.partition(":")
    if kind in ("unix", "local"):
        return socket.family == "unix" and real_path(rest, queue_directory, chroot) == posixpath.normpath(socket.path)
    if kind not in ("inet", "inet6") or socket.family == "unix":
        return False
    port, host = _port_and_host(rest)
    return port == str(socket.port) and _same_host(host, socket.host)


def real_path(path: str, queue_directory: str, chroot: bool) -> str:
    """Return where a unix socket of smtpd_milters is: below the queue directory if it is relative, or if smtpd is chrooted."""
    if chroot or not path.startswith("/"):
        path = f"{queue_directory}/{path}"
    return posixpath.normpath(path)


def _port_and_host(text: str) -> tuple[str, str]:
    """Parse `host:port`, as Postfix writes it, or `port@host`, as Sendmail does."""
    if "@" in text:
        port, _, host = text.partition("@")
    else:
        host, _, port = text.rpartition(":")
    return port, host.strip("[]")


def _same_host(one: str, other: str) -> bool:
    if one == other or (one in _LOOPBACK and other in _LOOPBACK):
        return True
    # A milter that listens on every address is reached by each of them.
    any_address = parse_address(other)
    return any_address is not None and any_address.is_unspecified
