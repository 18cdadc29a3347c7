"""Recipients of a message in groups: memory is bounded for any number of them, and each gets the reply that it would get alone."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from rdns_milter.checks.evidence import Cost
from rdns_milter.logs.decision_keys import LIMITS, Decision
from rdns_milter.logs.decision_line import line, parse
from rdns_milter.logs.mta_deliveries import MAX_RCPTS
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import ENFORCE, OBSERVE, REJECT, TAG, Condition, Mailboxes, Policy, Rule
from rdns_milter.responses.replies import compose
from rdns_milter.session.recipients import MAX_GROUPS, MAX_NAMED, Recipients
from tests.kit.data.evidence import evidence


def to(address: str) -> tuple[Condition, ...]:
    """Return a condition that holds for this recipient."""
    return (Condition("rcpt", Mailboxes(addresses=frozenset((address,)))),)


def rules(count: int, action: str) -> tuple[Rule, ...]:
    """Return a rule for each of this number of recipients."""
    return tuple(Rule(f"r{n}", to(f"r{n}@example.net"), action=action) for n in range(count))


def decisions(recipients: Recipients) -> list[Decision]:
    return list(recipients.decisions("Q1", Cost()))


@pytest.mark.parametrize("action", [TAG, REJECT])
def test_fifty_thousand_recipients(action: str) -> None:
    """All are in one group, which keeps a hundred names and the exact number."""
    recipients = Recipients(Policy((Rule("all", action=action),)))
    for number in range(50_000):
        one = evidence(rcpt=f"b{number}@example.net")
        refused = recipients.take(one) if action == TAG else recipients.judge(one)
        assert (refused is None) == (action == TAG)
    recipients.judge_taken(evidence())
    (decision,) = decisions(recipients)
    assert decision.count == 50_000
    assert decision.rcpts == tuple(f"b{number}@example.net" for number in range(MAX_NAMED))
    fields = parse(line(decision))
    assert fields is not None
    assert fields["nrcpt"] == "50000"
    assert fields["rcpt"].startswith("b0@example.net,b1@example.net,")
    assert len(fields["rcpt"]) <= LIMITS["rcpt"]


def test_each_gets_the_reply_that_it_would_get_alone() -> None:
    """With any conditions on recipients, in `when` and `unless`, and with scores."""
    policy = Policy(
        (
            Rule("spared", unless=to("a@example.net"), score=2.0),
            Rule("scored", to("b@example.net"), score=3.0),
            Rule("high", (Condition("min_score", 5.0),), action=TAG),
            Rule("shadow", to("c@example.net"), action=REJECT, shadow=True),
        )
    )
    addresses = [f"{letter}@example.net" for letter in "abcdabcdABCD"] * 3
    recipients = Recipients(policy)
    for address in addresses:
        assert recipients.take(evidence(rcpt=address)) is None
    recipients.judge_taken(evidence())
    found = {rcpt: decision.verdict for decision in decisions(recipients) for rcpt in decision.rcpts}
    assert found == {address: decide(evidence(rcpt=address), policy) for address in addresses}
    assert sum(decision.count for decision in decisions(recipients)) == len(addresses)
    assert len(set(found.values())) == 4


@pytest.mark.parametrize("action", [TAG, REJECT])
@pytest.mark.parametrize("mode", [ENFORCE, OBSERVE])
def test_more_groups_than_are_kept(action: str, mode: str) -> None:
    """There is room for a hundred groups (RFC 5321 4.5.3.1.8). A further recipient is judged if it belongs to one of them.
    Otherwise it is deferred with the code for too many recipients and logged; in observe mode it is accepted."""
    policy = Policy(rules(3 * MAX_GROUPS, action), mode)
    recipients, replies = Recipients(policy), []
    for number in [*range(3 * MAX_GROUPS), 0]:
        one = evidence(rcpt=f"r{number}@example.net")
        is_refused = action == REJECT and mode == ENFORCE
        replies.append(recipients.judge(one) if is_refused else recipients.take(one))
        if is_refused and (number < MAX_GROUPS):
            assert replies[-1] == compose(decide(one, policy), one)
    deferred = replies[MAX_GROUPS:-1]
    if mode == ENFORCE:
        assert {(reply.code, reply.enhanced) for reply in deferred if reply is not None} == {(452, "4.5.3")}
        assert None not in deferred
    else:
        assert set(replies) == {None}
    recipients.judge_taken(evidence())
    groups = {decision.verdict.rule: decision for decision in decisions(recipients)}
    over = groups.pop("limit:recipients")
    assert over.count == 2 * MAX_GROUPS
    assert (over.verdict.action, over.verdict.would) == (
        ("tempfail", ()) if mode == ENFORCE else ("accept", ("tempfail",))
    )
    assert set(groups) == {f"r{number}" for number in range(MAX_GROUPS)}
    assert groups["r0"].count == 2


def test_recipients_of_an_exempt_client_are_one_group() -> None:
    recipients = Recipients(Policy(rules(3 * MAX_GROUPS, REJECT)), exempt=True)
    exempt = replace(evidence(), exempt="network")
    for number in range(3 * MAX_GROUPS):
        assert recipients.take(replace(exempt, rcpt=f"r{number}@example.net")) is None
    recipients.judge_taken(exempt)
    (decision,) = decisions(recipients)
    assert (decision.verdict.rule, decision.count) == ("exempt:network", 3 * MAX_GROUPS)


def test_all_names_that_the_log_shows_are_kept() -> None:
    """Also for all recipients that `forecast` judges one by one."""
    assert MAX_NAMED >= MAX_RCPTS
    recipients = Recipients(Policy())
    for number in range(1000):
        recipients.take(evidence(rcpt=f"{number:03d}@example.net"))
    recipients.judge_taken(evidence())
    (decision,) = decisions(recipients)
    fields = parse(line(decision))
    assert fields is not None
    assert fields["rcpt"].count(",") + 1 < MAX_NAMED
    assert sys.getsizeof(decision.rcpts) < 2000
