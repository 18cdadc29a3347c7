"""Read strings of the configuration: networks, names, mailboxes, patterns, names of header fields.

Pure. Each function returns the canonical form, by which values are compared, or raises ValueError with the reason and, where
possible, a suggestion.

RFC 4632 3.1 (CIDR), RFC 1123 2.1 and 5891 (names), RFC 5321 4.1.2 (mailboxes), RFC 8601 2.5 (authserv-id).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from ipaddress import ip_interface, ip_network
from typing import TypeVar

from ..net.mailboxes import parse_mailbox
from ..net.names import Address, canonical, is_domain, is_hostname, is_special_use, parse_address, parse_literal
from ..net.networks import Network, parse_network
from ..text.toml import quoted
from .hints.value_hints import MAILBOX, NAME, NETWORK, hint

_Value = TypeVar("_Value")
_MAX_PATTERN = 500  # characters
_PREFIX = re.compile(r"[^/%]+(?:/[0-9]{1,3})?\Z")
_WILDCARD = re.compile(r"[*?]|\A[%^]")
_LOCAL = re.compile(r"""(?:"(?:[^"\\]|\\.)+"|[^\s"()<>,;:\\@]+)\Z""")
# Fields with a meaning of their own. As a tag they would claim something about the message that the milter has not checked.
_STANDARD_FIELDS = frozenset(
    (
        "authentication-results", "bcc", "cc", "content-type", "date", "from", "message-id", "received",
        "received-spf", "reply-to", "return-path", "sender", "subject", "to",
    )
)  # fmt: skip


class InvalidValueError(ValueError):
    """A value that cannot be read. The hint is looked for only when the text of the error is needed: a list file can have a million
    invalid entries, and only the first are reported."""

    def __init__(self, message: str, hint: Callable[[], str]) -> None:
        super().__init__(message)
        self._hint = hint

    def __str__(self) -> str:
        return f"{self.args[0]}{self._hint()}"


def _read(text: str, kind: str, read: Callable[[str], _Value]) -> _Value:
    try:
        return read(text)
    except ValueError as error:
        raise InvalidValueError(str(error), lambda: hint(text, kind, read)) from None


def read_network(text: str) -> Network:
    """Read an address or a network in CIDR notation. Raises ValueError. If host bits are set, its text gives the valid
    alternatives."""
    return _read(text, NETWORK, _network)


def _network(text: str) -> Network:
    try:
        if _PREFIX.match(text):
            return parse_network(text)
    except ValueError:
        address, _, _ = text.partition("/")
        if parse_address(address) is not None:
            raise ValueError(_prefix_error(text)) from None
    raise ValueError(f"{quoted(text)} is neither an address nor a network (192.0.2.0/24, 2001:db8::/32)")


def _prefix_error(text: str) -> str:
    try:
        network, host = ip_network(text, strict=False), ip_interface(text).ip
    except ValueError:
        return f"{quoted(text)}: the prefix is longer than an address of that family"
    return f'{quoted(text)} has host bits set; did you mean the network "{network}" or the address "{host}"?'


def write_network(network: Network) -> str:
    """Return a network as it is written in the configuration: a single address without its prefix length."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def read_name(text: str) -> str:
    """Read a host name, or a suffix with its leading dot. Raises ValueError."""
    return _read(text, NAME, _name)


def _name(text: str) -> str:
    dot = "." if text.startswith(".") else ""
    name = canonical(text.removeprefix("."))
    if not is_hostname(name):
        raise ValueError(f'{quoted(text)} is neither a host name ("mx.example.com") nor a suffix (".example.com")')
    return dot + name


def read_domain(text: str) -> str:
    """Read a domain, such as one with an SPF record. Raises ValueError."""
    name = canonical(text)
    if not is_domain(name):
        raise ValueError(f'{quoted(text)} is not a domain such as "_spf.example.com"')
    return name


def read_greeting(text: str) -> str:
    """Read a name as read_name does, or an address or address literal, which some clients send in HELO (RFC 5321 4.1.3)."""
    return _read(text, NAME, _greeting)


def _greeting(text: str) -> str:
    if parse_literal(text) is not None or parse_address(text) is not None:
        return canonical(text)
    return _name(text)


def read_mailbox(text: str) -> str:
    """Read "user@dom", "user@", "dom", ".dom" or "<>". Raises ValueError. A local part with a wildcard must be in quotes: no real
    address has one, and other programs would take it for a pattern."""
    return _read(text, MAILBOX, _mailbox)


def _mailbox(text: str) -> str:
    if text == "<>":
        return text
    if "@" not in text:
        return _mail_domain(text)
    mailbox = parse_mailbox(text)
    if not mailbox.readable or not _LOCAL.match(text.rpartition("@")[0]) or not mailbox.local.isprintable():
        raise ValueError(f"{quoted(text)} is not a mailbox")
    if _WILDCARD.search(mailbox.local) and not text.lstrip().startswith('"'):
        raise ValueError(f"{quoted(text)} would match that very mailbox only: wildcards are not possible")
    if text.endswith("@"):
        return f"{mailbox.local.lower()}@"
    if not is_hostname(mailbox.domain) and parse_literal(mailbox.domain) is None:
        raise ValueError(f"{quoted(text)} has no valid domain after the @")
    return f"{mailbox.local.lower()}@{mailbox.domain}"


def read_recipient(text: str) -> str:
    """Read the same as read_mailbox, except "<>"."""
    if text == "<>":
        raise ValueError('"<>" is the null sender (mailfrom); a recipient cannot be "<>"')
    return _read(text, MAILBOX, _recipient)


def _recipient(text: str) -> str:
    if text == "<>":
        raise ValueError
    return _mailbox(text)


def _mail_domain(text: str) -> str:
    name = _name(text)
    if not name.startswith(".") and not is_domain(name) and not is_special_use(name):
        raise ValueError(f'{quoted(text)} is not a domain; for that user in every domain write "{name}@"')
    return name


def read_own_name(text: str) -> str | Address:
    """Read a host name or an address, with or without the brackets of a literal. Raises ValueError."""
    address = parse_literal(text) or parse_address(text)
    if address is not None:
        return address
    name = canonical(text)
    if not is_hostname(name):
        raise ValueError(f"{quoted(text)} is neither a host name nor an address")
    return name


def read_authserv_id(text: str) -> str:
    """Read an authserv-id. Names outside ASCII become A-labels. Raises ValueError."""
    name = text if text.isascii() else canonical(unicodedata.normalize("NFC", text))
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name):
        raise ValueError(f"{quoted(text)} is not an authserv-id: only letters, digits, dots, hyphens and underscores")
    return name


def read_pattern(text: str) -> re.Pattern[str]:
    """Read a regular expression. Raises ValueError."""
    if len(text) > _MAX_PATTERN:
        raise ValueError(f"the pattern has {len(text)} characters; the maximum is {_MAX_PATTERN}")
    try:
        return re.compile(text, re.IGNORECASE | re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{quoted(text)} is not a regular expression: {error}") from None


def read_field_name(text: str) -> str:
    """Read the name of a header field that the milter may add, or the empty string. Raises ValueError."""
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", text):
        raise ValueError(f"{quoted(text)} is not the name of a header field")
    if text.lower() in _STANDARD_FIELDS:
        raise ValueError(f"{quoted(text)} is a standard field; use a name of your own, such as X-Rdns-Milter")
    return text
