"""SPF: may the client send mail in the name of this domain?

Drives an evaluation (spf_evaluation) that never waits: where an answer is missing it is asked for, together with what the record
will need next (spf_plan), and the evaluation begins again. Never lets an exception out for what comes from the network.

RFC 7208 4 (check_host), 6.2 (explanations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..net.mailboxes import Mailbox
from ..net.names import Address, canonical, parse_address
from ..resolver.lookup import Lookup
from ..text.escape import printable
from . import spf_macros
from .evidence import TEMPERROR, Spf
from .spf_answers import Knowledge, Limits
from .spf_evaluation import NONE, Evaluation, Explanation, Run

__all__ = ["CheckHostResult", "Limits", "check_host", "helo_mailbox"]

_MECHANISM_LENGTH = 200
_PROBLEM_LENGTH = 200
_EXPLANATION_LENGTH = 250
_EXPLAINING_RUNS = 4  # nothing known at first; then the text; if it has %{p}, the client's names, and their addresses


@dataclass(frozen=True, slots=True)
class CheckHostResult:
    """The result for one identity. `ttl`: seconds for which all answers that it depends on are valid (infinite if there are
    none); `message_specific`: it depends on the local part, the HELO name, the time or the receiver, so it must not be reused for
    another message; `unused`: the number of prefetched questions that were not needed."""

    spf: Spf
    ttl: float = math.inf
    message_specific: bool = False
    unused: int = 0


def helo_mailbox(helo: str) -> Mailbox:
    """The mailbox that stands for a HELO identity and for the null sender (RFC 7208 2.3, 2.4)."""
    return Mailbox("postmaster", canonical(helo))


async def check_host(
    lookup: Lookup, address: Address, mailbox: Mailbox, helo: str, *, limits: Limits, receiver: str = ""
) -> CheckHostResult:
    """The result for a client's address and a sender. A mailbox without a domain that SPF is for (RFC 7208 4.3) is `none`,
    and nothing is asked. `receiver`: the receiving MTA's name, which an explanation may mention. Never raises for what comes
    from the network; DNS trouble is `temperror`."""
    if not spf_macros.is_domain(mailbox.domain):
        return CheckHostResult(Spf(NONE))
    client = parse_address(str(address).partition("%")[0]) or address
    knowledge = Knowledge(client, mailbox, helo, limits, receiver)
    learned = await knowledge.learn(lookup)
    evaluation = Evaluation(knowledge)
    while (run := evaluation.run() if learned else Run(TEMPERROR, problem="too many questions")) is None:
        learned = await knowledge.learn(lookup)
    text = ""
    if run.explanation is not None:
        text = await _explained(lookup, knowledge, evaluation, run.explanation)
    fact = Spf(
        run.result,
        mailbox.domain,
        printable(run.mechanism, _MECHANISM_LENGTH),
        printable(run.problem, _PROBLEM_LENGTH),
        text[:_EXPLANATION_LENGTH],
    )
    return CheckHostResult(fact, knowledge.ttl, knowledge.message_specific, knowledge.unused)


async def _explained(lookup: Lookup, knowledge: Knowledge, evaluation: Evaluation, explanation: Explanation) -> str:
    """The explanation of a fail. What is not there when the result is gets a moment and no more: it changes no result."""
    for _ in range(_EXPLAINING_RUNS):
        text = evaluation.explain(explanation)
        if not knowledge.missing:
            return text
        await knowledge.learn_shortly(lookup)
    return ""
