"""Root privileges dropped (milter.user): the new user must be able to use the socket, as the milter connects to it itself
(daemon/pool_waker.py)."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.waiting.clients import DNS, MILTER, released, waiting_at_rcpt, zone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

STRICT = [{"name": "strict", "unless": {"iprev": "pass"}, "action": "reject"}]
GROUP = "mail"


@pytest.mark.parametrize("count", [3, 8, 100])
def test_no_client_is_left_out_of_a_burst(count: int) -> None:
    config = {"milter": MILTER | {"user": "nobody", "socket_group": GROUP}, "dns": DNS}
    with NameServer(zone()) as server, Daemon(config, STRICT, server, socket="unix") as daemon:
        path = Path(daemon.spec.partition(":")[2])
        nobody = pwd.getpwnam("nobody").pw_uid
        assert (path.stat().st_uid, path.group(), path.stat().st_mode & 0o777) == (nobody, GROUP, 0o660)
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in (daemon.pid, *daemon.workers())} == {nobody}
        with waiting_at_rcpt(server, daemon, count) as dialogues:
            assert all(reply.goes_on for reply in released(server, dialogues))
