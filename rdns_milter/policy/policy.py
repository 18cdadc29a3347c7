"""Evidence and rules give a verdict.

Pure and total: looks nothing up, has no clock, changes nothing, raises nothing. Knows no SMTP code and no header: what is
said to whom is decided elsewhere. A refusal that DNS trouble could have brought about becomes `tempfail`, whatever the rules say.

DESIGN section 4; RFC 7208 8.6 and RFC 5321 4.2.1 (temporary trouble is never answered for good).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from ..checks.evidence import FACTS, UNKNOWN, Evidence, facts_in_doubt, facts_in_trouble, veil
from ..net.mailboxes import parse_mailbox
from ..net.names import canonical
from ..net.networks import Networks

ACCEPT, TAG, TEMPFAIL, REJECT, QUARANTINE = ACTIONS = ("accept", "tag", "tempfail", "reject", "quarantine")
# What is not said to a sender for DNS's sake.
REFUSALS = frozenset((REJECT, QUARANTINE))
# What does not show in the reply to RCPT: the recipient is taken, the rest comes at the end of the message.
TAKEN = frozenset((ACCEPT, TAG, QUARANTINE))
ENFORCE, OBSERVE = MODES = ("enforce", "observe")
DEFAULT_RULE = "default"
MAX_FORGED = 100  # forged header fields that are removed; a message with more is refused

Span = tuple[float, float]  # the least and the most that the score can be


@dataclass(frozen=True, slots=True)
class Words:
    """Values of a fact, any of which will do."""

    words: frozenset[str]

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)


@dataclass(frozen=True, slots=True)
class Names:
    """Host names: `exact`, and `suffixes` (with their leading dot) that match what is below them."""

    exact: Set[str] = frozenset()
    suffixes: Set[str] = frozenset()

    def match(self, name: str) -> bool:
        """Whether a canonical name is one of them, or below one of them."""
        if name in self.exact:
            return True
        if not self.suffixes:
            return False
        dots = [index for index, letter in enumerate(name) if letter == "." and index]
        return any(name[dot:] in self.suffixes for dot in dots)


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Addresses of the envelope: whole ones, local parts ("user@"), domains as in Names, and the null sender."""

    addresses: Set[str] = frozenset()
    locals: Set[str] = frozenset()
    domains: Names = Names()
    null: bool = False

    def match(self, path: str) -> bool:
        """Whether a path, with or without brackets, is among them; local parts without regard to case."""
        mailbox = parse_mailbox(path)
        if mailbox.is_null:
            return self.null
        local = mailbox.local.lower()
        return (
            f"{local}@{mailbox.domain}" in self.addresses
            or local in self.locals
            or (bool(mailbox.domain) and self.domains.match(mailbox.domain))
        )


