"""Compare the CPU time of the DNS thread for SPF of the highest cost with that for an ordinary message, without a cache.

    python -m tests.bench.spf_cost

The checks of an ordinary message: reverse name, HELO, SPF of both identities, as in the benchmark's scenario "cold". Those of the
other: the same, with ten `mx` of ten hosts for each of two domains (RFC 7208 4.6.4). The cost of libmilter and the session is the
same for both and is not measured. The ratio is meaningful, the absolute figures are not.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from rdns_milter.config.load import BUILT_IN, Config, parse
from rdns_milter.net.endpoints import parse_nameserver
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.resolver.limits import ResolverLimits
from rdns_milter.resolver.resolver import Resolver
from rdns_milter.session.check_runner import CheckRunner, PendingFact
from tests.bench import clients
from tests.bench.stub_nameserver import StubProcess

WARM_UP, ORDINARY, COSTLY, ROUNDS = 30, 60, 8, 5


@dataclass(frozen=True)
class Kind:
    """A kind of message: functions that return the HELO name and the sender's domain of message number N."""

    greeting: Callable[[int], str]
    sender: Callable[[int], str]


KINDS = {
    "ordinary": Kind(clients.host, clients.sender),
    "costliest": Kind(lambda number: clients.costly(2 * number), lambda number: clients.costly(2 * number + 1)),
}


@dataclass
class Messages:
    """Sends messages one after the other, each from a new client."""

    check_runner: CheckRunner
    config: Config
    number: int = 0

    async def send(self, kind: Kind, count: int) -> tuple[float, float]:
        """Send messages. Return the averages per message: milliseconds of CPU time, and questions."""
        began, questions = time.thread_time(), 0
        for _ in range(count):
            questions += await self._message(kind)
        return (time.thread_time() - began) * 1000 / count, questions / count

    async def _message(self, kind: Kind) -> int:
        self.number += 1
        address = ip_address(clients.address(self.number))
        helo, domain = kind.greeting(self.number), kind.sender(self.number)
        find, config = self.check_runner, self.config
        pendings: list[PendingFact[Any]] = [
            find.start_reverse_name(address, config),
            find.start_helo(address, helo, config),
            find.start_spf(address, Mailbox("postmaster", helo), helo, config),
            find.start_spf(address, Mailbox("a", domain), helo, config),
        ]
        for pending in pendings:
            await _settled(pending)
        return len({answer.question for pending in pendings for answer in pending.trail})


async def _settled(pending: PendingFact[Any]) -> None:
    there = asyncio.Event()
    pending.add_callback(there.set)
    await there.wait()


async def measure(hostport: str) -> dict[str, tuple[float, float]]:
    """Return milliseconds and questions for each kind of message: medians over several rounds, in which the kinds take turns."""
    loop = asyncio.get_running_loop()
    resolver = Resolver(loop, [parse_nameserver(hostport)], ResolverLimits())
    messages = Messages(CheckRunner(loop, resolver, 1000, _bug), parse("", BUILT_IN))
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in KINDS}
    await messages.send(KINDS["ordinary"], WARM_UP)
    for _ in range(ROUNDS):
        for name, kind in KINDS.items():
            runs[name].append(await messages.send(kind, COSTLY if name == "costliest" else ORDINARY))
    resolver.close()
    return {name: (statistics.median(ms for ms, _ in each), each[0][1]) for name, each in runs.items()}


def _bug(where: str, error: BaseException) -> None:
    raise RuntimeError(where) from error


def main() -> int:
    """Run the command. Return the exit status, 0."""
    with StubProcess() as stub:
        found = asyncio.run(measure(stub.hostport))
    for name, (ms, questions) in found.items():
        print(f"{name:10} {ms:7.2f} ms  {questions:5.0f} questions  {ms / questions:6.3f} ms a question")
    print(f"ratio      {found['costliest'][0] / found['ordinary'][0]:7.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
