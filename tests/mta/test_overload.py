"""Three hundred clients at once behind a real Postfix while DNS is silent: each is answered, none is refused."""

from __future__ import annotations

import threading
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
PATIENCE = 120.0  # seconds; two clients at a time would take 450
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
        assert crowd(running, 0) > DEADLINE / 2
        assert not down(running)
        asleep.pause()
        crowd(running, CLIENTS)
        until(lambda: down(running))
        crowd(running, 2 * CLIENTS)
        assert asked_about(asleep, CLIENTS) > 0  # how many depends on when the milter notices that the server is down
        assert asked_about(asleep, 2 * CLIENTS) == 0
        assert [line for line in running.daemon.notices() if "internal error" in line or " ended " in line] == []
        assert running.daemon.terminate() == 0


def down(running: Attached) -> bool:
    """Return whether the milter reports the name server as down."""
    return any("does not answer" in line for line in running.daemon.notices())


def asked_about(server: NameServer, first: int) -> int:
    """Return how many of the clients, numbered from `first`, the name server was asked about."""
    return sum(server.queries.count(address(first + n), "PTR") > 0 for n in range(CLIENTS))


def address(n: int) -> str:
    """Return the address of client `n`."""
    return f"198.18.{n // 250}.{n % 250 + 1}"


def crowd(running: Attached, first: int) -> float:
    """Send from all clients at once, numbered from `first`; all must be accepted. Return the longest wait for DNS in the log, in
    seconds."""
    gate = threading.Barrier(CLIENTS)
    dialogues = burst([partial(talk, running.postfix.address, gate, first + n) for n in range(CLIENTS)])
    assert [str(dialogue.verdict) for dialogue in dialogues if not dialogue.accepted] == []
    decisions = running.new_decisions(CLIENTS)
    assert {(line["action"], line["iprev"]) for line in decisions} == {("accept", "temperror")}
    return max(float(line["waited_ms"]) for line in decisions) / 1000


def talk(where: tuple[str, int], gate: threading.Barrier, n: int) -> Dialogue:
    """Send one message of one client. All greet before the first sends MAIL."""
    with Smtp(where, timeout=PATIENCE) as smtp:
        smtp.xclient(Client(address(n)))
        smtp.helo(f"h{n}.asleep.example")
        gate.wait(PATIENCE)
        smtp.message(f"a@h{n}.asleep.example", [USER])
        smtp.command("QUIT", "quit")
        return smtp.dialogue
