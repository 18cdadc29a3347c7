"""One SMTP client: start the checks of its address, HELO name and senders, and return the facts that are known so far.

The client is the host that is connected, or the one behind a relay of ours. Never waits and never judges. Never starts a lookup for
a client or a message that is exempt.

RFC 5321 4.1.4 (a second EHLO starts anew), RFC 7208 2.4 (SPF of the null sender is that of the HELO name).
"""

from __future__ import annotations

from ..checks import helo as helo_check
from ..checks.evidence import UNKNOWN, Helo, Spf
from ..checks.spf import helo_mailbox
from ..config.load import Config
from ..net.mailboxes import Mailbox
from ..net.names import Address
from ..policy.rules import Policy
from .asked_sources import AskedSources
from .check_runner import (
    LATE_HELO,
    LATE_REVERSE_NAME,
    UNKNOWN_REVERSE_NAME,
    Answers,
    CheckRunner,
    HeloResult,
    PendingFact,
    ReverseName,
)
from .receiver import Receiver

MAX_HELO = 1000  # characters of a HELO name that are looked at; RFC 5321 4.5.3.1.2 requires 255
_UNKNOWN_HELO = Helo()
AnyFact = PendingFact[ReverseName] | PendingFact[HeloResult] | PendingFact[Spf] | PendingFact[Answers]


class Client:
    """One client. Its iprev starts at once, unless it is exempt or has no IP address.

    `address`: None if it has no IP address.
    `exempt`: why it is not judged; "" if it is judged.
    `via`: the relay that hands on its mail; None if there is no relay.
    `helo_name`: as it was sent.
    `sources`: what the rules ask about it; None if they ask nothing."""

    __slots__ = (
        "_check_runner", "_config", "_helo", "_helo_result", "_receiver", "_reverse_name", "address", "exempt", "helo_name",
        "sources", "spf_helo", "via",
    )  # fmt: skip

    def __init__(
        self,
        address: Address | None,
        exempt: str,
        config: Config,
        receiver: Receiver,
        check_runner: CheckRunner,
        via: Address | None = None,
    ) -> None:
        self.address = address
        self.exempt = exempt
        self.via = via
        self.helo_name = ""
        self.spf_helo: PendingFact[Spf] = PendingFact()
        self._config = config
        self._receiver = receiver
        self._check_runner = check_runner
        self._helo = _UNKNOWN_HELO  # as far as it is known without DNS
        self._helo_result: PendingFact[HeloResult] = PendingFact()
        if address is None or exempt:
            self._reverse_name: PendingFact[ReverseName] = PendingFact()
        else:
            self._reverse_name = check_runner.start_reverse_name(address, config)
        self.sources: AskedSources | None = None

    def start_sources(self, policy: Policy, config: Config) -> None:
        """Start SPF of the providers and the queries of the DNS lists that the policy asks for, if they are not started yet."""
        if self.address is None or self.exempt:
            return
        if self.sources is None:
            self.sources = AskedSources()
        self.sources.start(self.address, policy, config, self._check_runner)

    def helo(self, name: str) -> None:
        """Take the HELO name, which replaces an earlier one, and start its checks."""
        name = name[:MAX_HELO]
        if self.address is None or self.exempt:
            self.helo_name = name
            self._helo = Helo(helo_check.kind(name), "no", "none", "none")
            return
        if name == self.helo_name and name:
            return
        self.helo_name = name
        check_runner, config, receiver = self._check_runner, self._config, self._receiver
        check_runner.cancel(self._helo_result, self.spf_helo)
        own = helo_check.own(name, self.address, receiver.own_names, receiver.own_addresses)
        self._helo = Helo(helo_check.kind(name), own)
        self._helo_result = check_runner.start_helo(self.address, name, config)
        self.spf_helo = check_runner.start_spf(self.address, helo_mailbox(name), name, config, receiver.name)

    def set_helo_missing(self) -> None:
        """Note that the client has begun a message without HELO."""
        if not self.helo_name and not self.exempt:
            self._helo = Helo("missing", "no", "none", "none")
            self.spf_helo = PendingFact(Spf("none"))

    def start_spf(self, sender: Mailbox, config: Config, exempt: str) -> PendingFact[Spf]:
        """Start SPF of a sender. For the null sender SPF of the HELO name takes its place. `exempt`: why the message is not judged,
        "" if it is. A message can be exempt although its client is not: the client may have logged in."""
        if self.address is None or exempt:
            return PendingFact(Spf("none"))
        if sender.is_null:
            return self.spf_helo
        return self._check_runner.start_spf(self.address, sender, self.helo_name, config, self._receiver.name)

    def cancel_spf(self, spf: PendingFact[Spf]) -> None:
        """Stop SPF of a sender, unless it is that of the HELO name, which the next message may need."""
        if spf is not self.spf_helo:
            self._check_runner.cancel(spf)

    def cancel(self) -> None:
        """Stop the checks of address and HELO name."""
        self._check_runner.cancel(self._reverse_name, self._helo_result, self.spf_helo)
        if self.sources is not None:
            self._check_runner.cancel(*self.sources.named_facts.values())

    def facts(self, spf: PendingFact[Spf]) -> dict[str, AnyFact]:
        """Return the facts that checks find, by their names. `spf`: SPF of the sender."""
        facts: dict[str, AnyFact] = {"iprev": self._reverse_name, "spf_helo": self.spf_helo, "spf_mailfrom": spf}
        if self._helo.result == UNKNOWN:
            facts["helo"] = self._helo_result
        if self.sources is not None:
            facts.update(self.sources.named_facts)
        return facts

    def all_facts(self, spf: PendingFact[Spf]) -> tuple[AnyFact, ...]:
        """Return all facts in the order of the checks, including those that need no lookup."""
        facts = self._reverse_name, self._helo_result, self.spf_helo, spf
        return facts if self.sources is None else (*facts, *self.sources.named_facts.values())

    def reverse_name(self, late: bool) -> ReverseName:
        """Return the facts that depend on the address. Missing facts are unknown or, if `late`, `temperror`."""
        return self._reverse_name.value or (LATE_REVERSE_NAME if late else UNKNOWN_REVERSE_NAME)

    def helo_fact(self, reverse: ReverseName, late: bool) -> Helo:
        """Return the facts about the HELO name. Missing facts are unknown or, if `late`, `temperror`. `reverse`: the facts that
        depend on the address."""
        helo = self._helo
        found = self._helo_result.value or (LATE_HELO if late else None)
        result, reason = helo.result, ""
        if result == UNKNOWN and found is not None:
            result, reason = found.result, found.reason
        match = UNKNOWN
        if reverse is not UNKNOWN_REVERSE_NAME:
            match = helo_check.match(self.helo_name, reverse.iprev.names)
        return Helo(helo.kind, helo.own, result, match, reason)
