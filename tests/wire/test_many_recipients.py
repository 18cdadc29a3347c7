"""One message to 50,000 recipients through the running milter: each gets a reply, the log has their number, and memory does not
grow with them.

The grouping alone: tests/unit/session/test_recipients.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, NAMELESS
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import Conversation, deliver
from tests.kit.mta import process_usage

MANY = 50_000
ROOM = 8 * 1024  # KiB; one kept recipient of 200 bytes with its evidence took 0.8 KiB, so all of them 40 MiB
RULES: list[dict[str, Any]] = [
    {"name": "nameless", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"},
    {"name": "marked", "when": {"rcpt": "marked@"}, "action": "tag"},
]


@pytest.mark.parametrize("client", [GOOD, NAMELESS], ids=["taken", "refused"])
@pytest.mark.parametrize("ends", [True, False], ids=["end", "reset"])
def test_memory(server: NameServer, client: Any, ends: bool) -> None:
    with Daemon(rules=RULES, nameserver=server) as daemon:
        deliver(daemon.spec, client=client, helo=GOOD_HELO)
        daemon.wait_for_decisions(1)
        workers = daemon.workers()
        with Conversation(daemon.spec) as talk:
            talk.connect(client.hostname, client.address)
            talk.helo(GOOD_HELO)
            talk.mail(GOOD_FROM)
            seen, peak = [], 0
            for number in range(MANY):
                local = "marked" if number % 100 == 5 else "b" * 180 + str(number)
                assert talk.rcpt(f"{local}@rcpt.example").goes_on == (client is GOOD)
                if number == 100:
                    before = process_usage.figures(workers).memory
                elif number % 1000 == 0:
                    seen.append(process_usage.figures(workers).memory)
            peak = max(seen)
            assert peak - before < ROOM, (before, seen)
            if ends:
                talk.end()
            else:
                talk.abort()
            refused = client is NAMELESS
            lines = (2 if not refused else 1) if ends or refused else 0
            decisions = daemon.wait_for_decisions(1 + lines)[1:]
            until(lambda: process_usage.figures(workers).memory - before < ROOM)
            assert deliver(daemon.spec, client=client, helo=GOOD_HELO).accepted != refused
        assert daemon.workers() == workers
    numbers = {(each["action"], each["rule"]): int(each["nrcpt"]) for each in decisions}
    if refused:
        assert numbers == {("reject", "nameless"): MANY}
    elif ends:
        assert numbers == {("accept", "default"): MANY - MANY // 100, ("tag", "marked"): MANY // 100}
    else:
        assert numbers == {}
