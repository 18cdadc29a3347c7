"""The name servers in use, as the parent sees them. They come from the config or resolv.conf; workers report which of them answer.

Each change is logged once, however many workers report it. Must never make a name server's failure look like a client's fault: the
log says that no client is refused because of it.

RFC 1034 4.3.1 (recursion), 4.3.2 (referrals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..net.endpoints import Endpoint
from ..resolver.nameservers import NoNameservers, SystemNameservers

_SILENT = "does not answer: until it does,"
_NOT_RECURSIVE = "it is not a recursive resolver; set dns.nameservers to one that is. Until it resolves names,"
# What is wrong with a name server that answers, by the status of its answers.
_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "referral": f"answers with referrals: {_NOT_RECURSIVE}",
        "lame": f"answers with empty messages: {_NOT_RECURSIVE}",
    }
)
_OTHERS_LEFT = "the others are asked instead"
_NONE_LEFT = "clients are judged without DNS (temperror, resolver-down), and no client is refused because of that"


class NameServers:
    """The name servers in use. `servers`: their addresses; `log`: writes a line at a level."""

    def __init__(self, servers: tuple[Endpoint, ...], log: Callable[[str, str], None]) -> None:
        self.servers = servers
        self._log = log
        self._system = SystemNameservers()
        self._down: dict[int, set[str]] = {}  # by worker

    def __str__(self) -> str:
        return ", ".join(map(str, self.servers))

    def down(self) -> set[str]:
        """Return the servers that at least one worker has reported as down."""
        return set().union(*self._down.values())

    def use(self, servers: tuple[Endpoint, ...]) -> None:
        """Use the servers of a new configuration."""
        self._system = SystemNameservers()  # resolv.conf may have changed after it was read for the configuration
        self._replace(servers)

    def check_resolv_conf(self, configured: tuple[Endpoint, ...]) -> bool:
        """Use the servers in resolv.conf if the file has changed and the config sets none. Return True if they differ from those in
        use. The workers notice the change by themselves. If resolv.conf names no server, nothing changes and that is logged
        once."""
        try:
            servers = self._system.poll(configured)
        except NoNameservers as error:
            self._log(f"the name servers remain {self}: {error}", "err")
            return False
        if servers is None or servers == self.servers:
            return False
        self._replace(servers)
        self._log(f"resolv.conf has changed: name servers {self}", "notice")
        return True

    def report(self, worker: int, status: str, server: str) -> bool:
        """Take a worker's report that the status of a server has changed. Return True if the set of servers that are down has
        changed. A report on a server that is no longer in use does not count."""
        before, in_use = self.down(), set(map(str, self.servers))
        if status == "ok":
            self._down.get(worker, set()).discard(server)
        elif server in in_use:
            self._down.setdefault(worker, set()).add(server)
        down = self.down()
        for name in down - before:
            what = _NONE_LEFT if in_use <= down else _OTHERS_LEFT
            self._log(f"name server {name} {_FAULTS.get(status, _SILENT)} {what}", "err")
        for name in before - down:
            self._log(f"name server {name} answers again", "notice")
        return down != before

    def forget(self, worker: int) -> None:
        """Drop the reports of a worker that has ended."""
        self._down.pop(worker, None)

    def _replace(self, servers: tuple[Endpoint, ...]) -> None:
        self.servers = servers
        for down in self._down.values():
            down.intersection_update(map(str, servers))
