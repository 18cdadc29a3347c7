"""Find decisions in a log by the argument WHAT of `why`: a queue id, an address, a domain, a host or a network.

Pure. Must never miss a matching decision: the quick test on the text of a line only rules out lines that cannot match.

RFC 5321 section 4.1.2 (mailboxes); RFC 5891 section 4 (A-labels).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...logs.decision_keys import NULL_PATH
from ...logs.logged_evidence import rcpts_of
from ...net.mailboxes import Mailbox, parse_mailbox
from ...net.names import canonical, parse_address
from ...net.networks import Network, parse_network

Fields = Mapping[str, str]

_QUEUE_ID = re.compile(r"[A-Za-z0-9]{5,64}")
_HOST = re.compile(r'(?:client|via)(?:=|":")([0-9A-Fa-f.:]+)')
_SIMPLE = re.compile(r"[a-z0-9._+-]+")  # written into a log line unchanged


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """A test for decisions. `kind`: in words, which kind of argument WHAT is; `may_match`: returns False for a line that cannot
    match; `matches`: returns True for a parsed decision that matches."""

    kind: str
    may_match: Callable[[str], bool]
    matches: Callable[[Fields], bool]


def decision_filter(what: str) -> DecisionFilter:
    """Return the filter for WHAT. Raises ValueError for a text that has none of the forms."""
    text = what.strip()
    if text in (NULL_PATH, '""'):
        return DecisionFilter(
            "the null sender <>", lambda line: NULL_PATH in line, lambda fields: fields.get("mailfrom") == NULL_PATH
        )
    if (address := parse_address(text.strip("[]"))) is not None:
        return DecisionFilter(
            f"the client {address}", _containing(str(address)), lambda fields: _is_client(fields, str(address))
        )
    if "/" in text:
        return _of_network(parse_network(text))
    if "@" in text:
        return _of_address(text)
    if "." in text.strip("."):
        return _of_name(text)
    if _QUEUE_ID.fullmatch(text):
        return DecisionFilter(
            f"the queue id {text}", lambda line: text in line, lambda fields: fields.get("qid") == text
        )
    raise ValueError(
        f"{what!r} is no queue id, no address (user@example.com), no domain or host name, no client address and no network"
    )


def _any_line(line: str) -> bool:
    return True


def _containing(needle: str) -> Callable[[str], bool]:
    """Return a case-insensitive test for the needle. It accepts every line if the log may spell the needle differently."""
    needle = needle.lower()
    if not (_SIMPLE.fullmatch(needle) or parse_address(needle)) or "xn--" in needle:
        return _any_line
    return lambda line: needle in line or needle in line.lower()


def _is_client(fields: Fields, client: str) -> bool:
    return client in (fields.get("client"), fields.get("via"))


def _of_network(network: Network) -> DecisionFilter:
    @functools.lru_cache(maxsize=65_536)
    def is_in(text: str) -> bool:
        address = parse_address(text)
        return address is not None and address.version == network.version and address in network

    def may_match(line: str) -> bool:
        return any(map(is_in, _HOST.findall(line)))

    return DecisionFilter(
        f"clients in {network}",
        may_match,
        lambda fields: any(is_in(fields.get(key, "")) for key in ("client", "via")),
    )


def _of_address(text: str) -> DecisionFilter:
    """Return the filter for senders and recipients: `user@example.com`, `user@`, or `@example.com` for all of a domain."""
    asked = parse_mailbox(text.removesuffix("@") if text.endswith("@") else text)
    if text.startswith("@"):
        domain = canonical(text[1:])
        asked = Mailbox("", domain)
    if not asked.readable or not (asked.local or asked.domain):
        raise ValueError(f"{text!r} is no address such as user@example.com")

    @functools.lru_cache(maxsize=65_536)
    def is_meant(path: str) -> bool:
        if path in ("", NULL_PATH):
            return False
        found = parse_mailbox(path)
        return (not asked.local or found.local.lower() == asked.local.lower()) and (
            not asked.domain or found.domain == asked.domain
        )

    def matches(fields: Fields) -> bool:
        return is_meant(fields.get("mailfrom", "")) or any(map(is_meant, rcpts_of(fields)))

    tests = [_containing(part) for part in (asked.domain, asked.local) if part]
    return DecisionFilter(f"the address {text}", lambda line: all(test(line) for test in tests), matches)


def _of_name(text: str) -> DecisionFilter:
    """Return the filter for a name and all names below it: domains of senders and recipients, and hosts."""
    name = canonical(text.strip("."))
    if not name:
        raise ValueError(f"{text!r} is no domain and no host name")

    def is_meant(found: str) -> bool:
        return found == name or found.endswith(f".{name}")

    # The same names and mailboxes recur in a log.
    @functools.lru_cache(maxsize=65_536)
    def is_mailbox(path: str) -> bool:
        return path not in ("", NULL_PATH) and is_meant(parse_mailbox(path).domain)

    @functools.lru_cache(maxsize=65_536)
    def is_host(text: str) -> bool:
        return is_meant(canonical(text))

    def matches(fields: Fields) -> bool:
        return (
            is_mailbox(fields.get("mailfrom", ""))
            or is_host(fields.get("helo_name", ""))
            or is_host(fields.get("ptr", ""))
            or any(map(is_mailbox, rcpts_of(fields)))
        )

    return DecisionFilter(
        f"the domain or host {name}", _containing(name) if name == text.strip(".").lower() else _any_line, matches
    )