Values = Words | Networks | Names | Mailboxes | bool | float


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a rule asks: the name of a fact or of one of CONDITIONS, and what it is compared with."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `action` is "" for a rule that only scores. `code`, `enhanced`, `text` are 0 or "" where the defaults hold.
    `until`: the last day on which it is in force."""

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
        """The names of the facts that it asks about, those behind `ptr` included."""
        names = {condition.name for condition in self.when + self.unless}
        if "ptr" in names:
            names.add("iprev")
        return frozenset(names & FACTS.keys())


# What decides where a message brings more forged fields than are removed.
FORGED_RESULTS = Rule(
    "limit:forged-results",
    action=REJECT,
    code=550,
    enhanced="5.7.0",
    text=f"The message has more than {MAX_FORGED} header fields with results in the name of the receiving system"
    " (Authentication-Results, Received-SPF); remove them",
)

# What defers a recipient of a message with more groups of recipients than are told apart (RFC 5321 4.5.3.1.10).
TOO_MANY_RECIPIENTS = Rule(
    "limit:recipients",
    action=TEMPFAIL,
    code=452,
    enhanced="4.5.3",
    text="Too many recipients that local policy tells apart; send to the others in another message",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in their order, the mode, and the short hash by which the log names them."""

    rules: tuple[Rule, ...] = ()
    mode: str = ENFORCE
    digest: str = ""

    def in_force(self, day: date) -> Policy:
        """The same without the rules that have ended before that day."""
        rules = tuple(rule for rule in self.rules if rule.until is None or day <= rule.until)
        return self if len(rules) == len(self.rules) else replace(self, rules=rules)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a recipient.

    `action`: one of ACTIONS. `rule`: the rule's name, `default`, `exempt:...` or `limit:...`. `would`: what shadow rules, or
    enforcement in observe mode, would have done; `shadow_rule`: which shadow rules matched (joined by commas). `because`: the rule
    itself, None for default and exempt. `softened`: a refusal that became `tempfail` because it rests on DNS trouble.
    """

    action: str = ACCEPT
    rule: str = DEFAULT_RULE
    score: float = 0.0
    would: str = ""
    shadow_rule: str = ""
    because: Rule | None = None
    softened: bool = False


def decide(evidence: Evidence, policy: Policy) -> Verdict:
    """The verdict on one recipient. The first rule that matches and has an action (and is no shadow) decides; without one
    the message is accepted. Facts that are unknown match nothing. A message with more than MAX_FORGED forged fields is refused
    whoever sends it."""
    if evidence.forged > MAX_FORGED:
        observed = policy.mode == OBSERVE
        action, would = (ACCEPT, REJECT) if observed else (REJECT, "")
        return Verdict(action, FORGED_RESULTS.name, would=would, because=FORGED_RESULTS)
    if evidence.exempt:
        return Verdict(rule=f"exempt:{evidence.exempt}")
    score, shadows = 0.0, []
    decisive: Rule | None = None
    for rule in policy.rules:
        if _matches(rule, evidence, (score, score)) is not True:
            continue
        if rule.shadow:
            shadows.append(rule)
        elif rule.action:
            decisive = rule
            break
        else:
            score += rule.score
    action = decisive.action if decisive else ACCEPT
    softened = decisive is not None and action in REFUSALS and _rests_on_trouble(decisive, evidence, policy)
    enforced = TEMPFAIL if softened else action
    done = enforced if policy.mode == ENFORCE or enforced in (ACCEPT, TAG) else ACCEPT
    would = enforced if done != enforced else ",".join(_shadow_action(rule, evidence, policy) for rule in shadows)
    return Verdict(
        action=done,
        rule=decisive.name if decisive else DEFAULT_RULE,
        score=score,
        would=would,
        shadow_rule=",".join(rule.name for rule in shadows),
        because=decisive,
        softened=softened,
    )


def possible_actions(evidence: Evidence, policy: Policy) -> frozenset[str]:
    """The actions that the verdict may turn out to have, whatever the facts still unknown turn out to be, `temperror`
    included: a refusal that hangs on them, or on facts in trouble, may become `tempfail`."""
    if evidence.exempt:
        return frozenset((ACCEPT,))
    deciding = _deciding(evidence, policy)
    actions = {_action(rule) for rule in deciding}
    if actions & REFUSALS and _may_soften(deciding, evidence, policy):
        actions.add(TEMPFAIL)
    if policy.mode == OBSERVE:
        return frozenset(action if action in (ACCEPT, TAG) else ACCEPT for action in actions)
    return frozenset(actions)


def reply_is_settled(evidence: Evidence, policy: Policy) -> bool:
    """Whether no fact that is still unknown can change the reply to RCPT: the recipient is taken in any case."""
    return possible_actions(evidence, policy) <= TAKEN


def _deciding(evidence: Evidence, policy: Policy) -> list[Rule | None]:
    """The rules that may decide, None for the default. Three-valued logic: a rule matches surely, perhaps or not; those
    behind a sure one do not matter."""
    low = high = 0.0
    deciding: list[Rule | None] = []
    for rule in policy.rules:
        match = False if rule.shadow else _matches(rule, evidence, (low, high))
        if match is False:
            continue
        if not rule.action:
            low, high = _scored((low, high), rule.score, match)
            continue
        deciding.append(rule)
        if match is True:
            return deciding
    return [*deciding, None]


def _action(rule: Rule | None) -> str:
    return rule.action if rule else ACCEPT


def _may_soften(deciding: list[Rule | None], evidence: Evidence, policy: Policy) -> bool:
    """Whether a refusal by one of these rules may become `tempfail` once all facts are in."""
    doubt = facts_in_doubt(evidence)
    if not doubt:
        return False
    if any(rule.facts() & doubt for rule in deciding if rule and rule.action in REFUSALS):
        return True
    return len({_action(rule) for rule in _deciding(veil(evidence), policy)}) > 1


def _rests_on_trouble(rule: Rule, evidence: Evidence, policy: Policy) -> bool:
    """Whether a refusal hangs on DNS trouble: the rule asks about a fact in trouble, or had DNS answered, another rule
    or another score could have led to something else."""
    trouble = facts_in_trouble(evidence)
    if not trouble:
        return False
    if rule.facts() & trouble:
        return True
    return any(_action(other) != rule.action for other in _deciding(veil(evidence), policy))


def _shadow_action(rule: Rule, evidence: Evidence, policy: Policy) -> str:
    """What the rule would have done, were it alone no shadow."""
    if rule.action in REFUSALS:
        lit = replace(rule, shadow=False)
        rules = tuple(lit if other is rule else other for other in policy.rules)
        if _rests_on_trouble(lit, evidence, replace(policy, rules=rules)):
            return TEMPFAIL
    return rule.action


def _scored(span: Span, score: float, match: bool | None) -> Span:
    low, high = span
    if match is True:
        return low + score, high + score
    return low + min(0.0, score), high + max(0.0, score)


def _matches(rule: Rule, evidence: Evidence, score: Span) -> bool | None:
    """True, False, or None for: hangs on what is unknown."""
    answer: bool | None = True
    for condition in rule.when:
        holds = _holds(condition, evidence, score)
        if holds is False:
            return False
        if holds is None:
            answer = None
    for condition in rule.unless:
        holds = _holds(condition, evidence, score)
        if holds is True:
            return False
        if holds is None:
            answer = None
    return answer


def _holds(condition: Condition, evidence: Evidence, score: Span) -> bool | None:
    fact = FACTS.get(condition.name)
    if fact is not None:
        word = fact.get(evidence)
        if word == UNKNOWN:
            return None
        assert isinstance(condition.values, Words)
        return word in condition.values.words
    return CONDITIONS[condition.name](evidence, condition.values, score)


def _client(evidence: Evidence, values: Any, score: Span) -> bool:
    return evidence.client is not None and evidence.client in values


def _ptr(evidence: Evidence, values: Any, score: Span) -> bool | None:
    if evidence.iprev.result == UNKNOWN:
        return None
    # Only a confirmed name counts: an unconfirmed one is the client's own word.
    return evidence.iprev.result == "pass" and values.match(evidence.iprev.ptr)


def _min_score(evidence: Evidence, values: Any, score: Span) -> bool | None:
    low, high = score
    if low >= values:
        return True
    return None if high >= values else False


# The conditions beside the facts: what they ask of the evidence.
CONDITIONS: Mapping[str, Callable[[Evidence, Any, Span], bool | None]] = MappingProxyType(
    {
        "client": _client,
        "ptr": _ptr,
        "helo_name": lambda evidence, values, score: values.match(canonical(evidence.helo_name)),
        "mailfrom": lambda evidence, values, score: values.match(evidence.mailfrom),
        "rcpt": lambda evidence, values, score: values.match(evidence.rcpt),
        "authenticated": lambda evidence, values, score: evidence.authenticated is values,
        "tls": lambda evidence, values, score: evidence.tls is values,
        "min_score": _min_score,
    }
)
