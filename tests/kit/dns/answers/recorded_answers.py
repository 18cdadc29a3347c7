"""Answers of real resolvers to ordinary questions, byte by byte, and the command that records them.

    python -m tests.kit.dns.answers.recorded_answers NAME HOST:PORT >> tests/kit/dns/answers/recorded_answers.txt

NAME is the name of the resolver, HOST:PORT its address. It must forward all queries to a name server that serves ZONE:

    python -m tests.kit.dns.answers.recorded_answers --zone > FILE
    python -m tests.kit.dns.nameserver --zone FILE

Each question is asked twice, so that the second answer comes from the cache. A line of the file is the resolver's name, the query
and the answer in hexadecimal.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from rdns_milter.resolver.lookup import Question, Type
from rdns_milter.resolver.wire import encode

FILE = Path(__file__).with_suffix(".txt")
SECONDS = 5.0

ZONE = """
$TTL 3600
example.com SOA ns1.example.com. hostmaster.example.com. 2024010101 7200 3600 1209600 300
example.com A 192.0.2.10
example.com MX 10 mx1.example.com.
example.com MX 20 mx2.example.com.
example.com MX 30 mx.backup.example.org.
example.com TXT "v=spf1 ip4:192.0.2.0/24 include:_spf.example.net mx -all"
example.com TXT "site-verification=0123456789abcdef0123456789abcdef"
example.com TXT "another-verification=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
mx1.example.com A 192.0.2.1
mx1.example.com AAAA 2001:db8::1
mx2.example.com A 192.0.2.2
mx2.example.com A 192.0.2.3
mx2.example.com A 192.0.2.4
only4.example.com A 192.0.2.5
www.example.com CNAME only4.example.com.
far.example.com CNAME edge.cdn.example.net.
farther.example.com CNAME far.example.com.
dangling.example.com CNAME gone.example.net.
nullmx.example.com MX 0 .
nullmx.example.com TXT "v=spf1 -all"
example.net SOA ns1.example.net. first\\.last.example.net. 7 7200 3600 1209600 86400
_spf.example.net TXT "v=spf1 ip4:192.0.2.0/25 ip4:198.51.100.0/24 ip6:2001:db8:1::/48 ~all"
edge.cdn.example.net A 198.51.100.7
edge.cdn.example.net A 198.51.100.8
edge.cdn.example.net AAAA 2001:db8:0:0:1::7
2.0.192.in-addr.arpa SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 600
192.0.2.1 PTR mx1.example.com.
192.0.2.2 PTR mx2.example.com.
192.0.2.2 PTR mail.example.com.
192.0.2.9 CNAME 9.0-63.2.0.192.in-addr.arpa.
9.0-63.2.0.192.in-addr.arpa PTR nine.Customer-1.example.
8.b.d.0.1.0.0.2.ip6.arpa SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 600
2001:db8::1 PTR mx1.example.com.
"""
ADDRESS4, ADDRESS6 = "{}.2.0.192.in-addr.arpa", "{}" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa"
QUESTIONS: dict[Type, tuple[str, ...]] = {
    "A": (
        "example.com", "mx1.example.com", "mx2.example.com", "only4.example.com", "www.example.com", "far.example.com",
        "farther.example.com", "dangling.example.com", "_spf.example.net", "no.such.example.com", "no-such.example.net",
        "2.0.0.127.list.example.net",
    ),
    "AAAA": ("mx1.example.com", "only4.example.com", "www.example.com", "far.example.com", "no.such.example.com"),
    "MX": ("example.com", "nullmx.example.com", "mx1.example.com", "www.example.com", "no.such.example.com"),
    "TXT": (
        "example.com", "_spf.example.net", "nullmx.example.com", "mx1.example.com", "www.example.com", "no.such.example.com",
    ),
    "PTR": (
        ADDRESS4.format(1), ADDRESS4.format(2), ADDRESS4.format(9), ADDRESS4.format(77),
        ADDRESS6.format(1), ADDRESS6.format(2),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recorded:
    """A query, and the answer of a resolver. `resolver`: its name."""

    resolver: str
    query: bytes
    answer: bytes


def recorded() -> tuple[Recorded, ...]:
    """Return all recorded answers."""
    lines = (line.split() for line in FILE.read_text("ascii").splitlines() if not line.startswith("#"))
    return tuple(Recorded(name, bytes.fromhex(query), bytes.fromhex(answer)) for name, query, answer in lines)


def record(name: str, host: str, port: int) -> Iterator[str]:
    """Ask a resolver all questions, and yield a line of the file for each answer. Raises OSError."""
    rng = SystemRandom()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect((host, port))
        for _ in range(2):
            for kind, names in QUESTIONS.items():
                for each in names:
                    query = encode(Question(each, kind), True, rng.randrange(1 << 16)).wire
                    sock.send(query)
                    yield f"{name} {query.hex()} {sock.recv(4096).hex()}"


def main(arguments: list[str]) -> int:
    """Run the command. Return the exit status: 0, or 2 for wrong usage."""
    if arguments == ["--zone"]:
        print(ZONE)
        return 0
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    name, at = arguments
    host, _, port = at.rpartition(":")
    for line in record(name, host, int(port)):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
