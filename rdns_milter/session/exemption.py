"""Find out which clients are not judged, and which hosts are trusted. Trusted hosts may send results in our name.

Pure. A client that is not judged is not necessarily trusted: fields of clients in [exempt] are removed like those of any other.

RFC 8601 5 (which results are removed), packaging/SECURITY.md (What is trusted).
"""

from __future__ import annotations

from ..config.load import Config
from ..config.sections.headers import Headers
from ..net.names import Address


def exemption_of_client(client: Address | None, config: Config) -> str:
    """Return why a client is not judged; "" if it is judged."""
    if client is None:
        return "not-ip"
    return "network" if client in config.exempt.networks else ""


def exemption_of_message(of_client: str, authenticated: bool, config: Config) -> str:
    """Return why a message is not judged; "" if it is judged. `of_client`: why its client is not judged, or ""; `authenticated`:
    the client has logged in."""
    if not of_client and authenticated and config.exempt.authenticated:
        return "authenticated"
    return of_client


def is_trusted(client: Address | None, headers: Headers) -> bool:
    """Return whether a client is in headers.trusted_networks: its fields that claim to be ours are kept."""
    return client is not None and client in headers.trusted_networks
