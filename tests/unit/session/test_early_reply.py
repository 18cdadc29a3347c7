"""A reply that is given before all facts are known is the one that all facts would have given, and the session does not wait for
facts that cannot change it.

Each dialogue (tests.kit.data.session_steps) is compared with the same dialogue in which all facts are known from the beginning.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from rdns_milter.checks.evidence import FACTS, LOOKED_UP, UNKNOWN, Cost, Evidence, Iprev
from rdns_milter.config.load import BUILT_IN, Config, parse
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import Policy
from rdns_milter.responses.replies import compose
from rdns_milter.session.check_runner import PendingFact
from rdns_milter.session.latch import Latch
from rdns_milter.session.service import Service
from rdns_milter.session.session import Session
from tests.kit.data.evidence import GOOD
from tests.kit.data.session_steps import (
    ALL,
    CLIENT,
    MOMENT,
    TODAY,
    Dialogue,
    DialogueRunner,
    Message,
    Run,
    ScriptedFacts,
    random_dialogue,
)
from tests.kit.data.strategies import SEEDS, evidences, policies, with_facts

DEFAULT = parse(sample(), BUILT_IN)
CONFIRMED = Iprev("pass", "confirmed", ("mx.example.com",), ("mx.example.com",), 1)
ONE = Dialogue("mx.example.com", (Message("a@example.com", ("b@example.net", "c@example.net")),))
thorough = settings(max_examples=400, deadline=None)


def run_dialogue(facts: Evidence, config: Config, seed: int) -> Run:
    """Run the dialogue of a seed with all facts known from the beginning."""
    return DialogueRunner(config, ScriptedFacts(facts, Random(seed)), [ALL]).run_dialogue(random_dialogue(seed))


def without_cost(decision: Decision) -> Decision:
    """Return the decision without its cost, which depends on when facts arrive."""
    return replace(decision, cost=Cost())


@given(evidences(), policies(), SEEDS)
@thorough
def test_replies_and_verdicts_are_those_of_all_facts(facts: Evidence, policy: Policy, seed: int) -> None:
    config, rng = replace(Config(), policy=policy), Random(seed)
    expected = run_dialogue(facts, config, seed)
    assert expected.waits == []
    early = [rng.choice((0, 0, 1, 2)) for _ in range(5)]
    run = DialogueRunner(config, ScriptedFacts(facts, rng), early, complete=expected.evidence).run_dialogue(
        random_dialogue(seed)
    )
    assert run.replies == expected.replies
    assert run.modifications == expected.modifications
    assert list(map(without_cost, run.decisions)) == list(map(without_cost, expected.decisions))
    for decision in expected.decisions:
        assert decision.verdict == decide(decision.evidence, policy)
        reply = compose(decision.verdict, decision.evidence)
        assert decision.reply == ("" if reply is None else str(reply))


@given(evidences(), policies(), SEEDS)
@thorough
def test_missing_facts_cause_no_permanent_refusal(facts: Evidence, policy: Policy, seed: int) -> None:
    """With facts missing at the deadline, only recipients get a 5xx reply that get one with all facts."""
    config, rng = replace(Config(), policy=policy), Random(seed)
    expected = run_dialogue(facts, config, seed)
    hurried = DialogueRunner(config, ScriptedFacts(facts, rng), [0], patience=rng.randint(0, 3)).run_dialogue(
        random_dialogue(seed)
    )
    for hasty, calm in zip(hurried.replies, expected.replies, strict=True):
        if hasty is not None and hasty.code >= 500:
            assert calm is not None
            assert calm.code >= 500
    for decision in hurried.decisions:
        assert decision.verdict == decide(decision.evidence, policy)
        assert UNKNOWN not in {fact.get(decision.evidence) for fact in FACTS.values()}


def begun(
    check_runner: ScriptedFacts, decisions: list[Decision], wait: Callable[[Latch, float, Callable[[], bool]], bool]
) -> Session:
    """Return a session that has reached the end of a message."""
    service = Service(
        DEFAULT,
        check_runner,  # type: ignore[arg-type]
        decisions.append,
        lambda: TODAY,
        lambda: 0.0,
        "mx.test.example",
        wait=wait,
    )
    session = Session(service)
    session.connect(CLIENT)
    session.helo(ONE.helo)
    session.mail("a@example.com")
    assert session.rcpt("b@example.net") is None
    return session


def test_a_session_that_has_waited_is_freed_at_once() -> None:
    """Reference cycles of sessions and facts would stay in memory until Python's garbage collector runs."""
    check_runner = ScriptedFacts(GOOD, Random(0), at_once=("iprev", "helo", "spf_helo"))

    def wait(latch: Latch, seconds: float, is_over: Callable[[], bool]) -> bool:
        check_runner.settle(1)
        return latch.wait(0, is_over)

    decisions: list[Decision] = []
    session = begun(check_runner, decisions, wait)
    session.end()
    assert [decision.evidence.spf_mailfrom.result for decision in decisions] == ["pass"]
    memory = weakref.ref(session)
    check_runner.latest.clear()
    gc.disable()
    try:
        del session
        assert memory() is None
    finally:
        gc.enable()


