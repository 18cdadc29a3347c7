"""Compare `rdns_milter.checks.spf` with the reference evaluator on random records.

`python -m tests.kit.data.spf.comparison [--cases 1000000] [--first 0]` writes each case on which they disagree, and exits with 1 if
there is one. It compares the result, the matching term, the explanation, and the number of questions whose answers the evaluation
used; questions that were only prefetched do not count. In some cases all questions are answered at once, in others one by one, the
last first.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv6Address

from rdns_milter.checks.spf import CheckHostResult, Limits, check_host
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.resolver.instant_lookup import InstantLookup, run
from rdns_milter.resolver.lookup import Answer, Question, Status, Value
from tests.kit.data.spf.random_records import Case, case
from tests.kit.data.spf.reference_evaluator import Reference, Verdict

_TIME = re.compile(r"[0-9]{10,}")  # %{t}, which is 0 in the reference evaluator
RECEIVER = "mx.receiver.example"
REPORTED = 20  # disagreements after which the command ends


class CaseLookup(InstantLookup):
    """The Lookup of a case. `at_once`: `first` returns all answers; otherwise only the last one."""

    def __init__(self, case: Case, at_once: bool) -> None:
        super().__init__(self._find)
        self._case = case
        self._at_once = at_once

    @property
    def begun(self) -> set[Question]:
        """The questions asked, each once."""
        return set(self.asked)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        answers = await self.ask(questions)
        return answers if self._at_once else answers[-1:]

    def _find(self, question: Question) -> Answer:
        records = self._case.answer(question.name, question.type)
        status: Status = "servfail" if records is None else "ok" if records else "nodata"
        values: list[Value] = [record for record in records or () if isinstance(record, str | bytes | tuple)]
        return Answer(question, status, tuple(values), 60.0)


def ours(each: Case, at_once: bool = True) -> tuple[CheckHostResult, CaseLookup]:
    """Return the milter's result, and the lookup."""
    lookup = CaseLookup(each, at_once)
    mailbox, limits = Mailbox(each.local, each.domain), Limits(each.terms, each.voids)
    check = check_host(lookup, each.client, mailbox, each.helo, limits=limits, receiver=RECEIVER)
    return run(check), lookup


def theirs(each: Case) -> tuple[Verdict, Reference]:
    """Return the result of the reference evaluator."""
    client = each.client.ipv4_mapped or each.client if isinstance(each.client, IPv6Address) else each.client
    sender = each.local or "postmaster", each.domain
    reference = Reference(each.answer, client, sender, each.helo or "unknown", RECEIVER, each.terms, each.voids)
    return reference.check(), reference


def disagreement(number: int) -> str:
    """Return the differences for the case with this number, and the case itself; "" if there are none."""
    each = case(number)
    checked, lookup = ours(each, at_once=number % 2 == 0)
    verdict, reference = theirs(each)
    fact = checked.spf
    pairs = {
        "result": (fact.result, verdict.result),
        "mechanism": (fact.mechanism, _printable(verdict.mechanism[:200])),
        "explanation": (_TIME.sub("0", fact.explanation), verdict.explanation[:250]),
        "questions": (len(lookup.begun) - checked.unused, len(reference.asked)),
    }
    found = ", ".join(f"{name}: {mine!r}, not {right!r}" for name, (mine, right) in pairs.items() if mine != right)
    return f"case {number}: {found}\n{each}\n" if found else ""


def _printable(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def main() -> int:
    """Compare the cases that the command line names. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    results: Counter[str] = Counter()
    found = asked = unused = 0
    for number in range(options.first, options.first + options.cases):
        if found_here := disagreement(number):
            print(found_here, flush=True)
            found += 1
            if found == REPORTED:
                break
        if number % 100 == 0:
            checked, lookup = ours(case(number))
            results[checked.spf.result] += 1
            asked, unused = asked + len(lookup.begun), unused + checked.unused
    shares = ", ".join(f"{name} {count}" for name, count in results.most_common())
    print(
        f"{found} disagreements; of every hundredth case: {shares}; {asked} questions, {unused} of them asked ahead and not used"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
