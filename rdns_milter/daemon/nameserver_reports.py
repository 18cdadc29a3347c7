"""Workers' reports on name servers: which of them are down, and what the log says when that changes.

Pure. Says each change once, however many workers report it, and never that a client is refused for it.

RFC 1034 4.3.1 (recursion), 4.3.2 (referrals).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

_SILENT = "does not answer: until it does,"
# What is said of a name server that answers and yet does not resolve, by the status of its answers.
_NOT_RECURSIVE = "it is not a recursive resolver; set dns.nameservers to one. Until it resolves,"
_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "referral": f"answers with referrals: {_NOT_RECURSIVE}",
        "lame": f"answers with nothing: {_NOT_RECURSIVE}",
    }
)


def note(down: set[str], status: str, server: str, servers: Collection[str]) -> None:
    """Take one worker's report on a server into the set of those that it finds down; one that is no longer asked does not count."""
    if status == "ok":
        down.discard(server)
    elif server in servers:
        down.add(server)


def changes(status: str, before: set[str], down: set[str], servers: Collection[str]) -> Iterator[tuple[str, str]]:
    """What to say once the servers that are down have changed by a report of that status: the line, and its level."""
    for server in down - before:
        others = "the others are asked instead"
        alone = "clients are judged without DNS (temperror, resolver-down), and none is refused for it"
        what = alone if len(down) >= len(set(servers)) else others
        yield f"name server {server} {_FAULTS.get(status, _SILENT)} {what}", "err"
    for server in before - down:
        yield f"name server {server} answers again", "notice"
