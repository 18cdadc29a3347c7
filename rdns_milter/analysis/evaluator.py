"""Judge logged decisions by another policy, from the facts in their lines.

The verdict is that of `policy.decide`, cached by everything that the policy can test. Changes in [exempt], [relays] and [generic]
are taken into account as far as the line allows: a client that is exempt now is exempt, and names are tested again if patterns or
exceptions are set. If another client would be judged now (the one behind a relay, or the relay itself), there is no verdict. Must
never decide anything itself. Pure except for the caches, which are bounded.

packaging/doc/rules.md; packaging/doc/log.md (the keys of a line).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from operator import itemgetter
from types import MappingProxyType

from ..checks.evidence import FACTS, SOURCES, Evidence, exempted
from ..checks.generic import generic
from ..config.load import Config
from ..logs.decision_keys import EXEMPT, NULL_PATH
from ..logs.logged_evidence import evidence_of
from ..net.names import parse_address
from ..policy.decide import CONDITIONS, decide, possible_actions
from ..policy.rules import ENFORCE, REPLIED, Policy, Values, Verdict
from ..text.escape import ELLIPSIS

_FACTS_AND_RULE = itemgetter(*FACTS, "rule")
_MAX_CACHED = 1 << 16  # texts, and verdicts


@dataclass(frozen=True, slots=True)
class _Text:
    """The text that a condition tests. `keys`: its keys in a line; `evidence`: makes evidence of their values."""

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
_NOT_LOGGED = ("authenticated", "tls")  # conditions on what no line contains


class Evaluator:
    """A policy that judges parsed lines.

    `policy`: the rules in force on `day`, in the mode of the config or, if `enforce`, in mode enforce.
    `keys`: the keys of a line that the rules test.
    `sources`: those of SOURCES that the rules test.
    `unlogged_rules`: the names of the rules that test a value that is not logged."""

    def __init__(self, config: Config, day: date, enforce: bool = False) -> None:
        policy = config.policy.in_force(day)
        self.policy: Policy = replace(policy, mode=ENFORCE) if enforce else policy
        conditions = [condition for rule in policy.rules for condition in rule.when + rule.unless]
        values: dict[str, list[Values]] = {}
        for condition in conditions:
            values.setdefault(condition.name, []).append(condition.values)
        facts = frozenset(name for rule in policy.rules for name in rule.facts())
        self.sources = tuple(name for name in SOURCES if name in values)
        self.keys: frozenset[str] = facts.union(self.sources, *map(_keys, values))
        self.unlogged_rules = tuple(
            rule.name for rule in policy.rules if any(each.name in _NOT_LOGGED for each in rule.when + rule.unless)
        )
        self._exempt = config.exempt
        self._relays = config.relays.networks
        self._generic = config.generic
        self._tests_names = bool(config.generic.patterns or config.generic.exceptions)
        self._is_exempt = functools.lru_cache(_MAX_CACHED)(self._is_exempt_now)
        self._is_relay = functools.lru_cache(_MAX_CACHED)(self._is_relay_now)
        self._generic_now = functools.lru_cache(_MAX_CACHED)(self._test_name)
        outcomes = {
            name: functools.lru_cache(_MAX_CACHED)(functools.partial(_outcomes, name, tuple(values[name])))
            for name in _TEXTS
            if name in values
        }
        self._rcpt = outcomes.pop("rcpt", None)
        self._texts = tuple((itemgetter(*_TEXTS[name].keys), each) for name, each in outcomes.items())
        self._verdicts: dict[object, Verdict] = {}

    def verdict(self, fields: Mapping[str, str], recipient: str) -> Verdict | None:
        """Return the verdict of the policy on the message to that recipient; None if it depends on a value that is not in the
        line."""
        if self.judges_another(fields):
            return None
        try:
            if self._tests_names and fields["ptr"]:
                fields = {**fields, "generic": self._generic_now(fields["ptr"], fields["client"], fields["generic"])}
            key = (
                _FACTS_AND_RULE(fields),
                fields.get("forged"),
                not fields.get("via"),
                self._is_exempt(fields["client"]),
                self._rcpt(recipient) if self._rcpt else None,
                *[outcomes(texts(fields)) for texts, outcomes in self._texts],
                *[fields[name] for name in self.sources],
            )
        except KeyError:
            return self._of_incomplete_line(fields, recipient)
        if self.sources and any(_is_cut(fields[name]) for name in self.sources):
            return self._of_incomplete_line(fields, recipient)
        found = self._verdicts.get(key)
        if found is None:
            if len(self._verdicts) >= _MAX_CACHED:
                self._verdicts.clear()
            found = self._verdicts[key] = decide(self._evidence(fields, recipient), self.policy)
        return found

    def was_exempt(self, fields: Mapping[str, str]) -> bool:
        """Return whether the client was exempt then and is not now. The facts of such a client were never looked up."""
        rule = fields["rule"]
        if not rule.startswith(EXEMPT):
            return False
        if rule == EXEMPT + "authenticated":
            return not self._exempt.authenticated
        return rule == EXEMPT + "network" and not self._is_exempt(fields.get("client", ""))

    def is_of_other_sources(self, fields: Mapping[str, str]) -> bool:
        """Return whether the line has results of providers or DNS lists that another policy asked. This policy may ask others."""
        return any(name in fields for name in self.sources) and fields.get("policy") != self.policy.digest

    def judges_another(self, fields: Mapping[str, str]) -> bool:
        """Return whether another client would be judged now: the connected host is a relay now and was none then, or the
        reverse."""
        via = fields.get("via", "")
        if not via and not self._relays:
            return False
        return self._is_relay(via or fields.get("client", "")) != bool(via)

    def missing(self, fields: Mapping[str, str]) -> frozenset[str]:
        """Return the keys that the rules test and the line lacks. If only the end of a value is missing, it is "the end of" the
        key."""
        return self.keys - fields.keys() | {
            f"the end of {name}" for name in self.sources if _is_cut(fields.get(name, ""))
        }

    def _of_incomplete_line(self, fields: Mapping[str, str], recipient: str) -> Verdict | None:
        """Return the verdict; None if a missing key could change the action."""
        if any(key not in FACTS and key not in SOURCES and key not in fields for key in self.keys):
            return None
        evidence = self._evidence(fields, recipient)
        actions = possible_actions(evidence, self.policy)
        is_cut = "reply" not in fields
        if len(actions) > 1 or (is_cut and self._relays and "via" not in fields and actions & REPLIED):
            return None
        return decide(evidence, self.policy)

    def _evidence(self, fields: Mapping[str, str], recipient: str) -> Evidence:
        evidence = evidence_of(fields, recipient)
        if not evidence.exempt and self._is_exempt(fields.get("client", "")):
            return exempted(evidence, "network")
        return evidence

    def _is_exempt_now(self, client: str) -> bool:
        address = parse_address(client)
        return address is not None and address in self._exempt.networks

    def _is_relay_now(self, host: str) -> bool:
        address = parse_address(host)
        return address is not None and address in self._relays

    def _test_name(self, ptr: str, client: str, logged: str) -> str:
        address = parse_address(client)
        if address is None or logged not in ("yes", "no"):
            return logged
        return generic(ptr, address, self._generic.patterns, self._generic.exceptions).result


def _is_cut(sources: str) -> bool:
    return sources.endswith(ELLIPSIS)


def _keys(condition: str) -> tuple[str, ...]:
    return _TEXTS[condition].keys if condition in _TEXTS else ()


def _outcomes(name: str, values: tuple[Values, ...], texts: str | tuple[str, ...]) -> tuple[bool | None, ...]:
    """Return, for each condition of that name, its outcome for a text. Texts with equal outcomes have equal verdicts."""
    text = _TEXTS[name]
    evidence = text.evidence(*texts) if isinstance(texts, tuple) else text.evidence(texts)
    holds = CONDITIONS[name]
    return tuple(holds(evidence, value, (0.0, 0.0)) for value in values)
