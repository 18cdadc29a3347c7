"""Networks, names and mailboxes as an admin writes them: from text to the canonical form by which they are compared.

Pure. Raises ValueError with a sentence that says what is wrong and, where it can be told, what was meant.

RFC 4632 3.1 (CIDR), RFC 1123 2.1 and 5891 (names), RFC 5321 4.1.2 (mailboxes).
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import ip_interface, ip_network

from ..net.mailboxes import parse_mailbox
from ..net.names import Address, canonical, is_domain, is_hostname, is_special_use, parse_address, parse_literal
from ..net.networks import Network, parse_network
from ..text.toml import quoted

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
    if not mailbox.readable or not _LOCAL.match(text.rpartition("@")[0]) or not mailbox.local.isprintable():
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


def read_own_name(value: str) -> str | Address:
    """A host name in canonical form, or an address, with or without the brackets of a literal. Raises ValueError."""
    address = parse_literal(value) or parse_address(value)
    if address is not None:
        return address
    name = canonical(value)
    if not is_hostname(name):
        raise ValueError(f"{quoted(value)} is neither a host name nor an address")
    return name


def read_authserv_id(value: str) -> str:
    """An authserv-id; one in letters of other scripts becomes its A-labels. Raises ValueError."""
    name = value if value.isascii() else canonical(unicodedata.normalize("NFC", value))
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name):
        raise ValueError(f"{quoted(value)} is not an authserv-id: a name of letters, digits, dot, hyphen, underscore")
    return name
