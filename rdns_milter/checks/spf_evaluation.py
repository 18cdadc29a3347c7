"""Evaluate an SPF record with pyspf on the answers known so far.

The only module that uses pyspf. pyspf steps through the mechanisms; parsing, macros, limits and DNS answers are replaced by this
package's own. pyspf would wait for each answer; here an evaluation stops when an answer is missing, and is run again from the
beginning when it can get further (a run takes about 50 us). pyspf never sees the text of a record: spf_record parses it and decides
what is a syntax error. Never opens a socket, never changes pyspf's globals, never raises.

RFC 7208 4.6 (record evaluation), 5 (mechanisms), 6 (modifiers), 7 (macros); RFC 8616 4 (senders outside ASCII).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import spf as pyspf

from ..net.names import reverse_name
from ..resolver.lookup import Answer, Type
from . import spf_macros
from .evidence import TEMPERROR
from .spf_answers import MissingAnswer, RemainingHosts, SpfAnswers
from .spf_prefetch import MAX_HOSTS, mx_hosts, ptr_names
from .spf_record import Mechanism, RecordError, select

MAX_EXPANSION = 65_536  # characters of all expanded macros in one run
MAX_ADDRESSES = 5_000  # addresses compared in one run
MAX_LABEL = 63  # characters of a label (RFC 1035 2.3.4)
MAX_TEXT = 512  # bytes of an explanation; a longer one is ignored (RFC 7208 6.2)
PERMERROR, FAIL, NONE = "permerror", "fail", "none"
_WITH_DOMAIN = frozenset(("a", "mx", "ptr", "exists", "include"))
_QUALIFIERS: Mapping[str, str] = MappingProxyType({"+": "pass", "-": FAIL, "~": "softfail", "?": "neutral"})
# The result that pyspf gets from the mechanism that represents `redirect=`. Never returned by this module.
_REDIRECT = "redirect"


class Explanation(NamedTuple):
    """Where to find the explanation of a fail. `spec`: the domain-spec of `exp=`; `domain`: the domain of the record."""

    spec: str
    domain: str


class EvaluationResult(NamedTuple):
    """The result of an evaluation for which all answers were known. `mechanism`: the term that matched; `problem`: the error, for
    permerror and temperror; `explanation`: where the explanation of a fail is, None if the record has none."""

    result: str
    mechanism: str = ""
    problem: str = ""
    explanation: Explanation | None = None


class Evaluation(pyspf.query):  # type: ignore[misc]  # pyspf has no types
    """One evaluation, which can be run repeatedly.

    Overrides pyspf's parser, macros, limits, DNS access and `redirect=`; pyspf's own code processes mechanisms and includes. The
    methods that pyspf calls have pyspf's names and parameters.
    """

    def __init__(self, answers: SpfAnswers) -> None:
        values = answers.macro_values
        super().__init__(i=values["c"], s=values["s"], h=values["h"])
        self.l, self.o = values["l"], values["o"]
        self.exps[_REDIRECT] = ""  # pyspf looks up an explanation for every result
        self._answers = answers
        self._mechanisms: tuple[Mechanism, ...] = ()
        self._explanation: Explanation | None = None
        self._begin()

    def _begin(self) -> None:
        self._answers.reset()
        self.d = self.o
        self._expanded = self._compared = self._prefix = 0

    def run(self) -> EvaluationResult | None:
        """Evaluate the record from the beginning. Return None if an answer is missing. Never raises."""
        self._begin()
        try:
            result = self._evaluate()
        except (ValueError, AssertionError) as error:
            # A number or name that pyspf cannot parse (UnicodeError is a ValueError), or too deeply nested records.
            result = EvaluationResult(PERMERROR, problem=str(error))
        except Exception as error:  # noqa: BLE001 - a bug in pyspf must not stop mail
            result = EvaluationResult(TEMPERROR, problem=f"pyspf: {type(error).__name__}")
        self.perm_error = None  # its traceback refers to this object, a cycle that would delay freeing it
        return None if self._answers.missing else result

    def _evaluate(self) -> EvaluationResult:
        result, _, text = self.check()
        if result in (PERMERROR, TEMPERROR):
            return EvaluationResult(result, problem=text.partition("Error: ")[2])
        return EvaluationResult(result, self.mechanism or "", explanation=self._explanation if result == FAIL else None)

    # Records

    def dns_spf(self, domain: str) -> str | None:
        """Return the record of a domain. A name with a single label, or with a label that DNS does not allow, has none and is not
        looked up (RFC 7208 4.3)."""
        labels = domain.split(".")
        if len(labels) < 2 or not all(0 < len(label) <= MAX_LABEL for label in labels):
            return None
        answer = self._records(domain, "TXT")
        try:
            record = select(answer.values) if answer else None
        except RecordError as error:
            raise pyspf.PermError(str(error)) from error
        text: str | None = None if record is None else pyspf.to_ascii(record)
        return text

    def check0(self, spf: str | None, recursion: int) -> tuple[str, int, str]:
        """Evaluate one record (RFC 7208 4.6).

        pyspf gets the index of each mechanism instead of its text. `redirect=` is passed as a last mechanism that always matches,
        so that it is counted and followed only if no other mechanism matches.
        """
        if spf is None:
            return NONE, 250, ""
        try:
            record = self._answers.read(spf)
        except RecordError as error:
            raise pyspf.PermError(str(error)) from error
        if not recursion:
            self._explanation = Explanation(record.explanation, self.d) if record.explanation else None
        first = record.mechanisms[0] if record.mechanisms else None
        if first is not None and first.needs_no_lookup:  # it matches: see AddressMatcher.reachable
            if not recursion:
                self.mechanism = first.text
            return _QUALIFIERS[first.qualifier], 250, ""
        self._mechanisms = record.mechanisms
        terms = [str(number) for number in range(len(record.mechanisms))]
        if record.redirect:
            terms.append(_REDIRECT)
        result: tuple[str, int, str] = super().check0(" ".join(("v=spf1", *terms)), recursion)
        return self._redirected(record.redirect, recursion) if result[0] == _REDIRECT else result

    def _redirected(self, spec: str, recursion: int) -> tuple[str, int, str]:
        """Evaluate the record that `redirect=` points to (RFC 7208 6.1)."""
        self.check_lookups()
        domain = self.expand(spec)
        record = self.dns_spf(domain)
        if record is None:
            raise pyspf.PermError("redirect domain has no SPF record", domain)
        result: tuple[str, int, str] = self.check1(record, domain, recursion)
        return result

    def validate_mechanism(self, mech: str) -> Iterator[object]:
        """Return an iterator over the fields of a mechanism.

        pyspf unpacks it when it evaluates the mechanism. Macros are expanded only then, because a macro can cost a lookup or make
        the result specific to the message.
        """
        if mech == _REDIRECT:
            return iter(("", "all", "", 0, _REDIRECT))
        return self._unpacked(self._mechanisms[int(mech)])

    def _unpacked(self, mechanism: Mechanism) -> Iterator[object]:
        """Yield text, kind, argument, prefix length and result of a mechanism. Macros can expand to no name, or to a name outside
        ASCII, which only a local part can cause. Such a mechanism does not match (RFC 8616 4): it is replaced by an `exists`
        without a name, which asks nothing."""
        kind, argument = mechanism.kind, mechanism.argument
        if kind in _WITH_DOMAIN:
            argument = self.expand(argument) if argument else self.d
            if not argument.isascii() or not argument:
                kind, argument = "exists", ""
        length = mechanism.length(self._answers.address.version)
        yield from (mechanism.text, kind, argument, length, _QUALIFIERS[mechanism.qualifier])

    # Answers

    def _answer(self, name: str, kind: Type) -> Answer | None:
        """Return the answer; None if the name cannot be asked. Raises TempError if the answer is not known, or if it is a temporary
        error. An answer that is not known is also recorded in SpfAnswers, because pyspf can catch the exception."""
        try:
            answer = self._answers.answer(name, kind)
        except MissingAnswer:
            raise pyspf.TempError("not known yet") from None
        if answer is not None and answer.temporary:
            raise pyspf.TempError(f"{kind} of {answer.question.name}: {answer.status}")
        return answer

    def _raise_if_missing(self) -> None:
        if self._answers.missing:
            raise pyspf.TempError("not known yet")

    def _records(self, name: str, kind: Type, ignore_void: bool = False) -> Answer | None:
        """Return the answer if it has values, else None, and count the void lookup (RFC 7208 4.6.4) unless `ignore_void`."""
        answer = self._answer(name, kind)
        if answer is None or answer.values:
            return answer
        if not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > self._answers.limits.void_limit:
                raise pyspf.PermError(f"More than {self._answers.limits.void_limit} lookups found nothing")
        return None

    def dns(self, name: str, qtype: Type, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """Return the values of an answer in pyspf's form."""
        answer = self._records(name, qtype, ignore_void)
        if answer is None:
            return []
        return _texts(answer) if qtype == "TXT" else list(answer.values)

    def dns_a(self, domainname: str, A: Type = "A", ignore_void: bool = False) -> list[Answer]:  # noqa: N803
        """Return a list that holds the answer with the addresses of a name; an empty list if the name has none. See `cidrmatch`."""
        answer = self._records(domainname, A, ignore_void)
        return [answer] if answer else []

    def dns_mx(self, domainname: str) -> Iterator[Answer]:
        """Return an iterator over the answers with the addresses of the MX hosts, in order (RFC 7208 5.4)."""
        answer = self._records(domainname, "MX")
        hosts = mx_hosts(answer) if answer else []
        if len(hosts) > MAX_HOSTS:
            raise pyspf.PermError(f"More than {MAX_HOSTS} MX records")
        return self._host_addresses([host for host in hosts if host and self._answers.question(host, self.A).name])

    def _host_addresses(self, hosts: Sequence[str]) -> Iterator[Answer]:
        """Yield for each host that has addresses the answer with them. If an answer is not known, record which hosts remain to be
        compared."""
        for position, host in enumerate(hosts):
            try:
                answer = self._records(host, self.A)
            except pyspf.TempError:
                questions = tuple(self._answers.question(each, self.A) for each in hosts[position:])
                self._answers.remaining = RemainingHosts(questions, self._prefix)
                raise
            if answer is not None:
                yield answer

    def validated_ptrs(self) -> list[str]:
        """Return the client's validated names (RFC 7208 5.5). If the PTR lookup ends with a DNS error, there are none. If the
        lookup of a name does, that name is skipped. Void lookups of these names do not count, because the sender has no influence
        on the client's PTR records."""
        try:
            answer = self._answer(reverse_name(self._answers.address), "PTR")
        except pyspf.TempError:
            self._raise_if_missing()
            return []
        valid = []
        for name in ptr_names(answer) if answer else []:
            try:
                if self.cidrmatch(self.dns_a(name, self.A, ignore_void=True), self.cidrmax):
                    valid.append(name)
            except pyspf.TempError:
                continue
        self._raise_if_missing()
        return valid

    # Terms

    def check_lookups(self) -> None:
        """Count a term that needs a lookup (RFC 7208 4.6.4)."""
        self.lookups += 1
        if self.lookups > self._answers.limits.lookup_limit:
            raise pyspf.PermError(f"More than {self._answers.limits.lookup_limit} terms that need lookups")

    def cidrmatch(self, ipaddrs: Iterable[Answer | str], n: int) -> bool:
        """Return whether one of the addresses, in answers or as text, is in the client's network of prefix length `n`."""
        matcher = self._answers.matcher
        self._prefix = n
        try:
            for each in ipaddrs:
                self._compared += 1 if isinstance(each, str) else len(each.values)
                if self._compared > MAX_ADDRESSES:
                    raise pyspf.PermError(f"More than {MAX_ADDRESSES} addresses")
                if matcher.matches(each, n) if isinstance(each, str) else matcher.matches_any(each, n):
                    return True
        except ValueError as error:
            raise pyspf.PermError(str(error)) from error
        return False

    # Macros

    def expand(self, s: str, stripdot: bool = True) -> str:
        """Return the text with its macros expanded. `stripdot`: True for a name, False for the text of an explanation."""

        def value(letter: str) -> str:
            if stripdot and letter in spf_macros.TEXT_ONLY:
                raise spf_macros.MacroError(f"%{{{letter}}} is for explanations only")
            self._answers.letters.add(letter)
            return self._macro_value(letter)

        text = s
        if "%" in s:
            try:
                text = spf_macros.expand(s, value)
            except spf_macros.MacroError as error:
                raise pyspf.PermError("Invalid macro", str(error)) from error
            self._expanded += len(text)
            if self._expanded > MAX_EXPANSION:
                raise pyspf.PermError("Macros expand too far")
        return spf_macros.cut_to_name(text) if stripdot else text

    def _macro_value(self, letter: str) -> str:
        if letter == "p":
            return spf_macros.validated_name(self.d, self.validated_ptrs())
        if letter in "dt":
            return str(getattr(self, letter))
        return self._answers.macro_values[letter]

    # Explanations

    def explain(self, explanation: Explanation) -> str:
        """Return the text of an explanation (RFC 7208 6.2). "" if there is no valid one, or if an answer is not known. Never
        raises."""
        self._begin()
        self.d = explanation.domain
        try:
            texts = self.dns_txt(self.expand(explanation.spec), ignore_void=True)
            if len(texts) != 1 or len(texts[0]) > MAX_TEXT:
                return ""
            text = self.expand(texts[0].decode("ascii"), stripdot=False)
        except (pyspf.TempError, pyspf.PermError, ValueError):
            return ""
        return text if text.isascii() and text.isprintable() else ""


def _texts(answer: Answer) -> list[tuple[bytes]]:
    """Return the strings of a TXT answer: at most two, enough to see that there is more than one."""
    return [(value,) for value in answer.values if isinstance(value, bytes)][:2]
