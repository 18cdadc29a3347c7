"""Macros: the values that an MTA sends to a milter beside the protocol's own arguments, by stage.

The default lists of Postfix 3.7 and Sendmail 8.17 (without the lists that a milter itself asks for), and the values that an MTA
has of a client. Names are kept without braces; `braced` adds them for the wire.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.kit.milter.packets import octets
from tests.kit.smtp.client_identity import Client

Macros = Mapping[str, str | bytes]

_TLS = ("tls_version", "cipher", "cipher_bits", "cert_subject", "cert_issuer")
DEFAULT_LISTS: dict[str, dict[str, tuple[str, ...]]] = {
    "postfix": {
        "connect": ("j", "daemon_name", "daemon_addr", "v", "_"),
        "helo": _TLS,
        "mail": ("i", "auth_type", "auth_authen", "auth_author", "mail_addr", "mail_host", "mail_mailer"),
        "rcpt": ("i", "rcpt_addr", "rcpt_host", "rcpt_mailer"),
        "data": ("i",),
        "eoh": ("i",),
        "end": ("i",),
    },
    "sendmail": {
        "connect": ("j", "_", "daemon_name", "if_name", "if_addr"),
        "helo": _TLS,
        "mail": ("i", "auth_type", "auth_authen", "auth_ssf", "auth_author", "mail_mailer", "mail_host", "mail_addr"),
        "rcpt": ("rcpt_mailer", "rcpt_host", "rcpt_addr"),
        "end": ("msg_id",),
    },
}
MTA_ITSELF: Macros = {
    "j": "mx.test.example",
    "v": "Kit 1",
    "daemon_name": "mx.test.example",
    "daemon_addr": "127.0.0.1",
    "daemon_port": "25",
}


def bare(name: str) -> str:
    return name.removeprefix("{").removesuffix("}")


def braced(name: str) -> str:
    """Return the name as it is sent: a single letter as it is, longer names in braces."""
    return name if len(name) == 1 else "{" + bare(name) + "}"


def known(values: Macros) -> dict[str, bytes]:
    return {bare(name): octets(value) for name, value in values.items()}


def of_client(client: Client) -> Macros:
    """Return the macros that Postfix has of the client."""
    address = client.address.removeprefix("IPv6:")
    reverse = client.reverse_name or client.name
    forged = " (may be forged)" if reverse and not client.name else ""
    values = {
        "client_addr": f"IPv6:{address}" if client.is_ipv6 else address,
        "client_name": client.name or "unknown",
        "client_port": str(client.port),
        "client_ptr": reverse or "unknown",
        "client_resolve": client.resolve,
        "_": f"{reverse or 'unknown'} [{address}]{forged}",
    }
    if client.login:
        values |= {"auth_authen": client.login, "auth_type": "PLAIN"}
    return values
