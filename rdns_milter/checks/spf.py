"""SPF: may the client send mail in the name of this domain? The verdict is pyspf's, the answers are ours.

The only one that knows pyspf. pyspf asks step by step and waits for each answer; here nobody waits: it runs on the answers
known so far, breaks off where one is missing, and runs again from the beginning when that one is in (a run costs some 50 us).
What its record will need next is asked meanwhile (spf_plan). Never opens a socket, never changes pyspf's globals, never lets an
exception out, and never gives pyspf what its parser would take long for.

RFC 7208 (SPF), RFC 8616 4 (senders outside ASCII).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import spf as pyspf

from ..evidence import TEMPERROR, Spf
from ..lookup import Answer, Lookup, Type
from ..names import Address, Mailbox, canonical, parse_address, reverse_name
from . import spf_macro
from .spf_knowledge import Knowledge, Limits, Missing
from .spf_plan import MAX_HOSTS, MAX_RECORD, exchanges, pointers

__all__ = ["Finding", "Limits", "helo_mailbox", "spf"]

MAX_TERM = 512  # octets; pyspf's patterns take a time that grows with the square of it
MAX_EXPANSION = 65_536  # characters that the macros of one run may put in
MAX_ADDRESSES = 5_000  # that one run compares
MAX_TEXT = 512  # octets of an explanation; longer ones are passed over (RFC 7208 6.2)
PERMERROR, FAIL, NONE = "permerror", "fail", "none"
_MECHANISM_LENGTH = 200
_PROBLEM_LENGTH = 200
_EXPLANATION_LENGTH = 250
_EXPLAINING_RUNS = 4  # nothing known at first; then the text; if it has %{p}, the client's names, and their addresses
_ABOUT_A_NAME = frozenset(("a", "mx", "exists", "include"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What SPF says of one identity. `ttl`: seconds for which all answers that it rests on hold (infinite if it rests on none).
    `personal`: local part, HELO or time had a part in it, so it must not be used for another message. `vain`: the number
    of questions that were asked ahead and not needed."""

    spf: Spf
    ttl: float = math.inf
    personal: bool = False
    vain: int = 0


def helo_mailbox(helo: str) -> Mailbox:
    """The mailbox that stands for a HELO identity and for the null sender (RFC 7208 2.3, 2.4)."""
    return Mailbox("postmaster", canonical(helo))


async def spf(lookup: Lookup, address: Address, mailbox: Mailbox, helo: str, *, limits: Limits) -> Finding:
    """The result for a client's address and a sender. A mailbox without a domain that SPF is for (RFC 7208 4.3) is `none`,
    and nothing is asked. Never raises for what comes from the network; DNS trouble is `temperror`."""
    if not spf_macro.is_domain(mailbox.domain):
        return Finding(Spf(NONE))
    client = parse_address(str(address).partition("%")[0]) or address
    knowledge = Knowledge(client, mailbox, helo, limits)
    learned = await knowledge.learn(lookup)
    query = _Query(knowledge)
    while (run := query.run() if learned else _Run(TEMPERROR, problem="too many questions")) is None:
        learned = await knowledge.learn(lookup)
    text = ""
    if run.explanation is not None:
        text = await _explained(lookup, knowledge, query, run.explanation)
    fact = Spf(
        run.result,
        mailbox.domain,
        _plain(run.mechanism, _MECHANISM_LENGTH),
        _plain(run.problem, _PROBLEM_LENGTH),
        text[:_EXPLANATION_LENGTH],
    )
    return Finding(fact, knowledge.ttl, knowledge.personal, knowledge.vain)


@dataclass(frozen=True, slots=True)
class _Explanation:
    """Where the explanation of a fail is, until it is known whether it is needed: pyspf takes it for the text. `domain`:
    whose record names it."""

    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class _Run:
    """What came of an evaluation that missed no answer."""

    result: str
    mechanism: str = ""
    problem: str = ""
    explanation: _Explanation | None = None


async def _explained(lookup: Lookup, knowledge: Knowledge, query: _Query, explanation: _Explanation) -> str:
    """The explanation of a fail. What is not there when the result is gets a moment and no more: it changes no result."""
    for _ in range(_EXPLAINING_RUNS):
        text = query.explain(explanation)
        if not knowledge.missing:
            return text
        await knowledge.learn_shortly(lookup)
    return ""


