"""Evaluate SPF on the answers known so far: pyspf walks through the mechanisms; grammar, macros, limits and answers are ours.

The only module that knows pyspf. pyspf asks step by step and waits for each answer; here nobody waits: an evaluation breaks off
where an answer is missing, and is repeated from the beginning when it can get further (a run costs some 50 us). pyspf never sees
the text of a record: spf_record parses it and decides what a syntax error is. Never opens a socket, never changes pyspf's globals,
never lets an exception out.

RFC 7208 4.6 (record evaluation), 5 (mechanisms), 6 (modifiers), 7 (macros); RFC 8616 4 (senders outside ASCII).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import spf as pyspf

from ..net.names import reverse_name
from ..resolver.lookup import Answer, Type
from . import spf_macros
from .evidence import TEMPERROR
from .spf_answers import Knowledge, Missing, Row
from .spf_prefetch import MAX_HOSTS, exchanges, pointers
from .spf_record import Mechanism, RecordError

MAX_EXPANSION = 65_536  # characters that the macros of one run may put in
MAX_ADDRESSES = 5_000  # that one run compares
MAX_TEXT = 512  # octets of an explanation; longer ones are passed over (RFC 7208 6.2)
PERMERROR, FAIL, NONE = "permerror", "fail", "none"
_ABOUT_A_NAME = frozenset(("a", "mx", "ptr", "exists", "include"))
_QUALIFIERS: Mapping[str, str] = MappingProxyType({"+": "pass", "-": FAIL, "~": "softfail", "?": "neutral"})
# What pyspf is told that the last mechanism of a record with `redirect=` gives. Never leaves this module.
_REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where the explanation of a fail is, until it is known whether it is needed. `spec`: the domain-spec of `exp=`;
    `domain`: whose record has it."""

    spec: str
    domain: str


@dataclass(frozen=True, slots=True)
class Run:
    """What came of an evaluation that missed no answer."""

    result: str
    mechanism: str = ""
    problem: str = ""
    explanation: Explanation | None = None


