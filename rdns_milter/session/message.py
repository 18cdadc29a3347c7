"""The current message of a session: its envelope, its client, and the evidence on it as far as it is known.

Never waits and never judges.

RFC 5321 2.3.1 (the envelope).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..checks.evidence import UNKNOWN, Evidence, Spf, exempted
from ..config.load import Config
from ..net.alignment import alignment
from ..net.mailboxes import Mailbox
from ..net.relay_path import RelayPath
from ..policy.rules import Policy
from ..responses.incoming_fields import IncomingFields
from .check_runner import LATE_SPF, UNKNOWN_REVERSE_NAME, UNKNOWN_SPF, PendingFact
from .client import AnyFact, Client
from .recipients import Recipients


@dataclass(slots=True)
class Message:
    """One message.

    `path`, `sender`: of MAIL FROM.
    `client`: the client that is judged.
    `spf`: SPF of the sender.
    `exempt`: why the message is not judged; "" if it is judged.
    `queue_id`: "" until the MTA gives it one.
    `fields`: the header fields that claim to be ours; None if none is to be removed.
    `relay_path`: its path through our relays; None if the client is connected directly.
    `waited_ms`: milliseconds that the MTA was kept waiting for it.
    `given_up`: names of the facts that it stopped waiting for.
    `complete`: the evidence with all facts, and the client that it is about; None as long as facts are missing."""

    config: Config
    policy: Policy
    path: str
    sender: Mailbox
    client: Client
    spf: PendingFact[Spf]
    recipients: Recipients
    authenticated: bool = False
    tls: bool = False
    exempt: str = ""
    queue_id: str = ""
    fields: IncomingFields | None = None
    relay_path: RelayPath | None = None
    waited_ms: float = 0.0
    given_up: frozenset[str] = frozenset()
    complete: tuple[Client, Evidence] | None = None

    @property
    def forged(self) -> int:
        """The number of header fields of the message that claim to be ours."""
        return self.fields.forged if self.fields else 0

    def facts(self) -> dict[str, AnyFact]:
        """Return the facts that checks find for the message, by their names; no facts if it is not judged."""
        return {} if self.exempt else self.client.facts(self.spf)

    def evidence(self, recipient: str = "", late: bool = False, is_complete: bool = False) -> Evidence:
        """Return what is known now. A missing fact is unknown or, if `late`, `temperror`. `is_complete`: no fact is missing."""
        client, sources = self.client, self.client.sources
        if self.complete is not None:  # facts do not change any more
            about, evidence = self.complete
            if about is client and evidence.rcpt == recipient and evidence.forged == self.forged:
                return evidence
        reverse = client.reverse_name(late)
        missing_spf = LATE_SPF if late else UNKNOWN_SPF
        is_known = reverse is not UNKNOWN_REVERSE_NAME
        evidence = Evidence(
            client=client.address,
            helo_name=client.helo_name,
            mailfrom=self.path,
            rcpt=recipient,
            authenticated=self.authenticated,
            tls=self.tls,
            iprev=reverse.iprev,
            generic=reverse.generic,
            helo=client.helo_fact(reverse, late),
            spf_helo=client.spf_helo.value or missing_spf,
            spf_mailfrom=self.spf.value or missing_spf,
            mailfrom_match=alignment(self.sender.domain, reverse.iprev.names) if is_known else UNKNOWN,
            forged=self.forged,
            via=client.via,
            client_spf=sources.client_spf(late) if sources else (),
            dnslist=sources.dnslist(late) if sources else (),
        )
        if self.exempt:
            return exempted(evidence, self.exempt)
        if is_complete:
            self.complete = client, evidence
        return evidence
