"""One SMTP client as a test describes it: address, reverse name, port, login.

The same `Client` is sent to a milter (`tests.kit.milter.transaction`) and to Postfix by XCLIENT (`tests.kit.smtp.smtp_client`),
so that one table of clients serves both. It holds what an MTA knows of a client: it sends nothing, and never looks anything up.
"""

from __future__ import annotations

from dataclasses import dataclass


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
