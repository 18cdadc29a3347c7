"""What the conditions of a rule are compared with: how an admin writes it, and what it becomes.

Pure. Knows no file: named lists come as the entries that were in them. Rules and list files share the readers here, so that
a value means the same in both.

DESIGN section 4; RFC 4632 3.1 (CIDR), RFC 5321 4.1.2 (mailboxes), RFC 5891 (names outside ASCII).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from types import MappingProxyType
from typing import Any

from .evidence import FACTS
from .mistakes import nearest
from .names import canonical, is_domain, is_hostname, is_special_use, parse_address, parse_literal, parse_mailbox
from .networks import Network, Networks, parse_network
from .policy import CONDITIONS, Mailboxes, Names, Values, Words
from .toml import quoted

_PREFIX = re.compile(r"[^/%]+(?:/[0-9]{1,3})?\Z")
_LOCAL = re.compile(r"""(?:"(?:[^"\\]|\\.)+"|[^\s"()<>,;:\\@]+)\Z""")


def read_network(text: str) -> Network:
    """The network of an address or a CIDR prefix. Raises ValueError; where host bits are set it says what could be meant."""
    try:
        if _PREFIX.match(text):
            return parse_network(text)
    except ValueError:
        address, _, _ = text.partition("/")
        if parse_address(address) is not None:
            raise ValueError(_bad_prefix(text)) from None
    raise ValueError(f"{quoted(text)} is neither an address nor a network (192.0.2.0/24, 2001:db8::/32)")


def _bad_prefix(text: str) -> str:
    try:
        meant, host = ip_network(text, strict=False), ip_interface(text).ip
    except ValueError:
        return f"{quoted(text)}: the prefix is longer than an address of that family"
    return f'{quoted(text)} has host bits set; did you mean the network "{meant}" or the address "{host}"?'


def read_name(text: str) -> str:
    """The canonical form of a host name, or of a ".suffix", with its dot. Raises ValueError."""
    if text.startswith("*."):
        raise ValueError(f"{quoted(text)}: for all names below a domain write {quoted(text[1:])}")
    dot = "." if text.startswith(".") else ""
    name = canonical(text.removeprefix("."))
    if not is_hostname(name):
        raise ValueError(f'{quoted(text)} is no host name ("mx.example.com") and no suffix (".example.com")')
    return dot + name


def read_greeting(text: str) -> str:
    """As read_name, and the addresses and address literals with which some clients greet (RFC 5321 4.1.3)."""
    if parse_literal(text) is not None or parse_address(text) is not None:
        return canonical(text)
    return read_name(text)


def read_mailbox(text: str) -> str:
    """The canonical form of "user@dom", "user@", "dom", ".dom" or "<>". Raises ValueError."""
    if text == "<>":
        return text
    if text.startswith("<"):
        raise ValueError(f"{quoted(text)}: write it without angle brackets")
    if "@" not in text:
        return _mail_domain(text)
    mailbox = parse_mailbox(text)
    if not _LOCAL.match(mailbox.local) or not mailbox.local.isprintable():
        raise ValueError(f'{quoted(text)} is no address; for everyone in a domain write "dom", for below it ".dom"')
    if text.endswith("@"):
        return f"{mailbox.local.lower()}@"
    if not is_hostname(mailbox.domain) and parse_literal(mailbox.domain) is None:
        raise ValueError(f"{quoted(text)} has no valid domain after the @")
    return f"{mailbox.local.lower()}@{mailbox.domain}"


def read_recipient(text: str) -> str:
    """As read_mailbox, but no recipient is the null path."""
    if text == "<>":
        raise ValueError('"<>" is a sender (mailfrom); no recipient has it')
    return read_mailbox(text)


def _mail_domain(text: str) -> str:
    name = read_name(text)
    if not name.startswith(".") and not is_domain(name) and not is_special_use(name):
        raise ValueError(f'{quoted(text)} is no domain; for that user in every domain write "{name}@"')
    return name


def _names(values: Iterable[str]) -> Names:
    every = frozenset(values)
    suffixes = frozenset(name for name in every if name.startswith("."))
    return Names(every - suffixes, suffixes)


def _mailboxes(values: Iterable[str]) -> Mailboxes:
    every = frozenset(values)
    whole = frozenset(value for value in every if "@" in value and not value.endswith("@"))
    local = frozenset(value[:-1] for value in every if value.endswith("@"))
    domains = (value for value in every if "@" not in value and value != "<>")
    return Mailboxes(whole, local, _names(domains), "<>" in every)


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of a condition are read. `wants`: what they are, for messages; `read`: one of them (raises ValueError);
    `gather`: all of them; `listed`: whether they may stand in a list file."""

    wants: str
    read: Callable[[str], Any]
    gather: Callable[[Iterable[Any]], Values]
    listed: bool = True


def _fact(words: tuple[str, ...]) -> Kind:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{quoted(text)} is no value of it{nearest(text, words)}")
        return text

    return Kind(
        f"one or more of {', '.join(map(quoted, words))}", read, lambda found: Words(frozenset(found)), listed=False
    )


NETWORKS = Kind("addresses, networks or an @list", read_network, Networks)
PTR_NAMES = Kind("names, suffixes or an @list", read_name, _names)
GREETINGS = Kind("names, suffixes or an @list", read_greeting, _names)
SENDERS = Kind('"user@dom", "user@", "dom", ".dom", "<>" or an @list', read_mailbox, _mailboxes)
RECIPIENTS = Kind('"user@dom", "user@", "dom", ".dom" or an @list', read_recipient, _mailboxes)

# The conditions whose values are one text or a list of texts.
TEXTUAL: Mapping[str, Kind] = MappingProxyType(
    {
        **{name: _fact(fact.words) for name, fact in FACTS.items()},
        "client": NETWORKS,
        "ptr": PTR_NAMES,
        "helo_name": GREETINGS,
        "mailfrom": SENDERS,
        "rcpt": RECIPIENTS,
    }
)


def read_truth(value: Any) -> bool:
    """True or false. Raises ValueError for anything else."""
    if isinstance(value, bool):
        return value
    meant = _MEANT.get(value) if isinstance(value, str) else None
    raise ValueError(f"wants true or false, not {quoted(value)}{f'; did you mean {meant}?' if meant else ''}")


_MEANT = MappingProxyType({"yes": "true", "true": "true", "no": "false", "false": "false"})


def read_number(value: Any) -> float:
    """A finite number of reasonable size. Raises ValueError for anything else, True and False included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"wants a number, not {quoted(value)}")
    if not abs(value) <= 1e6:  # NaN too
        raise ValueError(f"{quoted(value)} is outside -1000000 to 1000000")
    return float(value)


# The conditions that have exactly one value.
SINGLE: Mapping[str, Callable[[Any], bool | float]] = MappingProxyType(
    {"authenticated": read_truth, "tls": read_truth, "min_score": read_number}
)

# All conditions that a rule may name, facts first.
NAMES: tuple[str, ...] = (*FACTS, *CONDITIONS)
assert TEXTUAL.keys() | SINGLE.keys() == set(NAMES)