class FactSetAfterReads(PendingFact[Any]):
    """A fact that another thread sets just after `value` has been read a number of times."""

    __slots__ = ("_reads", "_real")

    def __init__(self, value: Any, reads: int) -> None:
        self._reads = reads
        self._real = value
        super().__init__()

    @property
    def value(self) -> Any:
        self._reads -= 1
        return None if self._reads >= 0 else self._real

    @value.setter
    def value(self, value: Any) -> None:
        """Ignore the value: it is that of `__init__`."""


@pytest.mark.parametrize("reads", range(8))
@pytest.mark.parametrize("late", LOOKED_UP)
def test_a_fact_may_arrive_at_any_moment(late: str, reads: int) -> None:
    """A fact may arrive between any two reads of the session. The decision has its value or `temperror`, never `unknown`."""
    check_runner = ScriptedFacts(GOOD, Random(0), at_once=LOOKED_UP)
    begin = check_runner._begin
    check_runner._begin = lambda name, value: FactSetAfterReads(value, reads) if name == late else begin(name, value)  # type: ignore[method-assign]
    decisions: list[Decision] = []
    session = begun(check_runner, decisions, lambda latch, seconds, is_over: latch.wait(0, is_over))
    modifications = session.end()
    words = {name: fact.get(decisions[0].evidence) for name, fact in FACTS.items()}
    assert UNKNOWN not in words.values()
    assert UNKNOWN not in str(modifications)
    assert {words[name] for name in LOOKED_UP} <= {"pass", "temperror"}


# The default rules


@given(evidences(), SEEDS)
@thorough
def test_with_a_confirmed_name_no_recipient_waits(facts: Evidence, seed: int) -> None:
    """The other facts may be anything, and arrive at any time."""
    facts = replace(facts, iprev=CONFIRMED)
    run = DialogueRunner(DEFAULT, ScriptedFacts(facts, Random(seed), at_once=["iprev"]), [0]).run_dialogue(
        random_dialogue(seed)
    )
    assert "rcpt" not in run.waits
    assert run.replies == run_dialogue(facts, DEFAULT, seed).replies


def test_the_other_facts_are_waited_for_at_the_end() -> None:
    run = DialogueRunner(DEFAULT, ScriptedFacts(GOOD, Random(0), at_once=["iprev", "helo"]), [0]).run_dialogue(ONE)
    assert run.replies == [None, None]
    assert run.waits == ["end"]
    assert run.wakes == ["end"]
    assert run.waited == [("end", "spf_helo"), ("end", "spf_mailfrom")]
    (decision,) = run.decisions
    assert (decision.verdict.action, decision.evidence.spf_mailfrom.result) == ("accept", "pass")
    assert decision.cost.waited_ms == pytest.approx(2000 * MOMENT)


@given(SEEDS)
def test_a_recipient_waits_until_a_fact_settles_its_reply(seed: int) -> None:
    """The wait ends with the first fact that settles the reply, the reverse name or an SPF result."""
    complete = DialogueRunner(DEFAULT, ScriptedFacts(GOOD, Random(0)), [ALL]).run_dialogue(ONE).evidence
    run = DialogueRunner(DEFAULT, ScriptedFacts(GOOD, Random(seed)), [0], complete=complete).run_dialogue(ONE)
    assert run.replies == [None, None]
    assert run.waits == ["rcpt", "end"]


@pytest.mark.parametrize("recipient", ["postmaster@example.net", "abuse@example.net"])
def test_postmaster_and_abuse_never_wait(recipient: str) -> None:
    run = DialogueRunner(DEFAULT, ScriptedFacts(GOOD, Random(0)), [0]).run_dialogue(
        Dialogue("x.example", (Message("a@b.example", (recipient,)),))
    )
    assert run.waits == ["end"]


def test_the_second_recipient_does_not_wait_again() -> None:
    facts = with_facts(GOOD, {"iprev": "permerror", "helo": "fail", "spf_helo": "none", "spf_mailfrom": "none"})
    run = DialogueRunner(DEFAULT, ScriptedFacts(facts, Random(0)), [0]).run_dialogue(ONE)
    assert [reply.code if reply else 0 for reply in run.replies] == [550, 550]
    assert run.waits == ["rcpt"]


def test_a_message_has_one_deadline() -> None:
    """After the deadline of a message the session does not wait again, neither for further recipients nor at the end."""
    facts = ScriptedFacts(GOOD, Random(0))
    run = DialogueRunner(DEFAULT, facts, [0], patience=0).run_dialogue(ONE)
    assert run.waits == ["rcpt"]
    assert [reply.code if reply else 0 for reply in run.replies] == [0, 0]
    (decision,) = run.decisions
    assert decision.cost.waited_ms == pytest.approx(DEFAULT.milter.deadline * 1000)
    assert {FACTS[name].get(decision.evidence) for name in LOOKED_UP} == {"temperror"}
