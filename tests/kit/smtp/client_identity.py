"""One SMTP client as a test describes it: address, reverse name, port, login.

The same `Client` is sent to a milter (`tests.kit.milter.transaction`) and to Postfix by XCLIENT (`tests.kit.smtp.smtp_client`),
so that one table of clients serves both. It holds what an MTA knows of a client, and never looks anything up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNAVAILABLE = "[UNAVAILABLE]"
TEMPORARILY_UNAVAILABLE = "[TEMPUNAVAIL]"

_PLAIN_XTEXT = re.compile(rb"[!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Client:
    """`name`: the name that the MTA verified, "" for none; `reverse_name`: the unverified PTR name, "" for the same as `name`.

    `address` may be IPv4, IPv6 (with or without the prefix `IPv6:`), a path (a UNIX socket), or "" (unknown to the MTA).
    `trouble`: the MTA's own lookup of the name failed temporarily. `login`: the name that the client authenticated as.
    """

    address: str = "192.0.2.1"
    name: str = ""
    port: int = 33333
    reverse_name: str = ""
    login: str = ""
    trouble: bool = False

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address

    @property
    def hostname(self) -> str:
        """The client's name in CONNECT: its verified name, else the address in brackets."""
        return self.name or f"[{self.address.removeprefix('IPv6:')}]"

    @property
    def resolve(self) -> str:
        """The value of {client_resolve} (Postfix, Sendmail); with XCLIENT Postfix has FAIL where this has FORGED."""
        if self.name:
            return "OK"
        if self.trouble:
            return "TEMP"
        return "FORGED" if self.reverse_name else "FAIL"

    def xclient(self) -> str:
        """Return the attributes of Postfix's XCLIENT command, xtext-encoded (RFC 3461 4)."""
        missing = TEMPORARILY_UNAVAILABLE if self.trouble else UNAVAILABLE
        address = self.address.removeprefix("IPv6:") or UNAVAILABLE
        attributes = {
            "NAME": self.name or missing,
            "ADDR": f"IPV6:{address}" if self.is_ipv6 else address,
            "PORT": str(self.port),
            "REVERSE_NAME": self.reverse_name or self.name or missing,
        }
        if self.login:
            attributes["LOGIN"] = self.login
        return " ".join(f"{key}={xtext(value)}" for key, value in attributes.items())


def xtext(value: str) -> str:
    """Return `value` with all but plain characters written as +XX (RFC 3461 4)."""
    octets = value.encode("utf-8", "surrogateescape")
    return "".join(chr(o) if _PLAIN_XTEXT.match(bytes([o])) else f"+{o:02X}" for o in octets)
