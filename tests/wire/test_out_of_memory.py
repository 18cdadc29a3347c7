"""The kernel kills a worker because memory is short: the clients of the other workers do not notice, and it is replaced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, REFUSE_ALL, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.load import Load
from tests.kit.milter.transaction import MilterClosed
from tests.kit.milter.worker_of import connections_to_each
from tests.kit.mta.memory_cgroup import MemoryCgroup, NoMemoryCgroup

LIMIT = 64 << 10  # bytes; a worker that serves needs more within moments
CLIENTS = 3
CLOSED = (MilterClosed, ConnectionResetError, BrokenPipeError)


@pytest.fixture
def short_of_memory() -> Iterator[MemoryCgroup]:
    try:
        group = MemoryCgroup(LIMIT).__enter__()
    except NoMemoryCgroup as error:
        pytest.skip(str(error))
    yield group
    group.__exit__(None, None, None)


def test_a_worker_that_the_kernel_kills_is_replaced(server: NameServer, short_of_memory: MemoryCgroup) -> None:
    with Daemon(rules=REFUSE_ALL, nameserver=server, workers=2) as daemon:
        victim, other = daemon.wait_for_workers(2)
        held = connections_to_each(daemon)
        (dialogue,) = held[other]
        dialogue.connect(GOOD.hostname, GOOD.address)
        dialogue.helo(GOOD_HELO)
        dialogue.mail(GOOD_FROM)
        with Load(lambda _: code(daemon), clients=CLIENTS) as load:
            load.wait(10)
            short_of_memory.add(victim)
            until(short_of_memory.oom_kills)
            until(lambda: victim not in daemon.workers() and len(daemon.workers()) == 2)
            load.wait(10)
        assert short_of_memory.oom_kills() == 1
        assert other in daemon.workers()
        assert f"worker {victim} ended (signal SIGKILL), " in daemon.log()
        # Only the connections of the killed worker were closed: each client had at most one there.
        assert len(load.lost) <= CLIENTS
        assert all(isinstance(error, CLOSED) for error in load.lost)
        assert set(load.codes) == {550}
        assert dialogue.rcpt("b@rcpt.example").code == 550
        dialogue.close()
        assert [code(daemon) for _ in range(20)] == [550] * 20
        assert daemon.terminate() == 0