class Evaluation(pyspf.query):  # type: ignore[misc]  # pyspf has no types
    """The evaluation. pyspf's parser, macros, limits and way to DNS are replaced by ours, and so is `redirect=`; the walk through
    mechanisms and includes remains its own. Names and arguments of the methods it calls are pyspf's."""

    def __init__(self, knowledge: Knowledge) -> None:
        worth = knowledge.worth
        super().__init__(i=worth["c"], s=worth["s"], h=worth["h"])
        self.l, self.o = worth["l"], worth["o"]
        self.exps[_REDIRECT] = ""  # pyspf looks up an explanation for every result
        self._knowledge = knowledge
        self._mechanisms: tuple[Mechanism, ...] = ()
        self._explanation: Explanation | None = None
        self._begin()

    def _begin(self) -> None:
        self._knowledge.forget_missing()
        self.d = self.o
        self._expanded = self._compared = self._prefix = 0

    def run(self) -> Run | None:
        """Evaluate from the beginning; None if an answer is missing. Never raises."""
        self._begin()
        try:
            run = self._evaluate()
        except (ValueError, AssertionError) as error:
            # A number or a name that pyspf could not read (UnicodeError is a ValueError), or records nested too deep.
            run = Run(PERMERROR, problem=str(error))
        except Exception as error:  # noqa: BLE001 - pyspf lets out more than it means to, and mail must go on
            run = Run(TEMPERROR, problem=f"pyspf: {type(error).__name__}")
        self.perm_error = None  # its traceback holds this very object in memory
        return None if self._knowledge.missing else run

    def _evaluate(self) -> Run:
        result, _, text = self.check()
        if result in (PERMERROR, TEMPERROR):
            return Run(result, problem=text.partition("Error: ")[2])
        return Run(result, self.mechanism or "", explanation=self._explanation if result == FAIL else None)

    # Records

    def dns_spf(self, domain: str) -> str | None:
        """The record of a domain. A name of one label has none, and is not asked for (RFC 7208 4.3)."""
        if "." not in domain:
            return None
        record: str | None = super().dns_spf(domain)
        return record

    def check0(self, spf: str | None, recursion: int) -> tuple[str, int, str]:
        """Evaluate one record (RFC 7208 4.6). pyspf gets the numbers of its mechanisms for terms, and walks through them;
        `redirect=` is to it one more mechanism that always matches, so that it is counted and followed only there."""
        if spf is None:
            return NONE, 250, ""
        try:
            record = self._knowledge.read(spf)
        except RecordError as error:
            raise pyspf.PermError(str(error)) from error
        if not recursion:
            self._explanation = Explanation(record.explanation, self.d) if record.explanation else None
        self._mechanisms = record.mechanisms
        terms = [str(number) for number in range(len(record.mechanisms))]
        if record.redirect:
            terms.append(_REDIRECT)
        result: tuple[str, int, str] = super().check0(" ".join(("v=spf1", *terms)), recursion)
        return self._redirected(record.redirect, recursion) if result[0] == _REDIRECT else result

    def _redirected(self, spec: str, recursion: int) -> tuple[str, int, str]:
        """RFC 7208 6.1."""
        self.check_lookups()
        domain = self.expand(spec)
        record = self.dns_spf(domain)
        if record is None:
            raise pyspf.PermError("redirect domain has no SPF record", domain)
        result: tuple[str, int, str] = self.check1(record, domain, recursion)
        return result

    def validate_mechanism(self, mech: str) -> Iterator[object]:
        """What pyspf wants to know of a mechanism. It unpacks that when it comes to it, so macros are expanded only then:
        what a macro takes may cost a lookup, or make the result message_specific."""
        if mech == _REDIRECT:
            return iter(("", "all", "", 0, _REDIRECT))
        return self._unpacked(self._mechanisms[int(mech)])

    def _unpacked(self, mechanism: Mechanism) -> Iterator[object]:
        """Text, kind, argument, prefix length, result. A mechanism about a name outside ASCII, which only a local part can bring
        in, matches nothing (RFC 8616 4), nor does one whose macros leave no name: it becomes one that asks for nothing."""
        kind, argument = mechanism.kind, mechanism.argument
        if kind in _ABOUT_A_NAME:
            argument = self.expand(argument) if argument else self.d
            if not argument.isascii() or not argument:
                kind, argument = "exists", ""
        length = mechanism.length(self._knowledge.address.version)
        yield from (mechanism.text, kind, argument, length, _QUALIFIERS[mechanism.qualifier])

    # Answers

    def _answer(self, name: str, kind: Type) -> Answer | None:
        """The answer, None if the name cannot be asked. What is missing is noted too: pyspf may swallow the exception."""
        try:
            answer = self._knowledge.answer(name, kind)
        except Missing:
            raise pyspf.TempError("not known yet") from None
        if answer is not None and answer.temporary:
            raise pyspf.TempError(f"{kind} of {answer.question.name}: {answer.status}")
        return answer

    def _break_off(self) -> None:
        if self._knowledge.missing:
            raise pyspf.TempError("not known yet")

    def _records(self, name: str, kind: Type, ignore_void: bool = False) -> Answer | None:
        """The answer if it holds anything; a lookup that finds nothing counts (RFC 7208 4.6.4)."""
        answer = self._answer(name, kind)
        if answer is None or answer.values:
            return answer
        if not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > self._knowledge.limits.void_limit:
                raise pyspf.PermError(f"More than {self._knowledge.limits.void_limit} lookups found nothing")
        return None

    def dns(self, name: str, qtype: Type, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """The values of an answer as pyspf has them."""
        answer = self._records(name, qtype, ignore_void)
        if answer is None:
            return []
        return _texts(answer) if qtype == "TXT" else list(answer.values)

    def dns_a(self, domainname: str, A: Type = "A", ignore_void: bool = False) -> list[Answer]:  # noqa: N803
        """The answer that has the addresses of a name, if there are any: `cidrmatch` knows what to do with it."""
        answer = self._records(domainname, A, ignore_void)
        return [answer] if answer else []

    def dns_mx(self, domainname: str) -> Iterator[Answer]:
        """The addresses of the hosts, in order, up to the one that the caller is content with (RFC 7208 5.4)."""
        answer = self._records(domainname, "MX")
        hosts = exchanges(answer) if answer else []
        if len(hosts) > MAX_HOSTS:
            raise pyspf.PermError(f"More than {MAX_HOSTS} MX records")
        return self._in_a_row([host for host in hosts if host and self._knowledge.question(host, self.A).name])

    def _in_a_row(self, hosts: Sequence[str]) -> Iterator[Answer]:
        """The addresses of each host. Where those of one are missing, the others are what is compared next."""
        for position, host in enumerate(hosts):
            try:
                answer = self._records(host, self.A)
            except pyspf.TempError:
                questions = tuple(self._knowledge.question(each, self.A) for each in hosts[position:])
                self._knowledge.row = Row(questions, self._prefix)
                raise
            if answer is not None:
                yield answer

    def validated_ptrs(self) -> list[str]:
        """The client's names that lead back to it. A DNS error makes a name not count, or all (RFC 7208 5.5); that the
        client's names lead nowhere is not the sender's fault, so it does not count as void."""
        try:
            answer = self._answer(reverse_name(self._knowledge.address), "PTR")
        except pyspf.TempError:
            self._break_off()
            return []
        valid = []
        for name in pointers(answer) if answer else []:
            try:
                if self.cidrmatch(self.dns_a(name, self.A, ignore_void=True), self.cidrmax):
                    valid.append(name)
            except pyspf.TempError:
                continue
        self._break_off()
        return valid

    # Terms

    def check_lookups(self) -> None:
        """Count a term that looks something up (RFC 7208 4.6.4)."""
        self.lookups += 1
        if self.lookups > self._knowledge.limits.lookup_limit:
            raise pyspf.PermError(f"More than {self._knowledge.limits.lookup_limit} terms that need lookups")

    def cidrmatch(self, ipaddrs: Iterable[Answer | str], n: int) -> bool:
        """Whether the client's network of that prefix length holds one of the addresses: those of answers, or one as text."""
        neighbours = self._knowledge.neighbours
        self._prefix = n
        try:
            for each in ipaddrs:
                self._compared += 1 if isinstance(each, str) else len(each.values)
                if self._compared > MAX_ADDRESSES:
                    raise pyspf.PermError(f"More than {MAX_ADDRESSES} addresses")
                if neighbours.has(each, n) if isinstance(each, str) else neighbours.has_any(each, n):
                    return True
        except ValueError as error:
            raise pyspf.PermError(str(error)) from error
        return False

    # Macros

    def expand(self, s: str, stripdot: bool = True) -> str:
        """The text with its macros replaced: a name, or with `stripdot` False the text of an explanation."""

        def value(letter: str) -> str:
            if stripdot and letter in spf_macros.TEXT_ONLY:
                raise spf_macros.MacroError(f"%{{{letter}}} is for explanations only")
            self._knowledge.letters.add(letter)
            return self._worth(letter)

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

    def _worth(self, letter: str) -> str:
        if letter == "p":
            return self._validated_name()
        if letter in "dt":
            return str(getattr(self, letter))
        return self._knowledge.worth[letter]

    def _validated_name(self) -> str:
        """RFC 7208 7.3: the domain itself, else a name below it, else any; of several the first in order."""
        names = self.validated_ptrs()
        below = [name for name in names if name.endswith(f".{self.d}")]
        return self.d if self.d in names else (below or names or ["unknown"])[0]

    # Explanations

    def explain(self, explanation: Explanation) -> str:
        """The text, "" if there is none, or none that may be shown (RFC 7208 6.2), or an answer is missing. Never raises."""
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
    """The strings of a TXT answer, so many of both kinds as it takes to see that there is more than one."""
    policies: list[tuple[bytes]] = []
    others: list[tuple[bytes]] = []
    for value in answer.values:
        if isinstance(value, bytes):
            (policies if pyspf.RE_SPF.match(value) else others).append((value,))
    return policies[:2] + others[:2]
