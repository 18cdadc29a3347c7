"""Long list files of networks; the same for the same arguments."""

from __future__ import annotations

import random
from collections.abc import Iterator


def networks(count: int, seed: int = 1) -> Iterator[str]:
    """Return this number of lines: addresses and networks, a tenth of them IPv6. None contains a client of
    tests.kit.data.scenario."""
    rng = random.Random(seed)
    for number in range(count):
        bits = rng.getrandbits(28)
        if number % 10 == 0:
            yield f"2001:db8:{bits >> 16:x}:{bits & 65535:x}::/64\n"
        elif number % 3:
            yield f"{32 + (bits >> 24)}.{bits >> 16 & 255}.{bits >> 8 & 255}.{bits & 255}\n"
        else:
            yield f"{48 + (bits >> 24)}.{bits >> 16 & 255}.{bits >> 8 & 255}.0/24\n"
