"""Look at the clock of this host: whether it agrees with the DNSSEC signatures of the root, and whether it is synchronized.

Reads only. nameserver_probe.py has asked for the signatures before.

RFC 4035 5.3.1 (the validity period of a signature), adjtimex(2).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

from ..finding import Finding, bad, ok, warn
from ..nameserver_probe import Probe

_UNSYNCHRONIZED = 5  # TIME_ERROR of adjtimex(2)


def check_clock(probes: Sequence[Probe], now: float, synchronized: bool | None) -> Iterator[Finding]:
    """Yield the finding on the clock. `now`: seconds of the epoch; `synchronized`: as the kernel reports it, None if it does
    not."""
    mend = ("timedatectl set-ntp true",)
    for probe in probes:
        inception, expiration = probe.signed
        if inception and not inception - 3600 <= now <= expiration + 3600:
            way = "behind" if now < inception else "ahead"
            yield bad("clock", f"this host's clock is {way}: by it the root's signatures are not valid today", *mend)
            return
    if synchronized is False:
        yield warn(
            "clock", "the clock is not synchronized (NTP): `until` dates, and dates in the log, may be wrong", *mend
        )
    else:
        yield ok(
            "clock", "agrees with the signatures of the root" if any(each.signed[0] for each in probes) else "is set"
        )


def is_synchronized() -> bool | None:
    """Return whether the clock is synchronized according to the kernel; None if the kernel cannot be asked."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != _UNSYNCHRONIZED
