"""Look up what the rules ask about one client by name: SPF of providers, and DNS lists.

Asks only what a rule asks, each domain and each list once for a connection. Never waits and never judges.

RFC 7208 4 (check_host), RFC 5782 2 (DNS lists).
"""

from __future__ import annotations

from typing import Any

from ..checks.evidence import PASS, TEMPERROR, UNKNOWN, Sources, Spf, source
from ..config.load import Config
from ..net.names import Address
from ..policy.rules import Policy
from .check_runner import Answers, CheckRunner, PendingFact


class AskedSources:
    """The providers and DNS lists that the rules ask about one client. `named_facts`: their results, by the name of the source."""

    __slots__ = ("_dns_lists", "_policy", "_providers", "named_facts")

    def __init__(self) -> None:
        self.named_facts: dict[str, PendingFact[Any]] = {}
        self._policy: Policy | None = None
        self._providers: dict[str, PendingFact[Spf]] = {}
        self._dns_lists: dict[tuple[str, str], PendingFact[Answers]] = {}  # by name and zone

    def start(self, address: Address, policy: Policy, config: Config, check_runner: CheckRunner) -> None:
        """Start the lookups that the policy asks for and that are not started yet. Cancel those that it does not ask for: after a
        reload its rules or the zone of a list can be others."""
        if policy is self._policy:
            return
        before, self._policy = self.named_facts, policy
        self._providers = {
            domain: self._providers.get(domain) or check_runner.start_client_spf(address, domain, config)
            for domain in policy.providers
        }
        self._dns_lists = {
            (name, zone): self._dns_lists.get((name, zone)) or check_runner.start_dns_list(address, zone, config)
            for name, zone in policy.dnslists
        }
        self.named_facts = {
            **{source("client_spf", domain): fact for domain, fact in self._providers.items()},
            **{source("dnslist", name): fact for (name, _), fact in self._dns_lists.items()},
        }
        kept = frozenset(self.named_facts.values())
        check_runner.cancel(*(fact for fact in before.values() if fact not in kept))

    def client_spf(self, late: bool) -> Sources:
        """Return each provider with its result. A missing result is unknown or, if `late`, `temperror`."""
        missing = TEMPERROR if late else UNKNOWN
        return tuple(
            (domain, _provider_result(fact.value.result) if fact.value else missing)
            for domain, fact in self._providers.items()
        )

    def dnslist(self, late: bool) -> Sources:
        """Return each DNS list with its answer, once for each answer. A missing answer is unknown or, if `late`, `temperror`."""
        missing = (TEMPERROR if late else UNKNOWN,)
        return tuple((name, answer) for (name, _), fact in self._dns_lists.items() for answer in fact.value or missing)


def _provider_result(result: str) -> str:
    return result if result in (PASS, TEMPERROR) else "none"
