"""Logged decisions before another policy: what it says of the evidence that a line holds.

The verdict is `policy.decide`'s, remembered by all that a policy can ask about; nothing is decided here. What has changed in
[exempt] and [generic] counts too, as far as a line tells: a client that is exempt now is, and a name is looked at anew where
patterns or exceptions are set. Pure but for what it remembers, and that is bounded.

packaging/doc/rules.md; packaging/doc/log.md (the keys of a line).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from operator import itemgetter
from types import MappingProxyType

from ..checks.evidence import FACTS, Evidence, exempted
from ..checks.generic import generic
from ..config.load import Config
from ..logs.decision import EXEMPT, NULL_PATH, evidence_of
from ..net.names import parse_address
from ..policy.decide import CONDITIONS, decide, possible_actions
from ..policy.rules import ENFORCE, Policy, Values, Verdict

_REMEMBERED = 1 << 16  # texts, and verdicts
_FACTS_AND_RULE = itemgetter(*FACTS, "rule")


@dataclass(frozen=True, slots=True)
class _Text:
    """What a condition that is no fact looks at: keys of a line, and how they become evidence."""

    keys: tuple[str, ...]
    evidence: Callable[..., Evidence]


_TEXTS: Mapping[str, _Text] = MappingProxyType(
    {
        "client": _Text(("client",), lambda text: Evidence(client=parse_address(text))),
        "ptr": _Text(("iprev", "ptr"), lambda result, name: evidence_of({"iprev": result, "ptr": name})),
        "helo_name": _Text(("helo_name",), lambda text: Evidence(helo_name=text)),
        "mailfrom": _Text(("mailfrom",), lambda text: Evidence(mailfrom="" if text == NULL_PATH else text)),
        "rcpt": _Text(("rcpt",), lambda text: Evidence(rcpt=text)),
    }
)
# No line tells of these.
UNTOLD = ("authenticated", "tls")


class Judge:
    """A policy that judges parsed lines. `policy`: the rules in force on that day, in the mode of the config, or in `enforce`;
    `asks`: the keys of a line that the rules look at; `untold`: the names of the rules that ask what no line tells."""

    def __init__(self, config: Config, day: date, enforce: bool = False) -> None:
        policy = config.policy.in_force(day)
        self.policy: Policy = replace(policy, mode=ENFORCE) if enforce else policy
        conditions = [condition for rule in policy.rules for condition in rule.when + rule.unless]
        values: dict[str, list[Values]] = {}
        for condition in conditions:
            values.setdefault(condition.name, []).append(condition.values)
        facts = frozenset(name for rule in policy.rules for name in rule.facts())
        self.asks: frozenset[str] = facts | {key for name in values for key in _keys(name)}
        self.untold = tuple(
            rule.name for rule in policy.rules if any(each.name in UNTOLD for each in rule.when + rule.unless)
        )
        self._exempt = config.exempt
        self._generic = config.generic
        self._looks_again = bool(config.generic.patterns or config.generic.exceptions)
        self._is_exempt = functools.lru_cache(_REMEMBERED)(self._exempt_now)
        self._looked_at = functools.lru_cache(_REMEMBERED)(self._look)
        profiles = {
            name: functools.lru_cache(_REMEMBERED)(functools.partial(_profile, name, tuple(values[name])))
            for name in _TEXTS
            if name in values
        }
        self._rcpt = profiles.pop("rcpt", None)
        self._texts = tuple((itemgetter(*_TEXTS[name].keys), profile) for name, profile in profiles.items())
        self._verdicts: dict[object, Verdict] = {}

    def verdict(self, fields: Mapping[str, str], recipient: str) -> Verdict | None:
        """What the policy says of the message to that recipient; None if that hangs on what the line does not hold."""
        try:
            if self._looks_again and fields["ptr"]:
                fields = {**fields, "generic": self._looked_at(fields["ptr"], fields["client"], fields["generic"])}
            key = (
                _FACTS_AND_RULE(fields),
                fields.get("forged"),
                self._is_exempt(fields["client"]),
                self._rcpt(recipient) if self._rcpt else None,
                *[profile(texts(fields)) for texts, profile in self._texts],
            )
        except KeyError:
            return self._of_a_part(fields, recipient)
        found = self._verdicts.get(key)
        if found is None:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            found = self._verdicts[key] = decide(self._evidence(fields, recipient), self.policy)
        return found

    def was_exempt(self, fields: Mapping[str, str]) -> bool:
        """Whether the client was not judged then, but would be now: nobody has looked up what it would be judged by."""
        rule = fields["rule"]
        if not rule.startswith(EXEMPT):
            return False
        if rule == EXEMPT + "authenticated":
            return not self._exempt.authenticated
        return rule == EXEMPT + "network" and not self._is_exempt(fields.get("client", ""))

    def _of_a_part(self, fields: Mapping[str, str], recipient: str) -> Verdict | None:
        """Of a line that lacks keys: the verdict, if nothing that it lacks could change the action."""
        if any(key not in FACTS and key not in fields for key in self.asks):
            return None
        evidence = self._evidence(fields, recipient)
        return decide(evidence, self.policy) if len(possible_actions(evidence, self.policy)) == 1 else None

    def _evidence(self, fields: Mapping[str, str], recipient: str) -> Evidence:
        evidence = evidence_of(fields, recipient)
        if not evidence.exempt and self._is_exempt(fields.get("client", "")):
            return exempted(evidence, "network")
        return evidence

    def _exempt_now(self, client: str) -> bool:
        address = parse_address(client)
        return address is not None and address in self._exempt.networks

    def _look(self, ptr: str, client: str, before: str) -> str:
        address = parse_address(client)
        if address is None or before not in ("yes", "no"):
            return before
        return generic(ptr, address, self._generic.patterns, self._generic.exceptions).result


def _keys(condition: str) -> tuple[str, ...]:
    return _TEXTS[condition].keys if condition in _TEXTS else ()


def _profile(name: str, values: tuple[Values, ...], texts: str | tuple[str, ...]) -> tuple[bool | None, ...]:
    """What each condition of that name says of a text: texts of which all of them say the same need not be told apart."""
    text = _TEXTS[name]
    evidence = text.evidence(*texts) if isinstance(texts, tuple) else text.evidence(texts)
    holds = CONDITIONS[name]
    return tuple(holds(evidence, value, (0.0, 0.0)) for value in values)
