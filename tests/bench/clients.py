"""The clients of the benchmark, any number of them: names and addresses of client number N, and their DNS.

Each has an address in 10/8, a reverse name that resolves to it, and a sender domain whose SPF record has three includes of its
own, the last of which passes. For numbers from HOLES on DNS is silent. `costly` domains have the costliest SPF records.
"""

from __future__ import annotations

HOLES = 1 << 23  # 10.0.0.0/9 answers, 10.128.0.0/9 does not
CLIENTS = 1 << 24
HOST, SENDER, PART, LAST = "host.test", "from.test", "part.test", "last.test"
COSTLY, EXCHANGE, EXCHANGER = "costly.test", "mx.test", "exchanger.test"
TEN = 10  # terms of a record, and hosts of an MX answer, at most (RFC 7208 4.6.4)


def address(number: int) -> str:
    """Return its IPv4 address."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def host(number: int) -> str:
    """Return its reverse name, which it also greets with."""
    return f"m{number:x}.{HOST}"


def sender(number: int) -> str:
    """Return its sender domain."""
    return f"s{number:x}.{SENDER}"


def record(number: int) -> str:
    """Return the SPF record of its sender domain."""
    return f"v=spf1 include:a{number:x}.{PART} include:b{number:x}.{PART} include:c{number:x}.{LAST} -all"


PART_RECORD = "v=spf1 ip4:192.0.2.0/24 -all"
LAST_RECORD = "v=spf1 ip4:10.0.0.0/8 -all"


def costly(number: int) -> str:
    """Return a domain with the costliest record that RFC 7208 allows: ten mx of ten hosts each, none of which matches."""
    return f"d{number:x}.{COSTLY}"


def costly_record(number: int) -> str:
    """Return its SPF record."""
    return f"v=spf1 {' '.join(f'mx:q{number * TEN + each:x}.{EXCHANGE}' for each in range(TEN))} -all"


def exchangers(number: int) -> list[str]:
    """Return the hosts of one of its ten names."""
    return [f"h{number * TEN + each:x}.{EXCHANGER}" for each in range(TEN)]
