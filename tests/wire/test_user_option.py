"""Root privileges dropped (milter.user): the new user must be able to use the socket, as the milter connects to it itself
(daemon/pool_waker.py)."""

from __future__ import annotations

import os
import pwd
import time
from functools import partial
from pathlib import Path

import pytest

from rdns_milter.config.sample import sample
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import burst, deliver
from tests.kit.smtp.client_identity import Client

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

SILENCE = Zone("*.100.18.198.in-addr.arpa SILENT\nmail.asleep.example SILENT\nasleep.example SILENT")
RULES = sample()[sample().index("\n[[rule]]") :]
GROUP = "mail"


def test_a_burst_is_not_served_two_at_a_time() -> None:
    milter = {"user": "nobody", "socket_group": GROUP, "deadline": 1.0}
    with NameServer(SILENCE) as server, Daemon({"milter": milter}, RULES, server, socket="unix") as daemon:
        path = Path(daemon.spec.partition(":")[2])
        nobody = pwd.getpwnam("nobody").pw_uid
        assert (path.stat().st_uid, path.group(), path.stat().st_mode & 0o777) == (nobody, GROUP, 0o660)
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in (daemon.pid, *daemon.workers())} == {nobody}
        jobs = [
            partial(
                deliver,
                daemon.spec,
                client=Client(f"198.18.100.{n}"),
                helo="mail.asleep.example",
                mailfrom="a@asleep.example",
            )
            for n in range(1, 31)
        ]
        alone = deliver(daemon.spec, client=Client("198.18.100.31"), helo="mail.asleep.example").seconds()
        began = time.monotonic()
        outcomes = burst(jobs)
        took = time.monotonic() - began
    assert all(outcome.accepted for outcome in outcomes)
    assert took < len(jobs) / 2 * alone / 2, "two at a time would take as long as fifteen messages one after the other"
