"""Which replies wait for DNS, through the running milter with the default rules.

A client with a confirmed reverse name never waits at RCPT; missing facts are waited for at the end of the message, and the log
has the time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.config.sample import sample
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import Conversation

DELAY = 1.5  # seconds until SPF is answered
NAMED, NAMELESS = "192.0.2.1", "192.0.2.2"
ZONE = f"""
{NAMED}             PTR mail.named.example
mail.named.example  A   {NAMED}
mail.named.example  TXT!DELAY {DELAY}
late.example        TXT v=spf1 ip4:192.0.2.0/24 -all
late.example        DELAY {DELAY}
"""
DEFAULT_RULES = "\n\n".join(parse(sample(), BUILT_IN).rules)


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as running:
        yield running


@pytest.fixture
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon({}, DEFAULT_RULES, server) as running:
        yield running


def greeted(daemon: Daemon, address: str, helo: str) -> Conversation:
    """A connection after MAIL, with SPF under way."""
    dialogue = Conversation(daemon.spec)
    dialogue.connect("x", address)
    dialogue.helo(helo)
    dialogue.mail("a@late.example")
    return dialogue


def test_with_a_confirmed_name_only_the_end_waits(server: NameServer, daemon: Daemon) -> None:
    with greeted(daemon, NAMED, "mail.named.example") as dialogue:
        assert server.queries.wait(1, "late.example", "TXT")
        for recipient in ("b@rcpt.example", "c@rcpt.example"):
            assert dialogue.rcpt(recipient).goes_on
        assert server.queries.outstanding == 2  # the records of both identities are still under way
        end = dialogue.end()
        assert server.queries.outstanding == 0
    assert end.reply.goes_on
    assert "spf=pass smtp.mailfrom=late.example" in end.changes[0].value
    (decision,) = daemon.wait_for_decisions(1)
    assert (decision["action"], decision["iprev"], decision["spf_mailfrom"]) == ("accept", "pass", "pass")
    assert float(decision["waited_ms"]) > 200
    assert float(decision["dns_ms"]) > 1000 * DELAY - 50


def test_without_a_name_the_recipient_waits(server: NameServer, daemon: Daemon) -> None:
    """SPF may still confirm or refute the client."""
    with greeted(daemon, NAMELESS, "nosuch.example") as dialogue:
        assert server.queries.wait(1, "late.example", "TXT")
        assert dialogue.rcpt("b@rcpt.example").goes_on
        assert server.queries.outstanding == 0
        end = dialogue.end()
    assert [change.name for change in end.changes] == ["X-Rdns-Milter", "Authentication-Results"]
    (decision,) = daemon.wait_for_decisions(1)
    assert (decision["action"], decision["rule"]) == ("tag", "no-reverse-name")
    assert float(decision["waited_ms"]) > 200


def test_postmaster_does_not_wait(server: NameServer, daemon: Daemon) -> None:
    with greeted(daemon, NAMELESS, "nosuch.example") as dialogue:
        assert server.queries.wait(1, "late.example", "TXT")
        assert dialogue.rcpt("postmaster@rcpt.example").goes_on
        assert server.queries.outstanding == 1
        assert dialogue.end().reply.goes_on
    (decision,) = daemon.wait_for_decisions(1)
    assert decision["rule"] == "postmaster"


def test_what_was_waited_for_is_known_afterwards(server: NameServer, daemon: Daemon) -> None:
    """The second message of the connection, and the next connection, do not wait."""
    with greeted(daemon, NAMED, "mail.named.example") as dialogue:
        dialogue.rcpt("b@rcpt.example")
        dialogue.end()
        asked = len(server.queries)
        dialogue.mail("other@late.example")
        dialogue.rcpt("b@rcpt.example")
        dialogue.end()
    daemon.judge(helo="mail.named.example", mailfrom="third@late.example")
    assert len(server.queries) == asked
    waited = [float(decision["waited_ms"]) for decision in daemon.decisions()]
    assert waited[0] > 0
    assert waited[1:] == [0, 0]
