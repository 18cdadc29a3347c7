"""The session of `rdns-milter check`: gives the milter the commands of one client as an MTA would, without an MTA.

With `--via` the relay is connected, and the client is named in a Received field. The milter's own Session judges. Prints nothing:
check_text.py does.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from datetime import date

from ...config.load import Config
from ...logs.decision_keys import Decision
from ...net.endpoints import Endpoint
from ...net.names import Address
from ...policy.rules import Verdict
from ...resolver.lookup import Answer
from ...session.dns_thread import DnsThread
from ...session.modifications import Modifications
from ...session.service import Service
from ...session.session import Session


@dataclass(frozen=True, slots=True)
class Client:
    """The client to judge, with its commands to the MTA. `via`: the relay that hands on its message; None if the client is
    connected itself."""

    address: Address
    helo: str = ""
    mailfrom: str = ""
    rcpt: str = ""
    via: Address | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a check. `trail`: the DNS answers in the order of their questions."""

    decision: Decision
    trail: tuple[Answer, ...]
    modifications: Modifications

    @property
    def verdict(self) -> Verdict:
        """The verdict on the one recipient."""
        return self.decision.verdict


def examine(client: Client, config: Config, servers: tuple[Endpoint, ...], hostname: str = "") -> Outcome:
    """Run a session in which the client sends a message to one recipient. Makes DNS queries. `hostname`: of the receiver; "" for
    the name of this host."""
    hostname = hostname or socket.gethostname()
    decisions: list[Decision] = []
    bugs: list[BaseException] = []
    with DnsThread(config, servers, lambda where, error: bugs.append(error)) as dns_thread:
        service = Service(config, dns_thread.check_runner, decisions.append, date.today, time.monotonic, hostname)
        session = Session(service)
        relay = client.via
        session.connect(relay or client.address, hostname)
        if greeting := f"[{relay}]" if relay else client.helo:
            session.helo(greeting)
        session.mail(client.mailfrom)
        refused = session.rcpt(client.rcpt) is not None
        if relay:
            session.field("Received", f"from {client.helo or 'unknown'} (unknown [{client.address}]) by [{relay}]")
        modifications = session.end()
        trail = tuple(session.trail())
    if bugs:
        raise bugs[0]
    return Outcome(decisions[0], trail, Modifications() if refused else modifications)
