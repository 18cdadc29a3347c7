"""Find out how many addresses the SPF record of a domain authorizes, together with the records that it includes.

The result is an upper bound, for warnings: addresses that an earlier term forbids are not subtracted. Pure except for the Lookup
that is passed in. Must end for any records, so the number of records and of names is limited.

RFC 7208 4.6.4 (limits), 5 (mechanisms), 6.1 (redirect).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from ...checks.spf_prefetch import MAX_HOSTS as MAX_MX_HOSTS
from ...checks.spf_prefetch import mx_hosts, record_text
from ...checks.spf_record import Mechanism, RecordError, parse
from ...net.names import canonical, parse_address
from ...net.networks import Network, Networks
from ...resolver.lookup import Answer, Lookup, Question
from ...text.escape import escaped

MAX_RECORDS = 40  # records in the tree of one domain that are read
MAX_HOSTS = 40  # names of `a` and `mx` in that tree that are looked up
MAX_TEXT = 100  # characters of a term or name in a text for the administrator


@dataclass(slots=True)
class Reach:
    """The clients that a domain's record authorizes.

    `networks`: their addresses.
    `everybody`: the term that matches every client; "" if there is none.
    `uncountable`: terms that depend on a name server's answer for each address.
    `lookups`: the number of terms that cause lookups, including those of included records.
    `voids`: the number of names of `a` and `mx` in them that are not found.
    `problem`: why the record, or an included one, cannot be read or evaluated; "" if it can."""

    networks: list[Network] = field(default_factory=list)
    everybody: str = ""
    uncountable: list[str] = field(default_factory=list)
    lookups: int = 0
    voids: int = 0
    problem: str = ""

    @property
    def is_nobody(self) -> bool:
        """True if the record authorizes no client, as far as the records could be read."""
        return not (self.networks or self.everybody or self.uncountable or self.problem)

    @property
    def ipv4_addresses(self) -> int:
        """The number of different IPv4 addresses."""
        found = Networks(each for each in self.networks if isinstance(each, IPv4Network))
        return sum(last - first + 1 for first, last in found.ranges4())

    @property
    def largest(self) -> Sequence[Network]:
        """The different networks: IPv4 before IPv6, and the largest first."""
        return sorted(set(self.networks), key=lambda each: (each.version, each.prefixlen, int(each.network_address)))


async def spf_reach(lookup: Lookup, domain: str) -> Reach:
    """Return what the record of a domain authorizes."""
    return await _Walk(lookup).walk(domain)


class _Walk:
    """The walk through the tree of one domain's records."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._reach = Reach()
        self._lookups: dict[str, int] = {}  # by domain: the terms that cause lookups, once the record is read
        self._open: list[str] = []  # domains whose records include each other
        self._hosts = 0

    async def walk(self, domain: str) -> Reach:
        """Add what the record of the domain authorizes. Return all that has been found so far."""
        reach = self._reach
        if domain in self._open:
            self._trouble(f"the record of {escaped(domain, MAX_TEXT)} includes itself")
        elif domain in self._lookups:
            reach.lookups += self._lookups[domain]  # each time that it is included, RFC 7208 4.6.4
        elif len(self._lookups) + len(self._open) < MAX_RECORDS:
            before = reach.lookups
            self._open.append(domain)
            await self._read(domain)
            self._open.pop()
            self._lookups[domain] = reach.lookups - before
        return reach

    async def _read(self, domain: str) -> None:
        reach = self._reach
        (answer,) = await self._lookup.ask((Question(domain, "TXT"),))
        text = record_text(answer)
        if not text:
            self._trouble(
                f"the record of {escaped(domain, MAX_TEXT)} could not be looked up ({answer.reason})"
                if answer.temporary
                else f"{escaped(domain, MAX_TEXT)} has no SPF record that can be evaluated"
            )
            return
        try:
            record = parse(text)
        except RecordError as error:
            self._trouble(f"the record of {escaped(domain, MAX_TEXT)} has an error: {escaped(str(error), MAX_TEXT)}")
            return
        for mechanism in record.mechanisms:
            reach.lookups += not mechanism.needs_no_lookup
            if mechanism.qualifier == "+":
                await self._add(mechanism, domain)
            if mechanism.kind == "all":  # what follows is never reached
                return
        if record.redirect:
            reach.lookups += 1
            await self._follow(record.redirect, f"redirect={record.redirect}")

    async def _add(self, mechanism: Mechanism, domain: str) -> None:
        reach, kind = self._reach, mechanism.kind
        if kind == "all":
            reach.everybody = reach.everybody or f"{mechanism.text} in the record of {escaped(domain, MAX_TEXT)}"
        elif kind == "ip4":
            reach.networks.append(IPv4Network((mechanism.network, mechanism.length4), strict=False))
        elif kind == "ip6":
            reach.networks.append(IPv6Network((mechanism.network, mechanism.length6), strict=False))
        elif kind == "include":
            await self._follow(mechanism.argument, mechanism.text)
        elif kind in ("a", "mx") and "%" not in mechanism.argument:
            await self._add_hosts(mechanism, canonical(mechanism.argument) or domain)
        else:
            reach.uncountable.append(escaped(mechanism.text, MAX_TEXT))

    async def _follow(self, argument: str, text: str) -> None:
        if "%" in argument:
            self._reach.uncountable.append(escaped(text, MAX_TEXT))
        else:
            await self.walk(canonical(argument))

    async def _add_hosts(self, mechanism: Mechanism, name: str) -> None:
        hosts = [name]
        if mechanism.kind == "mx":
            (answer,) = await self._lookup.ask((Question(name, "MX"),))
            hosts = [host for host in mx_hosts(answer) if host]
            self._note(answer, bool(hosts))
            if len(hosts) > MAX_MX_HOSTS:
                self._trouble(
                    f"{escaped(mechanism.text, MAX_TEXT)} has {len(hosts)} MX hosts, more than {MAX_MX_HOSTS}"
                )
                return
        hosts = hosts[: MAX_HOSTS - self._hosts]
        self._hosts += len(hosts)
        answers = await self._lookup.ask([Question(host, kind) for host in hosts for kind in ("A", "AAAA")])
        for pair in zip(answers[::2], answers[1::2], strict=True):  # of one host
            found = [address for answer in pair for address in map(parse_address, answer.names()) if address]
            for address in found:
                if address.version == 4:
                    self._reach.networks.append(IPv4Network((int(address), mechanism.length4), strict=False))
                else:
                    self._reach.networks.append(IPv6Network((int(address), mechanism.length6), strict=False))
            self._note(next((answer for answer in pair if answer.temporary), pair[0]), bool(found))

    def _note(self, answer: Answer, is_found: bool) -> None:
        """Note a name of `a` or `mx` for which there is no answer, or none that names an address."""
        if answer.temporary:
            name = escaped(answer.question.name, MAX_TEXT)
            self._trouble(f"{name} could not be looked up ({answer.reason})")
        self._reach.voids += not is_found and not answer.temporary

    def _trouble(self, text: str) -> None:
        self._reach.problem = self._reach.problem or text
