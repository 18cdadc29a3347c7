"""Check SPF: whether a client may send mail for a domain.

Asks the questions that the record needs, as far as they can be predicted (spf_prefetch). Then runs an evaluation (spf_evaluation),
which never waits. If the evaluation misses an answer nevertheless, the question is asked, and the evaluation starts again. Never
raises for data from the network.

RFC 7208 4 (check_host), 6.2 (explanations).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..net.mailboxes import Mailbox
from ..net.names import Address, canonical, parse_address
from ..resolver.lookup import Lookup
from ..text.escape import printable
from . import spf_macros
from .evidence import TEMPERROR, Spf
from .spf_answers import Limits, SpfAnswers
from .spf_evaluation import NONE, Evaluation, EvaluationResult, Explanation

__all__ = ["CheckHostResult", "Limits", "check_host", "helo_mailbox"]

_MECHANISM_LENGTH = 200
_PROBLEM_LENGTH = 200
_EXPLANATION_LENGTH = 250
# The first run finds that the text is missing; with %{p} the client's names and then their addresses can be missing too.
_EXPLAIN_ATTEMPTS = 4


class CheckHostResult(NamedTuple):
    """The result for one identity. `ttl`: seconds for which all answers that it depends on are valid (infinite if there are none);
    `message_specific`: True if the result depends on the local part, the HELO name, the time or the receiver, so that it must not
    be reused for another message; `unused`: the number of prefetched questions that were not needed."""

    spf: Spf
    ttl: float = math.inf
    message_specific: bool = False
    unused: int = 0


def helo_mailbox(helo: str) -> Mailbox:
    """Return the mailbox to check for the HELO identity and for the null sender (RFC 7208 2.3, 2.4)."""
    return Mailbox("postmaster", canonical(helo))


async def check_host(
    lookup: Lookup, address: Address, mailbox: Mailbox, helo: str, *, limits: Limits, receiver: str = ""
) -> CheckHostResult:
    """Return the result for a client address and a sender.

    If SPF does not apply to the mailbox's domain (RFC 7208 4.3), the result is `none` and nothing is asked. `receiver`: the name
    of the receiving MTA, which an explanation can contain. Never raises for data from the network; a temporary DNS error is
    `temperror`.
    """
    if not spf_macros.is_domain(mailbox.domain):
        return CheckHostResult(Spf(NONE))
    client = parse_address(str(address).partition("%")[0]) or address
    answers = SpfAnswers(client, mailbox, helo, limits, receiver)
    fetched = await answers.fetch_missing(lookup)
    if answers.has_no_record():
        return CheckHostResult(Spf(NONE, mailbox.domain), answers.ttl)
    evaluation = Evaluation(answers)
    while (
        result := evaluation.run() if fetched else EvaluationResult(TEMPERROR, problem="too many questions")
    ) is None:
        fetched = await answers.fetch_missing(lookup)
    text = ""
    if result.explanation is not None:
        text = await _explain(lookup, answers, evaluation, result.explanation)
    fact = Spf(
        result.result,
        mailbox.domain,
        printable(result.mechanism, _MECHANISM_LENGTH),
        printable(result.problem, _PROBLEM_LENGTH),
        text[:_EXPLANATION_LENGTH],
    )
    return CheckHostResult(fact, answers.ttl, answers.message_specific, answers.unused)


async def _explain(lookup: Lookup, answers: SpfAnswers, evaluation: Evaluation, explanation: Explanation) -> str:
    """Return the explanation of a fail. Missing answers are waited for only briefly, because they do not change the result."""
    for _ in range(_EXPLAIN_ATTEMPTS):
        text = evaluation.explain(explanation)
        if not answers.missing:
            return text
        await answers.fetch_briefly(lookup)
    return ""
