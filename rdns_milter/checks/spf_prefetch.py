"""What an SPF record will need next: the questions that its terms lead to, before the evaluation comes to them.

Foresees, and never decides: a question too many costs a packet, one too few a round trip, and neither changes a result. Pure;
knows no pyspf and asks nothing itself.

RFC 7208 4.6.4 (limits: what the evaluation would not ask is not foreseen either), 5 (mechanisms), 6 (modifiers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from ..net.names import Address, reverse_name
from ..resolver.lookup import Answer, Question, Type, forward_type
from .spf_macros import MacroError, cut_to_name, expand, name_in_answer, name_to_ask
from .spf_record import MAX_RECORD, Mechanism, Record, RecordError, parse

MAX_HOSTS = 10  # of an MX or PTR answer (RFC 7208 4.6.4)
MAX_TERMS = 40  # of a tree that are foreseen, however high the limit is set
MAX_WANTED = 40  # questions that are foreseen at a time: twice as many as one check may have under way


class Outcome(Enum):
    """What is known of a term, or of a whole record: it matches (a record: pass), it does not, it may, or the evaluation
    ends there with an error."""

    MATCH = "match"
    NO = "no"
    MAYBE = "maybe"
    STOP = "stop"


_CERTAIN: Mapping[str, Outcome] = MappingProxyType({"match": Outcome.MATCH, "error": Outcome.STOP})


@dataclass(frozen=True, slots=True)
class Step:
    """One mechanism: its kind, the name it is about, the length of the client's prefix. `name` is None if it cannot be foreseen,
    and "" if nothing can be asked. One that needs no lookup is of kind "match", one whose macros expand too far of kind
    "error"."""

    qualifier: str
    kind: str
    name: str | None = ""
    prefix: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """The way through an SPF record: its steps, and where `redirect=` and `exp=` lead."""

    steps: tuple[Step, ...]
    redirect: str = ""
    explanation: str = ""


class Neighbours:
    """Which addresses lie in the client's network of a given prefix length. Remembers what it was asked: the same
    addresses are compared in every run."""

    def __init__(self, client: Address) -> None:
        self._client = client
        self._known: dict[tuple[Question | str, int], bool] = {}

    def reachable(self, record: Record, terms: int) -> Record:
        """The part of the record that an evaluation for the client can come to: without the mechanisms that surely do not
        match, those behind one that surely does, and those behind as many lookups as there may be and one more."""
        kept: list[Mechanism] = []
        for mechanism in record.mechanisms:
            if mechanism.version is not None and not self._in_network(mechanism):
                continue
            kept.append(mechanism)
            if mechanism.needs_no_lookup or len(kept) > terms:
                break
        return replace(record, mechanisms=tuple(kept))

    def _in_network(self, mechanism: Mechanism) -> bool:
        version = self._client.version
        return mechanism.version == version and self.has(mechanism.argument, mechanism.length(version))

    def has(self, text: str, prefix: int) -> bool:
        """Whether the address of the client's family that a text denotes is one. Raises ValueError."""
        key = text, prefix
        if key not in self._known:
            other = IPv4Address(text) if self._client.version == 4 else IPv6Address(text)
            shift = self._client.max_prefixlen - prefix
            self._known[key] = int(self._client) >> shift == int(other) >> shift
        return self._known[key]

    def has_any(self, answer: Answer, prefix: int) -> bool:
        """Whether one of the addresses of an answer is one. Raises ValueError."""
        key = answer.question, prefix
        if key not in self._known:
            client, shift = int(self._client), self._client.max_prefixlen - prefix
            kind = IPv4Address if self._client.version == 4 else IPv6Address
            self._known[key] = any(client >> shift == int(kind(text)) >> shift for text in answer.names())
        return self._known[key]


def exchanges(answer: Answer) -> list[str]:
    """The hosts of an MX answer in order of preference, then name: "" for what is no host."""
    pairs = sorted(value for value in answer.values if isinstance(value, tuple))
    return [name_in_answer(name) for _, name in pairs]


