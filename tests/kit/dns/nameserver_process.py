"""The tests' name server in a process of its own: where a test takes times, its answers must not wait for the test's own work."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone

SECONDS = 20.0


class NameServerProcess:
    """Serves the zone until the context ends. `hostport`: as the configuration has it."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.hostport = ""

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")  # a fork would take the test's threads' locks with it
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(self._zone, theirs), daemon=True)
        self._process.start()
        theirs.close()
        if not self._ours.poll(SECONDS):
            self._process.kill()
            raise TimeoutError("the name server does not start")
        self.hostport = str(self._ours.recv())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ours.close()
        self._process.join(SECONDS)
        if self._process.is_alive():
            self._process.kill()


def _serve(zone: Zone, parent: Connection) -> None:
    with NameServer(zone) as server:
        parent.send(server.hostport)
        try:
            parent.recv()
        except EOFError:
            return
