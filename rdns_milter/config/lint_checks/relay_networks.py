"""Lint check: networks in [relays] with hosts that are not the administrator's own.

Pure.

packaging/SECURITY.md (What is trusted).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ...text.toml_positions import Path
from ..load import Config

Problem = tuple[Path, str, str]  # path, reference and text of a warning

_MAX_RELAYS = 1 << 16  # addresses of a network in relays.networks


def relays_of_others(config: Config, today: date) -> Iterator[Problem]:
    """Find loopback in relays.networks, and networks that cannot be the administrator's own hosts."""
    for index, network in enumerate(config.relays.networks):
        first = network.network_address
        size = network.num_addresses if network.version == 4 else network.num_addresses >> 64  # an IPv6 host has a /64
        if size > _MAX_RELAYS and not network.is_private:
            yield (
                ("relays", "networks", index),
                "",
                f"relays.networks contains {network}, which is more than your own hosts: what every host in it writes about a"
                " client is believed, and none of their mail is refused",
            )
        if first.is_loopback:
            yield (
                ("relays", "networks", index),
                "",
                f"relays.networks contains {network}, loopback: every program on this host can name any client; mail from such"
                " programs is better exempt (exempt.networks)",
            )
