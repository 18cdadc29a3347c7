"""Three hundred clients at once behind a real Postfix while DNS is silent: each is answered in time, none is refused."""

from __future__ import annotations

import threading
import time
from functools import partial

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import until
from tests.kit.milter.transaction import burst
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, Smtp
from tests.mta.attached import USER, Attached, attached

CLIENTS = 300
DEADLINE = 3.0
PATIENCE = 120.0
ASLEEP = Zone("*.18.198.in-addr.arpa SILENT\n*.asleep.example SILENT")


def test_three_hundred_clients_at_once(server: NameServer) -> None:
    """First only the clients' own zones are silent, then the name server is, then the milter knows that it is down. Postfix by
    default serves a hundred clients at once; here all."""
    with (
        NameServer(ASLEEP) as asleep,
        attached(
            asleep,
            hold=False,
            postfix={"default_process_limit": str(CLIENTS + 50)},
            milter={"deadline": DEADLINE, "workers": 2},
        ) as running,
    ):
        # The milter's waits, and the clients' with the work of six hundred processes in between.
        waited, seen = crowd(running, 0)
        assert DEADLINE / 2 < waited < DEADLINE + 1
        assert seen < DEADLINE * 4
        assert not down(running)
        asleep.pause()
        waited, seen = crowd(running, CLIENTS)
        assert waited < DEADLINE + 1
        assert seen < DEADLINE * 4
        until(lambda: down(running))
        waited, seen = crowd(running, 2 * CLIENTS)
        assert waited < 1
        assert seen < DEADLINE * 4
        assert [line for line in running.daemon.notices() if "internal error" in line or " ended " in line] == []
        assert running.daemon.terminate() == 0


def down(running: Attached) -> bool:
    """Return whether the milter reports the name server as down."""
    return any("does not answer" in line for line in running.daemon.notices())


def crowd(running: Attached, first: int) -> tuple[float, float]:
    """Send from all clients at once, numbered from `first`; all must be accepted. Return the longest wait for DNS in the log, and
    the longest time from MAIL to the last reply, in seconds."""
    gate = threading.Barrier(CLIENTS)
    results = burst([partial(talk, running.postfix.address, gate, first + n) for n in range(CLIENTS)])
    assert [str(dialogue.verdict) for dialogue, _ in results if not dialogue.accepted] == []
    decisions = running.new_decisions(CLIENTS)
    assert {(line["action"], line["iprev"]) for line in decisions} == {("accept", "temperror")}
    return max(float(line["waited_ms"]) for line in decisions) / 1000, max(seconds for _, seconds in results)


def talk(where: tuple[str, int], gate: threading.Barrier, n: int) -> tuple[Dialogue, float]:
    """Send one message of one client; return the seconds from MAIL to the last reply. All greet before the first sends MAIL."""
    with Smtp(where, timeout=PATIENCE) as smtp:
        smtp.xclient(Client(f"198.18.{n // 250}.{n % 250 + 1}"))
        smtp.helo(f"h{n}.asleep.example")
        gate.wait(PATIENCE)
        began = time.monotonic()
        smtp.message(f"a@h{n}.asleep.example", [USER])
        seconds = time.monotonic() - began
        smtp.command("QUIT", "quit")
        return smtp.dialogue, seconds
