"""Look at Sendmail: whether sendmail.cf asks the milter, in which order, for how long, and what it does when the milter is down.

Pure: judges the text of sendmail.cf. The remedies are lines for sendmail.mc, from which sendmail.cf is made.

Sendmail Installation and Operation Guide, 5.11 (X) and the option InputMailFilters; libmilter's T= (C, S, R, E).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...net.endpoints import SocketAddress, parse_socket_address
from ..finding import Finding, bad, ok, warn

SUBJECT = "Sendmail"
SENDMAIL_CF = "/etc/mail/sendmail.cf"
_MAKE = ("make -C /etc/mail", "service sendmail restart")
_FILTER = re.compile(r"^X([\w-]+)\s*,\s*(.*)$", re.MULTILINE)
_ORDER = re.compile(r"^O\s+InputMailFilters\s*=\s*(.*)$", re.MULTILINE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_READ_TIMEOUT = 10.0  # seconds: the default of R in T=
_MC = "in /etc/mail/sendmail.mc: INPUT_MAIL_FILTER(`rdns-milter', `S={}, F=T, T=C:30s;S:15s;R:15s;E:60s')dnl"


@dataclass(frozen=True, slots=True)
class Filter:
    """One X line: the equates S (socket), F (flags: R reject, T tempfail, none accept) and T (timeouts)."""

    name: str
    equates: Mapping[str, str] = field(default_factory=dict)


def parse_filters(text: str) -> tuple[Filter, ...]:
    """Return the milters that sendmail.cf asks, in their order."""
    found = {
        match[1]: Filter(
            match[1],
            {key.strip(): value.strip() for key, _, value in (each.partition("=") for each in match[2].split(","))},
        )
        for match in _FILTER.finditer(text)
    }
    order = _ORDER.search(text)
    names = [each.strip() for each in order[1].split(",")] if order else []
    return tuple(found[name] for name in names if name in found)


def check_sendmail(text: str, socket: SocketAddress, deadline: float) -> Iterator[Finding]:
    """Yield the findings. `socket`: where the milter listens; `deadline`: seconds that a message may wait for the milter."""
    filters = parse_filters(text)
    ours = [at for at, each in enumerate(filters) if _leads_to(each, socket)]
    if not ours:
        others = ", ".join(f"{each.name} ({each.equates.get('S', '?')})" for each in filters)
        yield bad(
            SUBJECT,
            f"sendmail.cf does not ask the milter at {socket}: InputMailFilters {f'names {others} only' if others else 'is empty'}",
            _MC.format(socket),
            *_MAKE,
        )
        return
    entry = filters[ours[0]]
    yield ok(SUBJECT, f"asks the milter at {entry.equates['S']}")
    for each in filters[: ours[0]]:
        yield warn(
            SUBJECT,
            f"the filter {each.name} comes before the milter: it sees neither our results nor our tag",
            f"in /etc/mail/sendmail.mc: the line INPUT_MAIL_FILTER(`{entry.name}', ...) before that of {each.name}",
            *_MAKE,
        )
    flags = entry.equates.get("F", "")
    if "R" in flags:
        yield bad(SUBJECT, "while the milter is down, mail is refused for good (F=R)", _MC.format(socket), *_MAKE)
    else:
        yield ok(
            SUBJECT,
            f"while the milter is down, mail is {'deferred (F=T)' if 'T' in flags else 'accepted without a verdict'}",
        )
    for letter in "SR":
        timeout = _timeout(entry.equates.get("T", ""), letter)
        if timeout <= deadline:
            yield bad(
                SUBJECT,
                f"the timeout {letter} is {timeout:g} s, and a message may wait {deadline:g} s: Sendmail gives up first",
                _MC.format(socket),
                *_MAKE,
            )


def _leads_to(entry: Filter, socket: SocketAddress) -> bool:
    place = entry.equates.get("S", "")
    try:
        found = parse_socket_address(place)
    except ValueError:
        return False
    if found.family == "unix" or socket.family == "unix":
        return found.path == socket.path and found.family == socket.family
    loopback = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")
    return found.port == socket.port and (found.host == socket.host or {found.host, socket.host} <= set(loopback))


def _timeout(text: str, letter: str) -> float:
    match = re.search(rf"(?:\A|;)\s*{letter}:(\d+)([smh]?)", text)
    return float(int(match[1]) * _SECONDS.get(match[2], 1)) if match else _READ_TIMEOUT
