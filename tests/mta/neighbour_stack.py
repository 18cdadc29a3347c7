"""The milter, and OpenDKIM, OpenDMARC, rspamd and SpamAssassin with it, behind one private Postfix: a port for each order of them.

    with stack({"dmarc": Chain("rdns-milter", "opendkim", "opendmarc")}, key) as running:
        outcome = running.deliver("dmarc", CORPUS["..."])

All ask the kit's name server. Nothing is checked here: tests do that.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tests.kit.filters import milters
from tests.kit.filters.dkim import DkimKey
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.endpoint import free_port, postfix_style
from tests.kit.mta.postfix import Postfix
from tests.kit.smtp.smtp_client import SmtpReply
from tests.mta.attached import DEADLINE, DEFAULT_RULES, HOST
from tests.mta.neighbour_corpus import RELAY, Mail, deliver, zone

LOCALHOST = "127.0.0.1"
OURS, DEFAULT = "rdns-milter", "rdns-milter with the default rules"


@dataclass(frozen=True, slots=True)
class Down:
    """A milter that does not run, and what Postfix does then."""

    default_action: str


Link = str | Down
Start = Callable[..., AbstractContextManager[str]]
Variant = tuple[str, Mapping[str, Any]]
Chain = tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: the last reply, and what is in the queue of it (empty if it was refused)."""

    reply: SmtpReply
    fields: tuple[tuple[str, str], ...] = ()
    message: str = ""

    def values(self, name: str) -> list[str]:
        """Return the values of these fields, from the top, each on one line."""
        return [" ".join(value.split()) for field, value in self.fields if field.lower() == name.lower()]

    def results(self) -> dict[str, set[str]]:
        """Return the results of each method in Authentication-Results fields under our name; of SPF only those of the sender."""
        ours = [value for value in self.values("Authentication-Results") if value.startswith(f"{HOST};")]
        found: dict[str, set[str]] = {}
        for part in (part for value in ours for part in value.split("; ")[1:]):
            match = re.match(r"(\w+)=(\w+)", part)
            if match and "smtp.helo" not in part:
                found.setdefault(match[1], set()).add(match[2])
        return found


class Stack:
    """The running programs. `.daemon`: the milter."""

    def __init__(self, daemon: Daemon, postfix: Postfix, ports: Mapping[str, int], key: DkimKey) -> None:
        self.daemon = daemon
        self._postfix = postfix
        self._ports = ports
        self._key = key

    def judge(self, chain: str, mail: Mail) -> tuple[dict[str, str], Outcome]:
        """Send a message through a chain that begins with the milter; return its decision, too."""
        before = len(self.daemon.decisions())
        outcome = self.deliver(chain, mail)
        return self.daemon.wait_for_decisions(before + 1)[before], outcome

    def deliver(self, chain: str, mail: Mail) -> Outcome:
        """Send a message through that chain."""
        dialogue = deliver((LOCALHOST, self._ports[chain]), mail, self._key)
        if not dialogue.accepted:
            return Outcome(dialogue.verdict)
        queue_id = dialogue.queue_id
        return Outcome(dialogue.verdict, tuple(self._postfix.headers(queue_id)), self._postfix.message(queue_id))


@contextlib.contextmanager
def stack(
    chains: Mapping[str, Chain],
    key: DkimKey,
    rules: str = DEFAULT_RULES,
    **variants: Variant,
) -> Iterator[Stack]:
    """Run it as long as the context lasts. A chain names its milters: rdns-milter, DEFAULT (the same with the default rules),
    opendkim, opendmarc, rspamd, spamassassin, or one of `variants`: which program, and its changed options."""
    wanted = {link for chain in chains.values() for link in chain if isinstance(link, str)}
    with contextlib.ExitStack() as running:
        server = running.enter_context(milters.resolver(zone(key)))
        relays = {"networks": [RELAY.address]}
        daemon = running.enter_context(Daemon({"milter": {"deadline": DEADLINE}, "relays": relays}, rules, server))
        sockets = {OURS: postfix_style(daemon.spec)}
        if DEFAULT in wanted:
            default = running.enter_context(Daemon({"milter": {"deadline": DEADLINE}}, DEFAULT_RULES, server))
            sockets[DEFAULT] = postfix_style(default.spec)
        starts: dict[str, Start] = {
            "opendkim": milters.opendkim,
            "opendmarc": milters.opendmarc,
            "rspamd": milters.rspamd,
        }
        for name, (program, changes) in (variants | {name: (name, {}) for name in starts}).items():
            if name in wanted:
                sockets[name] = running.enter_context(starts[program](server, **changes))
        if "spamassassin" in wanted:
            sockets["spamassassin"] = running.enter_context(milters.spamassassin(HOST))
        ports = {name: free_port() for name in chains}
        services = "".join(_service(ports[name], chain, sockets) for name, chain in chains.items())
        postfix = running.enter_context(Postfix(None, hold=True, myhostname=HOST, services=services))
        yield Stack(daemon, postfix, ports, key)


def _service(port: int, chain: Chain, sockets: Mapping[str, str]) -> str:
    """Return the line of master.cf for a port of its own."""
    links = [
        (f"inet:{LOCALHOST}:{free_port()}", link.default_action)
        if isinstance(link, Down)
        else (sockets[link], "tempfail")
        for link in chain
    ]
    return f"{LOCALHOST}:{port} inet n - n - - smtpd -o {{ smtpd_milters = {smtpd_milters(links)} }}\n"


def smtpd_milters(links: Sequence[tuple[str, str]]) -> str:
    """Return the value of smtpd_milters for these sockets and default actions."""
    return ", ".join(f"{{ {socket}, default_action={action} }}" for socket, action in links)
