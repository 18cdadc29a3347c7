"""Two machines: a Postfix that takes mail from clients and relays it, and a Postfix with the milter, for which it is a relay.

    python -m tests.mta.relayed            1,000 messages of all kinds of clients, by the default rules: what the relay bounced
    python -m tests.mta.relayed 100        100 of them

Exit status 1 if the relay bounced or deferred one, or if one got no decision. Needs root and Postfix.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import until
from tests.kit.mta.postfix import Postfix
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, send
from tests.mta.attached import DEFAULT_RULES, POSTMASTER, USER, ZONE, Attached, attached

RELAY, RELAY_HOST = "127.0.0.5", "backup.rcpt.example"  # an address of its own on loopback
_STATUS = re.compile(r"postfix/(?:smtp|relay|error|bounce|retry)\S*: .*\bstatus=(\w+)")


@dataclass
class Relayed:
    """A relay and, behind it, Postfix with the milter."""

    front: Postfix
    behind: Attached

    def send(
        self, client: Client, helo: str | bytes | None, mailfrom: str | bytes, *rcpts: str, **more: Any
    ) -> Dialogue:
        """Send a message to the relay, to USER unless other recipients are given."""
        return send(self.front.address, client, helo=helo, mailfrom=mailfrom, rcpts=rcpts or (USER,), **more)

    def relay(
        self, client: Client, helo: str | bytes | None, mailfrom: str | bytes, *rcpts: str, **more: Any
    ) -> dict[str, str]:
        """Send a message likewise, and wait until the relay has delivered it; return the one decision on it."""
        before = self.deliveries().total()
        assert self.send(client, helo, mailfrom, *rcpts, **more).accepted
        until(lambda: self.deliveries().total() > before)
        (decision,) = self.behind.new_decisions()
        return decision

    def deliveries(self) -> Counter[str]:
        """Return how many deliveries of the relay had each status: "sent", "deferred", "bounced"."""
        return Counter(_STATUS.findall(self.front.log()))


@contextlib.contextmanager
def relayed(server: NameServer, rules: str = DEFAULT_RULES, **sections: dict[str, Any]) -> Iterator[Relayed]:
    """Run both as long as the context lasts. `sections`: more of the milter's configuration."""
    behind_it: dict[str, Any] = {"relays": {"networks": [RELAY]}, "headers": {"trusted_networks": []}} | sections
    with (
        attached(server, rules, **behind_it) as behind,
        Postfix(
            myhostname=RELAY_HOST,
            relay_transport=f"smtp:[127.0.0.1]:{behind.postfix.port}",
            smtp_bind_address=RELAY,
            smtp_connection_cache_on_demand="yes",
        ) as front,
    ):
        yield Relayed(front, behind)


def relay_many(running: Relayed, count: int) -> Counter[tuple[str, str, str]]:
    """Send messages of all kinds of clients and wait until the relay has delivered them; return the number of decisions by rule,
    action and `would`."""
    from tests.mta.test_postfix import KINDS

    quick = [kind for kind in KINDS if kind[0] != "silent"]  # that client takes the whole deadline
    mail = [
        *(
            (client, helo, mailfrom, POSTMASTER if title == "postmaster" else USER)
            for title, client, helo, mailfrom, *_ in quick
        ),
        (Client("198.51.100.50"), "vps7.hosting.example", "joe@isp.example", USER),  # no reverse name
        (Client("198.51.100.30"), "[198.51.100.30]", "joe@isp.example", USER),  # an unconfirmed one
    ]
    before = running.deliveries().total()
    for number in range(count):
        client, helo, mailfrom, rcpt = mail[number % len(mail)]
        assert running.send(client, helo, mailfrom, rcpt).accepted
    until(lambda: running.deliveries().total() >= before + count, 60 + count)
    found = running.behind.new_decisions(count)
    return Counter((each["rule"], each["action"], each["would"]) for each in found)


def main() -> int:
    """Run the command."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with NameServer(ZONE) as server, relayed(server) as running:
        decisions, deliveries = relay_many(running, count), running.deliveries()
    for (rule, action, would), number in sorted(decisions.items()):
        print(f"{number:6}  {rule}: {action}{f', would {would}' if would else ''}")
    print(f"the relay's deliveries: {', '.join(f'{number} {status}' for status, number in deliveries.items())}")
    return 0 if deliveries == {"sent": count} else 1


if __name__ == "__main__":
    sys.exit(main())
