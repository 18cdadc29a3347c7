"""Look at where the metrics are served: only to this host, or also to others.

Reads the configuration only.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...net.endpoints import Endpoint
from ...net.names import parse_address
from ..finding import Finding, ok, warn
from ..remedies import RESTART


def check_metrics(listen: Endpoint | None) -> Iterator[Finding]:
    """Yield the finding on the metrics' listener."""
    if listen is None:
        yield ok("metrics", "are not served (metrics.listen is empty)")
        return
    address = parse_address(listen.host)
    if listen.host == "localhost" or (address is not None and address.is_loopback):
        yield ok("metrics", f"are served at {listen}, on this host only")
    else:
        yield warn(
            "metrics",
            f"are served at {listen}, which is open to other hosts unless a firewall closes it",
            f'in the config file, section [metrics]: listen = "127.0.0.1:{listen.port}"',
            RESTART,
        )
