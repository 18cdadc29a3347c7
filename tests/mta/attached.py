"""The milter attached to a private Postfix or Sendmail, with the DNS of their clients.

Clients take any identity: with Postfix by XCLIENT, with Sendmail by their addresses in a network namespace. DNS is the kit's name
server. Nothing is checked here: tests do that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rdns_milter.config.sample import sample
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.mta.postfix import Postfix
from tests.kit.mta.sendmail import Root, Sendmail
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, send

HOST = "mx.rcpt.example"
USER, POSTMASTER, ABUSE = "user@rcpt.example", "Postmaster@rcpt.example", "abuse@rcpt.example"
ZONE = Zone(
    """
    192.0.2.10            PTR   mail.good.example
    2001:db8::10          PTR   mail.good.example
    mail.good.example     A     192.0.2.10
    mail.good.example     AAAA  2001:db8::10
    good.example          TXT   "v=spf1 a:mail.good.example -all"
    soft.example          TXT   "v=spf1 ~all"
    twice.example         TXT   "v=spf1 -all"
    twice.example         TXT   "v=spf1 +all"
    192.0.2.11            PTR   odd.good.example
    odd.good.example      A     192.0.2.11
    odd.good.example      TXT   "v=spf1 -all"
    198.51.100.30         PTR   mail.good.example
    198.51.100.31         PTR   gone.good.example
    vps7.hosting.example  A     198.51.100.50
    203.0.113.44          PTR   203-0-113-44.dyn.isp.example
    203-0-113-44.dyn.isp.example  A  203.0.113.44
    198.51.100.80         PTR!SERVFAIL
    mail.unlucky.example  SERVFAIL
    unlucky.example       SERVFAIL
    198.51.100.81         PTR!SERVFAIL
    198.51.100.90         PTR!SILENT
    *.100.18.198.in-addr.arpa  SILENT
    mail.asleep.example   SILENT
    asleep.example        SILENT
    """
)
DEFAULT_RULES = sample()[sample().index("\n[[rule]]") :]
DEADLINE = 2.0
GOOD = Client("192.0.2.10", name="mail.good.example")
BAD = Client("198.51.100.20")
GOOD_HELO, GOOD_FROM = "mail.good.example", "anna@good.example"
BAD_HELO, BAD_FROM = "mail.nothing.example", "offer@nothing.example"


@dataclass
class Milter:
    """A milter that is attached to an MTA."""

    daemon: Daemon
    _seen: int = field(default=0, init=False)

    def new_decisions(self, count: int = 1) -> list[dict[str, str]]:
        """Wait for this many decisions beyond those already returned, and return them; more are an error."""
        before, self._seen = self._seen, self._seen + count
        decisions = self.daemon.wait_for_decisions(self._seen)
        assert len(decisions) == self._seen
        return decisions[before:]


@dataclass
class Attached(Milter):
    """A Postfix with the milter attached."""

    postfix: Postfix

    def send(
        self, client: Client, helo: str | bytes | None, mailfrom: str | bytes, *rcpts: str, **more: Any
    ) -> Dialogue:
        """Send a message, to USER unless other recipients are given."""
        return send(self.postfix.address, client, helo=helo, mailfrom=mailfrom, rcpts=rcpts or (USER,), **more)


@dataclass
class AttachedSendmail(Milter):
    """A Sendmail with the milter attached."""

    sendmail: Sendmail

    def send(
        self, client: Client, helo: str | bytes | None, mailfrom: str | bytes, *rcpts: str, **more: Any
    ) -> Dialogue:
        """Send a message, to USER unless other recipients are given."""
        connect_as = self.sendmail.connect_as
        return send(
            self.sendmail.address,
            client,
            helo=helo,
            mailfrom=mailfrom,
            rcpts=rcpts or (USER,),
            connect_as=connect_as,
            **more,
        )


@contextlib.contextmanager
def attached(
    server: NameServer,
    rules: str = DEFAULT_RULES,
    *,
    socket: str = "unix",
    hold: bool = True,
    postfix: dict[str, str] | None = None,
    **sections: dict[str, Any],
) -> Iterator[Attached]:
    """Run Postfix and the milter as long as the context lasts. `sections`: the milter's configuration; `postfix`: main.cf
    settings."""
    ours = {"deadline": DEADLINE, "socket_group": "postfix"}
    sections["milter"] = ours | sections.get("milter", {})
    with (
        Daemon(sections, rules, server, socket=socket) as daemon,
        Postfix(daemon.spec, hold=hold, myhostname=HOST, **(postfix or {})) as running,
    ):
        yield Attached(daemon, running)


@contextlib.contextmanager
def attached_sendmail(
    server: NameServer,
    rules: str = DEFAULT_RULES,
    *,
    socket: str = "unix",
    sendmail: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> Iterator[AttachedSendmail]:
    """Run Sendmail and the milter as long as the context lasts. `sections`: the milter's configuration; `sendmail`: arguments of
    Sendmail."""
    sections["milter"] = {"deadline": DEADLINE} | sections.get("milter", {})
    with (
        Root() as root,
        Daemon(sections, rules, server, socket=socket, place=root.media) as daemon,
        Sendmail(daemon.spec, root=root, **({"host": HOST} | (sendmail or {}))) as running,
    ):
        yield AttachedSendmail(daemon, running)


def facts(decision: dict[str, str], expected: str) -> str:
    """Return the pairs of the decision that `expected` names, in the form of `expected`."""
    return " ".join(f"{key}={decision[key]}" for key in (pair.partition("=")[0] for pair in expected.split()))
