"""Overload: more questions than `dns.max_outstanding`, more connections than descriptors.

What has begun is completed, what is new gets an answer, no process spins, and afterwards all is as before.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rdns_milter.net.endpoints import Endpoint
from rdns_milter.resolver.limits import ResolverLimits
from rdns_milter.resolver.lookup import Answer, Question
from rdns_milter.resolver.resolver import Resolver
from rdns_milter.resolver.transport.sockets import SocketPool, UdpSocket
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import Conversation, burst, deliver
from tests.kit.smtp.client_identity import Client

OLD = 10
# OLD clients whose DNS answers late; 198.18.0.0/16 and asleep.example, for which it is silent.
ZONE = "".join(
    f"192.0.2.{n} PTR o{n}.example\n192.0.2.{n} PTR!DELAY 0.4\no{n}.example A 192.0.2.{n}\no{n}.example TXT v=spf1 a -all\n"
    for n in range(1, OLD + 1)
)
ASLEEP = "*.18.198.in-addr.arpa SILENT\n*.asleep.example SILENT\n"
STRICT: list[dict[str, Any]] = [{"name": "strict", "unless": {"iprev": "pass"}, "action": "reject"}]


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE + ASLEEP)) as running:
        yield running


def late(n: int) -> dict[str, Any]:
    """Return the arguments of a message from a good host whose DNS answers late."""
    return {"client": Client(f"192.0.2.{n}"), "helo": f"o{n}.example", "mailfrom": f"a@o{n}.example"}


def asleep(n: int) -> dict[str, Any]:
    """Return the arguments of a message about which DNS is silent."""
    name = f"h{n}.asleep.example"
    return {"client": Client(f"198.18.{n // 250}.{n % 250 + 1}"), "helo": name, "mailfrom": f"a@{name}"}


# Questions


def test_questions_beyond_max_outstanding(server: NameServer) -> None:
    """A flood of 150 clients with several questions each, where 20 may be under way and 200 may wait."""
    config = {"milter": {"deadline": 15.0}, "dns": {"timeout": 3.0, "tries": 1, "max_outstanding": 20}}
    with Daemon(config, STRICT, server) as daemon:
        dialogues = []
        for n in range(1, OLD + 1):
            dialogue = Conversation(daemon.spec)
            dialogue.connect(f"[192.0.2.{n}]", f"192.0.2.{n}")
            dialogue.helo(f"o{n}.example")
            dialogue.mail(f"a@o{n}.example")
            dialogues.append(dialogue)
        flood = burst([partial(deliver, daemon.spec, **asleep(n)) for n in range(150)])
        assert {outcome.verdict.code for outcome in flood} == {451}
        for dialogue in dialogues:
            assert dialogue.rcpt("b@rcpt.example").goes_on
            assert dialogue.end().reply.goes_on
            dialogue.quit()
        decisions = daemon.wait_for_decisions(150 + OLD)
        old = [line for line in decisions if line["client"].startswith("192.0.2.")]
        assert [line["iprev_reason"] for line in old] == ["confirmed"] * OLD
        assert {line["iprev"] for line in decisions if line not in old} == {"temperror"}
        server.zone = Zone(ASLEEP + "192.0.2.99 PTR new.example\nnew.example A 192.0.2.99")
        assert daemon.judge(client=Client("192.0.2.99"), helo="new.example")[0].accepted
        assert [line for line in daemon.notices() if "does not answer" in line or "internal error" in line] == []


def test_no_descriptor_for_a_question() -> None:
    """A question that needs a socket of its own fails at once if there is no descriptor, however many wait; afterwards all places
    are free again."""
    told: list[Answer] = []

    def no_more(self: SocketPool, server: Endpoint) -> UdpSocket:
        raise OSError(errno.EMFILE, "Too many open files")

    async def ask(resolver: Resolver, count: int, name: str) -> None:
        until = resolver.loop.time() + 25
        for n in range(count):
            resolver.submit(Question(f"{name}{n}.example", "A"), until, told.append)
        async with asyncio.timeout(30):
            while resolver.outstanding:
                await asyncio.sleep(0.01)

    async def main(server: NameServer) -> None:
        limits = ResolverLimits(timeout=3.0, tries=1, max_outstanding=300)
        resolver = Resolver(asyncio.get_running_loop(), [Endpoint(server.host, server.port)], limits)
        server.pause()
        first = asyncio.ensure_future(ask(resolver, 3000, "silent"))
        while len(server.queries) < 300:
            await asyncio.sleep(0.01)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SocketPool, "to", no_more)
            await first
        assert [answer.status for answer in told].count("error") == 2700
        told.clear()
        server.resume()
        resolver.reconfigure([Endpoint(server.host, server.port)], replace(limits, timeout=20.0))
        await ask(resolver, 600, "good")
        resolver.close()

    with NameServer(Zone("*.example A 192.0.2.1")) as server:
        asyncio.run(main(server))
    assert [answer.status for answer in told] == ["ok"] * 600


# Descriptors


def test_descriptors_used_up(server: NameServer) -> None:
    """The worker has three descriptors left. Its sessions go on; other clients wait in the socket's queue until a session ends."""
    with Daemon({"milter": {"deadline": 3.0}}, STRICT, server) as daemon:
        assert daemon.judge(**late(1))[0].accepted
        (worker,) = daemon.workers()
        dialogues = [Conversation(daemon.spec) for _ in range(OLD)]
        for n, dialogue in enumerate(dialogues, 1):
            dialogue.connect(f"[192.0.2.{n}]", f"192.0.2.{n}")
            dialogue.helo(f"o{n}.example")
            dialogue.mail(f"a@o{n}.example")
        before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        left = len(os.listdir(f"/proc/{worker}/fd")) + 3
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (left, before[1]))
        crowd = [Conversation(daemon.spec, negotiate=False) for _ in range(20)]
        until(lambda: len(os.listdir(f"/proc/{worker}/fd")) == left)
        for dialogue in dialogues:
            assert dialogue.rcpt("b@rcpt.example").goes_on
            assert dialogue.end().reply.goes_on
            dialogue.quit()
        # There are few descriptors still, but each client that is served frees one for the next.
        for dialogue in crowd:
            dialogue.negotiate()
            dialogue.quit()
        outcomes = burst([partial(deliver, daemon.spec, **late(n % OLD + 1)) for n in range(60)])
        assert all(outcome.accepted for outcome in outcomes)
        assert daemon.workers() == [worker]
        began, ours = cpu_seconds(worker), time.process_time()
        while time.process_time() - ours < 0.5:
            pass
        assert cpu_seconds(worker) - began < 0.25, "it uses less than a process that spins"
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
        assert daemon.judge(**late(1))[0].accepted
        assert [line for line in daemon.notices() if "internal error" in line] == []
        assert daemon.terminate() == 0


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far (proc(5): utime, stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