def pointers(answer: Answer) -> list[str]:
    """The names of a PTR answer that are looked at: sorted before the cut, so that the order of the answer is no matter."""
    return sorted({name for value in answer.names() if (name := name_in_answer(value))})[:MAX_HOSTS]


def policy_of(answer: Answer) -> str:
    """The SPF record of a TXT answer (RFC 7208 4.5); "" if there is none, or not one, or one that is not evaluated."""
    found = [value for value in answer.values if isinstance(value, bytes) and value[:6].lower() == b"v=spf1"]
    records = [value for value in found if value[6:7] in (b"", b" ")]
    if len(records) != 1 or len(records[0]) > MAX_RECORD or not records[0].isascii():
        return ""
    return records[0].decode("ascii")


class _EnoughError(Exception):
    """As many questions are foreseen as are looked for."""


class Plan:
    """What one check will ask, foreseen from the answers that are in. `letters`: what the macros stand for; `terms`: the
    limit of terms that look something up; `read`: parses a record, once, and keeps of it what the client can reach;
    `question`: the question about a name, its name "" if DNS cannot be asked that. An answer never changes, so that the
    outcome of a mechanism is worked out once all its answers are in, and not again."""

    def __init__(
        self,
        client: Address,
        neighbours: Neighbours,
        domain: str,
        letters: Mapping[str, str],
        terms: int,
    ) -> None:
        self._client = client
        self._neighbours = neighbours
        self._domain = domain
        self._letters = letters
        self._terms = min(terms, MAX_TERMS)
        self.read: Callable[[str], Record] = cache(lambda text: neighbours.reachable(parse(text), terms))
        self.question: Callable[[str, Type], Question] = cache(lambda name, kind: Question(name_to_ask(name), kind))
        self._forward = forward_type(client)
        self._exchanges: dict[Question, list[str]] = {}
        self._outcomes: dict[Step, Outcome] = {}
        self._paths: dict[str, Path | None] = {}
        self._known: Mapping[Question, Answer] = {}
        self._wanted: dict[Question, None] = {}
        self._left = 0

    def wanted(self, known: Mapping[Question, Answer]) -> list[Question]:
        """The questions not yet answered that the evaluation may come to, in the order in which it would: the first
        MAX_WANTED."""
        self._known = known
        self._wanted = {}
        self._left = self._terms
        with suppress(_EnoughError):
            self._record(self._domain, top=True)
        return list(self._wanted)

    def _answer(self, name: str, kind: Type) -> Answer | None:
        """The answer, or None if it is still wanted. A name that cannot be asked has no records. Raises _EnoughError."""
        question = self.question(name, kind)
        if not question.name:
            return Answer(question, "bad-name")
        answer = self._known.get(question)
        if answer is None:
            if len(self._wanted) >= MAX_WANTED:
                raise _EnoughError
            self._wanted[question] = None
        return answer

    def _record(self, domain: str, top: bool = False) -> Outcome:
        """What is known of the result of a domain's record."""
        if "." not in domain:
            return Outcome.STOP
        answer = self._answer(domain, "TXT")
        if answer is None:
            return Outcome.MAYBE
        if domain not in self._paths:
            self._paths[domain] = self._path(policy_of(answer), domain)
        path = self._paths[domain]
        if path is None:
            return Outcome.STOP
        certain = True
        for step in path.steps:
            outcome = self._step(step, domain)
            if outcome is Outcome.NO:
                continue
            if top and step.qualifier == "-" and path.explanation and outcome is not Outcome.STOP:
                self._answer(path.explanation, "TXT")
            if outcome is Outcome.MAYBE:
                certain = False
            elif not certain:
                return Outcome.MAYBE
            elif outcome is Outcome.STOP:
                return Outcome.STOP
            else:
                return Outcome.MATCH if step.qualifier == "+" else Outcome.NO
        behind = self._redirected(path, top)
        return behind if certain else Outcome.MAYBE

    def _redirected(self, path: Path, top: bool) -> Outcome:
        if not path.redirect:
            return Outcome.NO
        self._left -= 1
        return self._record(path.redirect, top) if self._left >= 0 else Outcome.STOP

    def _step(self, step: Step, domain: str) -> Outcome:
        if step.kind in _CERTAIN:
            return _CERTAIN[step.kind]
        self._left -= 1
        if self._left < 0:
            return Outcome.STOP
        name = step.name
        if not name:
            return Outcome.NO if name == "" else self._pointer("")
        if step.kind == "ptr":
            return self._pointer(name)
        if step.kind == "include":
            return self._record(name)
        outcome = self._outcomes.get(step)
        if outcome is None:
            outcome = self._mx(step, name) if step.kind == "mx" else self._addresses(step, name)
            if outcome is not Outcome.MAYBE:
                self._outcomes[step] = outcome
        return outcome

    def _addresses(self, step: Step, name: str) -> Outcome:
        """`a` and `exists` (RFC 7208 5.3, 5.7)."""
        answer = self._answer(name, "A" if step.kind == "exists" else self._forward)
        if answer is None:
            return Outcome.MAYBE
        if answer.temporary:
            return Outcome.STOP
        matches = bool(answer.values) if step.kind == "exists" else self._neighbours.has_any(answer, step.prefix)
        return Outcome.MATCH if matches else Outcome.NO

    def _mx(self, step: Step, name: str) -> Outcome:
        """RFC 7208 5.4. The hosts are compared one after the other, but all asked at once."""
        answer = self._answer(name, "MX")
        if answer is None:
            return Outcome.MAYBE
        if answer.temporary or len(answer.values) > MAX_HOSTS:
            return Outcome.STOP
        if answer.question not in self._exchanges:
            self._exchanges[answer.question] = [host for host in exchanges(answer) if host]
        outcome = Outcome.NO
        for host in self._exchanges[answer.question]:
            addresses = self._answer(host, self._forward)
            if addresses is None:
                outcome = Outcome.MAYBE
            elif outcome is Outcome.NO and addresses.temporary:
                return Outcome.STOP
            elif self._neighbours.has_any(addresses, step.prefix):
                return Outcome.MATCH if outcome is Outcome.NO else outcome
        return outcome

    def _pointer(self, suffix: str) -> Outcome:
        """RFC 7208 5.5, and %{p}: whatever goes wrong with a name, the name does not count."""
        answer = self._answer(reverse_name(self._client), "PTR")
        if answer is None:
            return Outcome.MAYBE
        names = pointers(answer)
        forward = [self._answer(name, self._forward) for name in names]
        if None in forward or not suffix:
            return Outcome.MAYBE
        full = self._client.max_prefixlen
        for name, addresses in zip(names, forward, strict=True):
            ours = name == suffix or name.endswith("." + suffix)
            if ours and addresses is not None and self._neighbours.has_any(addresses, full):
                return Outcome.MATCH
        return Outcome.NO

    def _path(self, policy: str, domain: str) -> Path | None:
        """The way through a record; None if the evaluation ends with an error."""
        if not policy:
            return None
        try:
            record = self.read(policy)
        except RecordError:
            return None
        steps = tuple(self._step_of(mechanism, domain) for mechanism in record.mechanisms[: self._terms + 1])
        return Path(steps, self._target(record.redirect, domain), self._target(record.explanation, domain))

    def _step_of(self, mechanism: Mechanism, domain: str) -> Step:
        if mechanism.needs_no_lookup:
            return Step(mechanism.qualifier, "match")
        try:
            name = self._name(mechanism.argument, domain) if mechanism.argument else domain
        except MacroError:
            return Step(mechanism.qualifier, "error")
        return Step(mechanism.qualifier, mechanism.kind, name, mechanism.length(self._client.version))

    def _target(self, spec: str, domain: str) -> str:
        """The name that a modifier leads to, "" if that cannot be foreseen."""
        try:
            return self._name(spec, domain) or ""
        except MacroError:
            return ""

    def _name(self, spec: str, domain: str) -> str | None:
        """What a domain-spec expands to; None if that takes the client's validated name, "" if it comes to no name. Raises
        MacroError."""
        if "%{p" in spec.lower():
            return None
        name = cut_to_name(expand(spec, lambda letter: domain if letter == "d" else self._letters.get(letter, "")))
        return name if name.isascii() else ""
