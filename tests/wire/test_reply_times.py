"""Which replies wait for DNS, through the running milter with the default rules.

A client with a confirmed reverse name never waits at RCPT; missing facts are waited for at the end of the message, and the log
has the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.conversation import End
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.packets import strings
from tests.kit.milter.transaction import Conversation
from tests.kit.milter.waiting.clients import DNS, MILTER, answered
from tests.kit.milter.waiting.unread_packets import count_unserved

WAIT = 0.5  # seconds for which a session waits at least
NAMED, NAMELESS = "192.0.2.1", "192.0.2.2"
ZONE = f"""
{NAMED}             PTR mail.named.example
mail.named.example  A   {NAMED}
mail.late.example   A   {NAMED}
mail.late.example   TXT "v=spf1 a -all"
late.example        TXT v=spf1 ip4:192.0.2.0/24 -all
"""
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as running:
        running.hold("late.example")
        yield running


@pytest.fixture
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon({"milter": MILTER, "dns": DNS}, DEFAULT_RULES, server) as running:
        yield running


def greeted(daemon: Daemon, address: str, helo: str) -> Conversation:
    """A connection after MAIL, with SPF under way."""
    dialogue = Conversation(daemon.spec)
    dialogue.connect("x", address)
    dialogue.helo(helo)
    dialogue.mail("a@late.example")
    return dialogue


def waits(server: NameServer, dialogue: Conversation, command: bytes, argument: bytes = b"") -> End:
    """Send a command, which must not be answered until DNS answers; return the reply."""
    dialogue.send_packet(command, argument)
    until(lambda: not count_unserved([dialogue.socket]))
    time.sleep(WAIT)
    assert answered([dialogue]) == 0
    server.release()
    return dialogue.read_end()


def test_with_a_confirmed_name_only_the_end_waits(server: NameServer, daemon: Daemon) -> None:
    with greeted(daemon, NAMED, "mail.late.example") as dialogue:
        until(lambda: server.held == 3)  # both identities' SPF records, and the address of the HELO name
        for recipient in ("b@rcpt.example", "c@rcpt.example"):
            assert dialogue.rcpt(recipient).goes_on
        assert server.held == 3
        end = waits(server, dialogue, b"E")
    assert end.reply.goes_on
    assert "spf=pass smtp.mailfrom=late.example" in end.changes[0].value
    (decision,) = daemon.wait_for_decisions(1)
    assert (decision["action"], decision["iprev"], decision["spf_mailfrom"]) == ("accept", "pass", "pass")
    assert 0 < float(decision["waited_ms"]) <= float(decision["dns_ms"])


def test_without_a_name_the_recipient_waits(server: NameServer, daemon: Daemon) -> None:
    """SPF may still confirm or refute the client."""
    with greeted(daemon, NAMELESS, "nosuch.example") as dialogue:
        until(lambda: server.held == 1)
        assert waits(server, dialogue, b"R", strings("<b@rcpt.example>")).reply.goes_on
        end = dialogue.end()
    assert [change.name for change in end.changes] == ["X-Rdns-Milter", "Authentication-Results"]
    (decision,) = daemon.wait_for_decisions(1)
    assert (decision["action"], decision["rule"]) == ("tag", "no-reverse-name")
    assert float(decision["waited_ms"]) > 0


def test_postmaster_does_not_wait(server: NameServer, daemon: Daemon) -> None:
    with greeted(daemon, NAMELESS, "nosuch.example") as dialogue:
        until(lambda: server.held == 1)
        assert dialogue.rcpt("postmaster@rcpt.example").goes_on
        assert server.held == 1
        server.release()
        assert dialogue.end().reply.goes_on
    (decision,) = daemon.wait_for_decisions(1)
    assert decision["rule"] == "postmaster"


def test_what_was_waited_for_is_known_afterwards(server: NameServer, daemon: Daemon) -> None:
    """The second message of the connection, and the next connection, do not wait."""
    with greeted(daemon, NAMED, "mail.late.example") as dialogue:
        dialogue.rcpt("b@rcpt.example")
        waits(server, dialogue, b"E")
        asked = len(server.queries)
        dialogue.mail("other@late.example")
        dialogue.rcpt("b@rcpt.example")
        dialogue.end()
    daemon.judge(helo="mail.late.example", mailfrom="third@late.example")
    assert len(server.queries) == asked
    waited = [float(decision["waited_ms"]) for decision in daemon.decisions()]
    assert waited[0] > 0
    assert waited[1:] == [0, 0]
