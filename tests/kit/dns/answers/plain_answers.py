"""Compare the reader of plain answers with dnspython: its result must be the same, or it must leave the message to dnspython.

    python -m tests.kit.dns.answers.plain_answers [--cases 10000000] [--first 0] [--jobs 2]

prints each message on which they disagree, and exits with 1 if there is one. Messages that the reader leaves to dnspython are not
compared.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable
from functools import partial

from rdns_milter.resolver import plain_answer
from rdns_milter.resolver.wire import decode_any
from tests.kit.dns.answers.random_answers import Case, case

CHUNK = 10_000
REPORTED = 20  # disagreements after which the command ends
NOT_PLAIN = "not plain"


def compared(each: Case) -> tuple[str, str]:
    """Return the reader's status, or NOT_PLAIN, and its difference from dnspython; "" if there is none."""
    mine = plain_answer.read(each.wire, each.query.ident, each.query.question)
    if mine is None:
        return NOT_PLAIN, ""
    right = decode_any(each.wire, each.query, over_tcp=False)
    agreed = mine == right and repr(mine) == repr(right)  # 1 == 1.0
    return mine.status, "" if agreed else f"{each.query}\n{each.wire.hex()}\n{mine}, not {right}"


def compare(numbers: Iterable[int]) -> tuple[Counter[str], list[str]]:
    """Compare these cases. Return the number of cases with each status, and the differences."""
    counted: Counter[str] = Counter()
    disagreements = []
    for number in numbers:
        status, disagreement = compared(case(number))
        counted[status] += 1
        if disagreement:
            disagreements.append(f"case {number}: {disagreement}")
    return counted, disagreements


def _chunk(last: int, first: int) -> tuple[Counter[str], list[str]]:
    return compare(range(first, min(first + CHUNK, last)))


def main() -> int:
    """Compare the cases that the command line names. Return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.kit.dns.answers.plain_answers", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    last = chosen.first + chosen.cases
    counted: Counter[str] = Counter()
    found = 0
    with multiprocessing.Pool(chosen.jobs) as pool:
        for some, disagreements in pool.imap(partial(_chunk, last), range(chosen.first, last, CHUNK)):
            counted += some
            found += len(disagreements)
            print(*disagreements, sep="\n", end="", flush=True)
            if found >= REPORTED:
                break
    shares = ", ".join(f"{status} {count}" for status, count in counted.most_common())
    print(f"{sum(counted.values())} messages: {found} disagreements; {shares}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
