"""Predict which questions the evaluation of an SPF record will ask, so that they can be asked in parallel.

Has no influence on the result: a question too many costs a packet, and a question too few costs a round trip. Pure: makes no
lookup, does not use pyspf.

RFC 7208 4.6.4 (limits; questions beyond them are not predicted), 5 (mechanisms), 6 (modifiers).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from ..net.names import Address, reverse_name
from ..resolver.lookup import Answer, Question, Type, forward_type
from .spf_address_matcher import AddressMatcher
from .spf_macros import MacroError, cut_to_name, expand, name_in_answer, name_to_ask
from .spf_record import MAX_RECORD, Mechanism, Record, RecordError, parse, select

MAX_HOSTS = 10  # names of an MX or PTR answer (RFC 7208 4.6.4)
MAX_TERMS = 40  # terms with lookups in a tree of records, even if lookup_limit is higher
MAX_WANTED = 40  # questions predicted at a time: twice the number that one check can have in progress


class Outcome(Enum):
    """The predicted outcome of a term or a record: it matches (for a record: pass), does not match, may match, or ends the
    evaluation with an error."""

    MATCH = "match"
    NO = "no"
    MAYBE = "maybe"
    STOP = "stop"


_CERTAIN: Mapping[str, Outcome] = MappingProxyType({"match": Outcome.MATCH, "error": Outcome.STOP})


class Step(NamedTuple):
    """One mechanism with its macros expanded. `kind`: that in the record; instead "match" if the mechanism matches without a
    lookup, and "error" if its macros are invalid. `name`: None if it cannot be predicted, "" if it cannot be asked. `prefix`: the
    prefix length."""

    qualifier: str
    kind: str
    name: str | None = ""
    prefix: int = 0


class ExpandedRecord(NamedTuple):
    """An SPF record with its macros expanded. `redirect`, `explanation`: the names in these modifiers, "" without one."""

    steps: tuple[Step, ...]
    redirect: str = ""
    explanation: str = ""


def mx_hosts(answer: Answer) -> list[str]:
    """Return the hosts of an MX answer, sorted by preference and name; "" for an invalid one."""
    pairs = sorted(value for value in answer.values if isinstance(value, tuple))
    return [name_in_answer(name) for _, name in pairs]


def ptr_names(answer: Answer) -> list[str]:
    """Return the first MAX_HOSTS names of a PTR answer in sorted order: the order of the answer has no influence."""
    return sorted({name for value in answer.names() if (name := name_in_answer(value))})[:MAX_HOSTS]


def record_text(answer: Answer) -> str:
    """Return the SPF record in a TXT answer; "" if there is no record, more than one, or one that cannot be evaluated."""
    try:
        record = select(answer.values)
    except RecordError:
        return ""
    if record is None or len(record) > MAX_RECORD or not record.isascii():
        return ""
    return record.decode("ascii")


class _LimitReachedError(Exception):
    """MAX_WANTED questions have been predicted."""


class Prefetch:
    """Predict the questions of one check from the answers that are known.

    `letters`: the values of the macro letters; `terms`: the limit on terms with lookups. Answers never change, so the outcome of a
    mechanism is computed only once.

    `needed`: the question, according to the last prediction, without whose answer the evaluation cannot end. None if all answers
    are known, or if the records have macros, because these may end the evaluation earlier."""

    def __init__(
        self,
        client: Address,
        matcher: AddressMatcher,
        domain: str,
        letters: Mapping[str, str],
        terms: int,
    ) -> None:
        self._client = client
        self._matcher = matcher
        self._domain = domain
        self._letters = letters
        self._limit = terms
        self._terms = min(terms, MAX_TERMS)
        self.needed: Question | None = None
        self._is_certain = True
        self._has_macros = False
        self._records: dict[str, Record] = {}
        self._questions: dict[tuple[str, Type], Question] = {}
        self._forward = forward_type(client)
        self._mx_hosts: dict[Question, list[str]] = {}
        self._outcomes: dict[Step, Outcome] = {}
        self._expanded: dict[str, ExpandedRecord | None] = {}
        self._known: Mapping[Question, Answer] = {}
        self._wanted: dict[Question, None] = {}
        self._terms_left = 0

    def wanted(self, known: Mapping[Question, Answer]) -> list[Question]:
        """Return the unanswered questions that the evaluation can reach, in the order of evaluation, at most MAX_WANTED."""
        self._known = known
        self._wanted = {}
        self.needed = None
        self._is_certain = True
        self._terms_left = self._terms
        with suppress(_LimitReachedError):
            self._record(self._domain, top=True)
        if self._has_macros:
            self.needed = None
        return list(self._wanted)

    def read(self, text: str) -> Record:
        """Return the part of a record that is reachable for the client. Raises RecordError."""
        record = self._records.get(text)
        if record is None:
            record = self._records[text] = self._matcher.reachable(parse(text), self._limit)
        return record

    def question(self, name: str, kind: Type) -> Question:
        """Return the question for a name; its name is "" if it cannot be asked."""
        question = self._questions.get((name, kind))
        if question is None:
            question = self._questions[name, kind] = Question(name_to_ask(name), kind)
        return question

    def _answer(self, name: str, kind: Type) -> Answer | None:
        """Return the answer. If it is not known, add the question to those wanted and return None. For a name that cannot be asked,
        return an answer without values. Raises _LimitReachedError."""
        question = self.question(name, kind)
        if not question.name:
            return Answer(question, "bad-name")
        answer = self._known.get(question)
        if answer is None:
            if len(self._wanted) >= MAX_WANTED:
                raise _LimitReachedError
            self._wanted[question] = None
            if self._is_certain:
                self.needed, self._is_certain = question, False
        return answer

    def _record(self, domain: str, top: bool = False) -> Outcome:
        """Predict the outcome of a domain's record."""
        if "." not in domain:
            return Outcome.STOP
        answer = self._answer(domain, "TXT")
        if answer is None:
            return Outcome.MAYBE
        if domain not in self._expanded:
            self._expanded[domain] = self._expand(record_text(answer), domain)
        record = self._expanded[domain]
        if record is None:
            return Outcome.STOP
        certain = True
        for step in record.steps:
            outcome = self._step(step, domain)
            if outcome is Outcome.NO:
                continue
            if outcome is Outcome.MAYBE:
                self._is_certain = False  # the evaluation may end at this step
            if top and step.qualifier == "-" and record.explanation and outcome is not Outcome.STOP:
                self._is_certain = False  # the explanation has no influence on the result
                self._answer(record.explanation, "TXT")
            if outcome is Outcome.MAYBE:
                certain = False
            elif not certain:
                return Outcome.MAYBE
            elif outcome is Outcome.STOP:
                return Outcome.STOP
            else:
                return Outcome.MATCH if step.qualifier == "+" else Outcome.NO
        outcome = self._redirected(record, top)
        return outcome if certain else Outcome.MAYBE

    def _redirected(self, record: ExpandedRecord, top: bool) -> Outcome:
        if not record.redirect:
            return Outcome.NO
        self._terms_left -= 1
        return self._record(record.redirect, top) if self._terms_left >= 0 else Outcome.STOP

    def _step(self, step: Step, domain: str) -> Outcome:
        if step.kind in _CERTAIN:
            return _CERTAIN[step.kind]
        self._terms_left -= 1
        if self._terms_left < 0:
            return Outcome.STOP
        name = step.name
        if not name:
            return Outcome.NO if name == "" else self._ptr("")
        if step.kind == "ptr":
            return self._ptr(name)
        if step.kind == "include":
            return self._record(name)
        outcome = self._outcomes.get(step)
        if outcome is None:
            outcome = self._mx(step, name) if step.kind == "mx" else self._addresses(step, name)
            if outcome is not Outcome.MAYBE:
                self._outcomes[step] = outcome
        return outcome

    def _addresses(self, step: Step, name: str) -> Outcome:
        """Predict `a` and `exists` (RFC 7208 5.3, 5.7)."""
        answer = self._answer(name, "A" if step.kind == "exists" else self._forward)
        if answer is None:
            return Outcome.MAYBE
        if answer.temporary:
            return Outcome.STOP
        matches = bool(answer.values) if step.kind == "exists" else self._matcher.matches_any(answer, step.prefix)
        return Outcome.MATCH if matches else Outcome.NO

    def _mx(self, step: Step, name: str) -> Outcome:
        """Predict `mx` (RFC 7208 5.4). The hosts are compared in order, but looked up in parallel."""
        answer = self._answer(name, "MX")
        if answer is None:
            return Outcome.MAYBE
        if answer.temporary or len(answer.values) > MAX_HOSTS:
            return Outcome.STOP
        if answer.question not in self._mx_hosts:
            self._mx_hosts[answer.question] = [host for host in mx_hosts(answer) if host]
        outcome = Outcome.NO
        for host in self._mx_hosts[answer.question]:
            addresses = self._answer(host, self._forward)
            if addresses is None:
                outcome = Outcome.MAYBE
            elif outcome is Outcome.NO and addresses.temporary:
                return Outcome.STOP
            elif self._matcher.matches_any(addresses, step.prefix):
                return Outcome.MATCH if outcome is Outcome.NO else outcome
        return outcome

    def _ptr(self, suffix: str) -> Outcome:
        """Predict `ptr` (RFC 7208 5.5), or, with "" as the name, a mechanism with %{p}. A name whose lookup fails is skipped."""
        answer = self._answer(reverse_name(self._client), "PTR")
        if answer is None:
            return Outcome.MAYBE
        names = ptr_names(answer)
        forward = [self._answer(name, self._forward) for name in names]
        if None in forward or not suffix:
            return Outcome.MAYBE
        full = self._client.max_prefixlen
        for name, addresses in zip(names, forward, strict=True):
            in_domain = name == suffix or name.endswith("." + suffix)
            if in_domain and addresses is not None and self._matcher.matches_any(addresses, full):
                return Outcome.MATCH
        return Outcome.NO

    def _expand(self, text: str, domain: str) -> ExpandedRecord | None:
        """Parse a record and expand its macros. Return None if there is no valid record."""
        if not text:
            return None
        self._has_macros |= "%" in text
        try:
            record = self.read(text)
        except RecordError:
            return None
        steps = tuple(self._step_of(mechanism, domain) for mechanism in record.mechanisms[: self._terms + 1])
        return ExpandedRecord(steps, self._target(record.redirect, domain), self._target(record.explanation, domain))

    def _step_of(self, mechanism: Mechanism, domain: str) -> Step:
        if mechanism.needs_no_lookup:
            return Step(mechanism.qualifier, "match")
        try:
            name = self._name(mechanism.argument, domain) if mechanism.argument else domain
        except MacroError:
            return Step(mechanism.qualifier, "error")
        return Step(mechanism.qualifier, mechanism.kind, name, mechanism.length(self._client.version))

    def _target(self, spec: str, domain: str) -> str:
        """Return the name that a modifier refers to, "" if it cannot be predicted."""
        try:
            return self._name(spec, domain) or ""
        except MacroError:
            return ""

    def _name(self, spec: str, domain: str) -> str | None:
        """Expand a domain-spec. Return None if it contains %{p}, because that stands for the client's validated name; "" if the
        result is not a name. Raises MacroError."""
        if "%" not in spec:
            name = cut_to_name(spec)
            return name if name.isascii() else ""
        if "%{p" in spec.lower():
            return None
        name = cut_to_name(expand(spec, lambda letter: domain if letter == "d" else self._letters.get(letter, "")))
        return name if name.isascii() else ""
