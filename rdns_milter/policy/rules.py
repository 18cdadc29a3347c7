"""Records of a policy: rules, their conditions and values, and the verdict on a recipient.

Holds no judgement: policy/decide.py evaluates the rules. Every record is frozen, does no I/O and knows no SMTP dialogue.

RFC 3463 2 (enhanced status codes), RFC 5321 4.5.3.1.10 (too many recipients), RFC 8601 5 (forged Authentication-Results).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import date

from ..checks.evidence import FACTS, source
from ..net.mailboxes import parse_mailbox
from ..net.networks import Networks

ACCEPT, TAG, TEMPFAIL, REJECT, QUARANTINE = ACTIONS = ("accept", "tag", "tempfail", "reject", "quarantine")
# Actions that never follow from a temporary DNS error.
REFUSALS = frozenset((REJECT, QUARANTINE))
# Actions after which RCPT is answered with 250; tag and quarantine take effect at the end of the message.
TAKEN = frozenset((ACCEPT, TAG, QUARANTINE))
# Actions that hand the message on to the recipient, and those that do not, for now or for good.
LET_IN = frozenset((ACCEPT, TAG))
# Actions that are a reply to the client.
REPLIED = frozenset((TEMPFAIL, REJECT))
KEPT_OUT = frozenset((TEMPFAIL, REJECT, QUARANTINE))
ENFORCE, OBSERVE = MODES = ("enforce", "observe")
DEFAULT_RULE = "default"
# An enhanced status code (RFC 3463 2).
ENHANCED_CODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z")
MAX_FORGED = 100  # forged header fields that are removed; a message with more is refused


@dataclass(frozen=True, slots=True)
class Words:
    """Values of a fact. The condition holds if the fact has any of them."""

    words: frozenset[str]

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)


@dataclass(frozen=True, slots=True)
class Names:
    """Host names. `exact`: matched as a whole; `suffixes`, with a leading dot: match every name below them."""

    exact: Set[str] = frozenset()
    suffixes: Set[str] = frozenset()

    def match(self, name: str) -> bool:
        """Return whether a canonical name is in `exact` or below one of `suffixes`."""
        if name in self.exact:
            return True
        if not self.suffixes:
            return False
        dots = [index for index, letter in enumerate(name) if letter == "." and index]
        return any(name[dot:] in self.suffixes for dot in dots)


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Envelope addresses. `addresses`: matched as a whole; `locals`: local parts, in any domain; `domains`: as in Names; `null`:
    True if the null sender matches."""

    addresses: Set[str] = frozenset()
    locals: Set[str] = frozenset()
    domains: Names = Names()
    null: bool = False

    def match(self, path: str) -> bool:
        """Return whether a path, with or without angle brackets, matches. Local parts are compared without regard to case."""
        mailbox = parse_mailbox(path)
        if mailbox.is_null:
            return self.null
        local = mailbox.local.lower()
        return (
            f"{local}@{mailbox.domain}" in self.addresses
            or local in self.locals
            or (bool(mailbox.domain) and self.domains.match(mailbox.domain))
        )


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains. The condition holds if SPF of one of them passes for the client."""

    names: frozenset[str] = frozenset()


Octets = tuple[tuple[int, int], ...]  # the range of each byte of an IPv4 address


@dataclass(frozen=True, slots=True)
class Listing:
    """An entry of a DNS list. `name`: the list's name in the configuration; `zone`: its domain; `octets`: the answers that count,
    () for any."""

    name: str
    zone: str
    octets: Octets = ()

    def match(self, answer: str) -> bool:
        """Return whether an answer, an IPv4 address, is one of those that count."""
        numbers = answer.split(".")
        return not self.octets or (
            len(numbers) == len(self.octets)
            and all(
                number.isdecimal() and low <= int(number) <= high
                for number, (low, high) in zip(numbers, self.octets, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class Listings:
    """Entries of DNS lists. The condition holds if the client has one of them."""

    entries: frozenset[Listing] = frozenset()


Values = Words | Networks | Names | Mailboxes | Domains | Listings | bool | float


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule. `name`: a fact or a key of decide.CONDITIONS; `values`: what it is compared with."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `action`: "" for a rule that only adds to the score. `code`, `enhanced`, `text`: 0 or "" for the default
    reply. `until`: the last day on which the rule is in force."""

    name: str
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    action: str = ""
    score: float = 0.0
    shadow: bool = False
    code: int = 0
    enhanced: str = ""
    text: str = ""
    until: date | None = None

    def facts(self) -> frozenset[str]:
        """Return the names of the facts that the conditions use; `ptr` uses `iprev`."""
        names = {condition.name for condition in self.when + self.unless}
        if "ptr" in names:
            names.add("iprev")
        return frozenset(names & FACTS.keys())

    def tested(self) -> frozenset[str]:
        """Return the names of the facts and sources that the conditions use."""
        return self.facts() | frozenset(_sources(self.when + self.unless))