def _plain(text: str, length: int) -> str:
    """Printable ASCII, with a question mark for the rest: what stands in a record is foreign."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:length])


class _Query(pyspf.query):  # type: ignore[misc]  # pyspf has no types
    """The evaluation. pyspf's way to DNS, its limits and its macros are replaced by ours; reading a record and walking through
    it remain its own. Names and arguments of the methods it calls are pyspf's."""

    def __init__(self, knowledge: Knowledge) -> None:
        worth = knowledge.worth
        super().__init__(i=worth["c"], s=worth["s"], h=worth["h"])
        self.l, self.o = worth["l"], worth["o"]
        self._knowledge = knowledge
        self._terms: dict[tuple[str, str], tuple[str, str, str, int, str]] = {}
        self._begin()

    def _begin(self) -> None:
        self._knowledge.forget_missing()
        self.d = self.o
        self.exps = dict(self.defexps)
        self._expanded = self._compared = 0

    def run(self) -> _Run | None:
        """Evaluate from the beginning; None if an answer is missing. Never raises."""
        self._begin()
        try:
            run = self._evaluate()
        except (ValueError, AssertionError) as error:
            # A number or a name that pyspf could not read (UnicodeError is a ValueError), or records nested too deep.
            run = _Run(PERMERROR, problem=str(error))
        except Exception as error:  # noqa: BLE001 - pyspf lets out more than it means to, and mail must go on
            run = _Run(TEMPERROR, problem=f"pyspf: {type(error).__name__}")
        self.perm_error = None  # its traceback holds this very object in memory
        return None if self._knowledge.missing else run

    def _evaluate(self) -> _Run:
        result, _, text = self.check()
        if result in (PERMERROR, TEMPERROR):
            return _Run(result, problem=text.partition("Error: ")[2])
        explanation = text if result == FAIL and isinstance(text, _Explanation) else None
        return _Run(result, self.mechanism or "", explanation=explanation)

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

    def dns(self, name: str, qtype: Type, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """The values of an answer as pyspf has them; a lookup that finds nothing counts (RFC 7208 4.6.4)."""
        answer = self._answer(name, qtype)
        if answer is None:
            return []
        if answer.values:
            return _texts(answer) if qtype == "TXT" else list(answer.values)
        if not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > self._knowledge.limits.void_limit:
                raise pyspf.PermError(f"More than {self._knowledge.limits.void_limit} lookups found nothing")
        return []

    def dns_spf(self, domain: str) -> str | None:
        """The record of a domain; too long a record or term is an error before pyspf parses it."""
        record: str | None = super().dns_spf(domain)
        if record and len(record) > MAX_RECORD:
            raise pyspf.PermError(f"Record of {len(record)} octets")
        if record and len(record) > MAX_TERM and max(map(len, record.split(" "))) > MAX_TERM:
            raise pyspf.PermError(f"Term of more than {MAX_TERM} octets")
        return record

    def dns_a(self, domainname: str, A: Type = "A", ignore_void: bool = False) -> list[Answer]:  # noqa: N803
        """The answer that has the addresses of a name, if there are any: `cidrmatch` knows what to do with it."""
        if not self.dns(domainname, A, ignore_void=ignore_void):
            return []
        answer = self._answer(domainname, A)
        return [answer] if answer else []

    def dns_mx(self, domainname: str) -> Iterator[Answer]:
        """The addresses of the hosts, in order, up to the one that the caller is content with (RFC 7208 5.4)."""
        self.dns(domainname, "MX")
        answer = self._answer(domainname, "MX")
        hosts = exchanges(answer) if answer else []
        if len(hosts) > MAX_HOSTS:
            raise pyspf.PermError(f"More than {MAX_HOSTS} MX records")
        return (addresses for host in hosts if host for addresses in self.dns_a(host, self.A))

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

    def validate_mechanism(self, mech: str) -> tuple[str, str, str, int, str]:
        """pyspf's reading of a mechanism, once per check. One about a name outside ASCII, which only a local part can bring
        in, matches nothing (RFC 8616 4): so it becomes one that asks for nothing."""
        key = mech, self.d
        if key not in self._terms:
            text, kind, argument, prefix, result = super().validate_mechanism(mech)
            if kind in _ABOUT_A_NAME and not argument.isascii():
                kind, argument = "exists", ""
            self._terms[key] = text, kind, argument, prefix, result
        return self._terms[key]

    def cidrmatch(self, ipaddrs: Iterable[Answer | str], n: int) -> bool:
        """Whether the client's network of that prefix length holds one of the addresses: those of answers, or one as text."""
        neighbours = self._knowledge.neighbours
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

    def expand_domain(self, arg: str) -> str:
        """What a domain-spec expands to (RFC 7208 7.1). The current domain stands for itself, whatever it looks like."""
        if arg == self.d:
            return arg
        if not spf_macro.ends_well(arg):
            raise pyspf.PermError("Invalid domain found (use FQDN)", arg)
        return self.expand(arg)

    def expand(self, s: str, stripdot: bool = True) -> str:
        """The text with its macros replaced: a name, or with `stripdot` False the text of an explanation."""

        def value(letter: str) -> str:
            if stripdot and letter in spf_macro.TEXT_ONLY:
                raise spf_macro.MacroError(f"%{{{letter}}} is for explanations only")
            self._knowledge.letters.add(letter)
            return self._worth(letter)

        text = s
        if "%" in s:
            try:
                text = spf_macro.expand(s, value)
            except spf_macro.MacroError as error:
                raise pyspf.PermError("Invalid macro", str(error)) from error
            self._expanded += len(text)
            if self._expanded > MAX_EXPANSION:
                raise pyspf.PermError("Macros expand too far")
        return spf_macro.cut_to_name(text) if stripdot else text

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

    def get_explanation(self, spec: str) -> _Explanation:
        """Not the text yet, but where it is: it is wanted for a fail only (RFC 7208 6.2), and by pyspf from the outset."""
        return _Explanation(spec, self.d)

    def explain(self, explanation: _Explanation) -> str:
        """The text, "" if there is none, or none that may be shown (RFC 7208 6.2), or an answer is missing. Never raises."""
        self._begin()
        self.d = explanation.domain
        try:
            texts = self.dns_txt(explanation.name, ignore_void=True)
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
