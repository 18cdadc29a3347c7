"""The clients of the benchmark: address, names and DNS data of client number N.

Each client has an address in 10/8, a reverse name that resolves to it, and a sender domain. The SPF record of the domain has three
includes of its own; the last one passes. The name server does not answer for numbers from HOLES on. `costly` domains have SPF
records of the highest cost.
"""

from __future__ import annotations

HOLES = 1 << 23  # DNS answers for 10.0.0.0/9, and not for 10.128.0.0/9
CLIENTS = 1 << 24
HOST, SENDER, PART, LAST = "host.test", "from.test", "part.test", "last.test"
COSTLY, EXCHANGE, EXCHANGER = "costly.test", "mx.test", "exchanger.test"
TEN = 10  # the largest number of terms with lookups, and of MX hosts (RFC 7208 4.6.4)


def address(number: int) -> str:
    """Return the client's IPv4 address."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def host(number: int) -> str:
    """Return the client's reverse name, which is also its HELO name."""
    return f"m{number:x}.{HOST}"


def sender(number: int) -> str:
    """Return the client's sender domain."""
    return f"s{number:x}.{SENDER}"


def record(number: int) -> str:
    """Return the SPF record of the client's sender domain."""
    return f"v=spf1 include:a{number:x}.{PART} include:b{number:x}.{PART} include:c{number:x}.{LAST} -all"


PART_RECORD = "v=spf1 ip4:192.0.2.0/24 -all"
LAST_RECORD = "v=spf1 ip4:10.0.0.0/8 -all"


def costly(number: int) -> str:
    """Return a domain whose record has the highest cost that RFC 7208 allows: ten `mx` with ten hosts each, none of which
    matches."""
    return f"d{number:x}.{COSTLY}"


def costly_record(number: int) -> str:
    """Return the SPF record of the client's costly domain."""
    return f"v=spf1 {' '.join(f'mx:q{number * TEN + each:x}.{EXCHANGE}' for each in range(TEN))} -all"


def exchangers(number: int) -> list[str]:
    """Return the MX hosts of one of the ten names in that record."""
    return [f"h{number * TEN + each:x}.{EXCHANGER}" for each in range(TEN)]