def _sources(conditions: Iterable[Condition]) -> Iterator[str]:
    """Yield the sources that the conditions use, and their kinds. A kind stands for its sources if it is not known which were
    asked."""
    for condition in conditions:
        if isinstance(condition.values, Domains):
            yield condition.name
            yield from (source(condition.name, name) for name in condition.values.names)
        elif isinstance(condition.values, Listings):
            yield condition.name
            yield from (source(condition.name, entry.name) for entry in condition.values.entries)


# Decides if a message has more forged fields than are removed.
FORGED_RESULTS = Rule(
    "limit:forged-results",
    action=REJECT,
    code=550,
    enhanced="5.7.0",
    text=f"The message has more than {MAX_FORGED} header fields (Authentication-Results, Received-SPF) that claim to be written"
    " by the receiving system; remove them",
)

# Defers a recipient if the message already has the maximum number of recipient groups (RFC 5321 4.5.3.1.10).
TOO_MANY_RECIPIENTS = Rule(
    "limit:recipients",
    action=TEMPFAIL,
    code=452,
    enhanced="4.5.3",
    text="Too many recipients with different local policies; send to the remaining recipients in another message",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order, mode, and the digest by which the log identifies the rules. `providers`: the domains whose SPF record the
    client is checked against; `dnslists`: name and zone of each DNS list that is asked."""

    rules: tuple[Rule, ...] = ()
    mode: str = ENFORCE
    digest: str = ""
    providers: tuple[str, ...] = ()
    dnslists: tuple[tuple[str, str], ...] = ()

    @property
    def asks(self) -> bool:
        """Return whether the rules ask providers or DNS lists."""
        return bool(self.providers or self.dnslists)

    def in_force(self, day: date) -> Policy:
        """Return the policy without the rules that end before that day (`until`), and without the providers and lists that only
        these rules ask."""
        rules = tuple(rule for rule in self.rules if rule.until is None or day <= rule.until)
        if len(rules) == len(self.rules):
            return self
        providers, dnslists = asked_by(rules) if self.asks else ((), ())
        return replace(self, rules=rules, providers=providers, dnslists=dnslists)


def asked_by(rules: Iterable[Rule]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the providers and the DNS lists that the rules ask, as in Policy."""
    values = [condition.values for rule in rules for condition in rule.when + rule.unless]
    domains = {name for each in values if isinstance(each, Domains) for name in each.names}
    lists = {(entry.name, entry.zone) for each in values if isinstance(each, Listings) for entry in each.entries}
    return tuple(sorted(domains)), tuple(sorted(lists))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a recipient.

    `action`: one of ACTIONS. `rule`: the rule's name, `default`, `exempt:...` or `limit:...`; `because`: that rule, None for
    `default` and `exempt:...`. `shadow_rules`: the shadow rules that matched. `withheld`: the action that the rules call for, if
    observe mode or a relay does not allow it; else "". `would`: `withheld`; if that is "", the action of each of `shadow_rules`.
    `softened`: True if a refusal became `tempfail`, because it depends on a temporary DNS error."""

    action: str = ACCEPT
    rule: str = DEFAULT_RULE
    score: float = 0.0
    would: tuple[str, ...] = ()
    shadow_rules: tuple[str, ...] = ()
    because: Rule | None = None
    softened: bool = False
    withheld: str = ""
