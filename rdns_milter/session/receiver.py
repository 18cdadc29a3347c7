"""The MTA that has taken a connection: its own names and addresses (`helo_own`), its authserv-id, and its name for SPF.

Pure. What the configuration does not set comes from the MTA, else from this host.

RFC 8601 2.5 (authserv-id), RFC 7208 7.2 (the macro %{r}).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..config.load import Config
from ..net.names import Address, canonical, is_domain, parse_address


@dataclass(slots=True)
class Receiver:
    """The MTA that has taken the connection. `own_names` (canonical), `own_addresses`: no foreign client has one of them;
    `authserv_ids`: all that are ours; `name`: for SPF macros, "" if it has no domain name."""

    own_names: frozenset[str] = frozenset()
    own_addresses: frozenset[Address] = frozenset()
    authserv_ids: tuple[str, ...] = ()
    name: str = ""


def receiver_of(config: Config, hostname: str, own_name: str = "", own_address: str = "") -> Receiver:
    """Return the MTA that calls itself `own_name` (its {j}) and was reached at `own_address`. `hostname`: the name of this host."""
    exempt, host = config.exempt, canonical(own_name)
    address = parse_address(own_address)
    return Receiver(
        frozenset(exempt.own_names) or frozenset((host,) if host else ()),
        frozenset(exempt.own_addresses or ((address,) if address is not None else ())),
        config.headers.authserv_ids or (own_name or hostname,),
        next(filter(is_domain, (host, *exempt.own_names, canonical(hostname))), ""),
    )
