"""The wall clock jumps under load, forward and back (libfaketime): no message is affected, one alarm reports it, and rules with
`until` follow its date.

All timeouts use the monotonic clock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.data.scenario import GOOD_HELO, NAMELESS, SILENT
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.load import Load
from tests.kit.milter.transaction import deliver

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
DAY = 86400
DEADLINE = 2.0
REFUSED = {"iprev": ["fail", "permerror"]}
RULES: list[dict[str, Any]] = [
    {"name": "ended", "when": REFUSED, "action": "reject", "code": 554, "until": str(date.today() - timedelta(7))},
    {"name": "in-force", "when": REFUSED, "action": "reject", "until": str(date.today() + timedelta(7))},
]

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")


class Clock:
    """The wall clock of the processes that run with its environment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the offset from the true time, effective at once."""
        beside = self._path.with_suffix(".new")
        beside.write_text(f"{seconds:+d}")
        os.replace(beside, self._path)

    def environment(self) -> dict[str, str]:
        """The environment variables that make a process use it."""
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def daemon(server: NameServer, clock: Clock, tmp_path: Path) -> Iterator[Daemon]:
    settings = [f"{name}={value}" for name, value in clock.environment().items()]
    with Daemon({"milter": {"deadline": DEADLINE}}, RULES, server, workers=2, within=("env", *settings)) as running:
        yield running


def alarms(daemon: Daemon) -> list[str]:
    """Return the log's alarms about the clock."""
    return [line for line in daemon.notices() if "clock-jumped" in line]


@pytest.mark.parametrize(("days", "rule", "reply"), [(30, "default", 0), (-30, "ended", 554)])
def test_under_load(daemon: Daemon, clock: Clock, days: int, rule: str, reply: int) -> None:
    """The clock jumps and jumps back while messages are under way and some of them wait for DNS."""
    workers = daemon.wait_for_workers(2)

    def send(number: int) -> int:
        client = SILENT if number % 5 == 0 else NAMELESS
        code = deliver(daemon.spec, client=client, helo=GOOD_HELO).verdict.code
        return code if client is NAMELESS else 0

    def jump(seconds: int, wanted: str) -> None:
        clock.set(seconds)
        before = len(daemon.decisions())
        until(lambda: any(each["rule"] == wanted for each in daemon.decisions()[before:]))
        load.wait(40)

    with Load(send, clients=6) as load:
        load.wait(20)
        jump(days * DAY, rule)
        (line,) = until(lambda: alarms(daemon))
        jump(0, "in-force")
    found = re.search(r"the system clock has jumped by ([+-]\d+) s", line)
    assert found is not None
    assert abs(int(found[1]) - days * DAY) < 60
    assert load.lost == []
    assert set(load.codes) == {0, 550, reply}
    assert daemon.workers() == workers
    decisions = [each for each in daemon.decisions() if each["client"] == NAMELESS.address]
    assert {each["rule"] for each in decisions} == {"in-force", rule}
    assert decisions[0]["rule"] == decisions[-1]["rule"] == "in-force"
    # A timeout by the wall clock would have taken days, or no time.
    waits = [float(each["waited_ms"]) for each in daemon.decisions() if each["client"] == SILENT.address]
    assert 0 < max(waits) < 1000 * DAY
    assert {each["action"] for each in daemon.decisions() if each["client"] == SILENT.address} <= {"tempfail", "accept"}
    assert not [line for line in daemon.notices() if "internal error" in line or " ended (" in line]
