"""Alarms about questions without a place and messages without facts: when they are told, of whom, and within which bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import NOTHING_LATE, Iprev, Late, Spf
from rdns_milter.checks.evidence import Generic as GenericFact
from rdns_milter.monitoring.alarms import CROWDED_OUT, FACTS_LATE, MEANINGS, PERIOD, Alarm
from rdns_milter.monitoring.congestion import MIN_LATE_PERCENT, MIN_MESSAGES, MIN_QUESTIONS, NAMES, Congestion
from rdns_milter.resolver.lookup import Answer, Question, Status
from rdns_milter.session.check_runner import HeloResult, PendingFact, ReverseName
from rdns_milter.session.costs import late_facts
from tests.kit.data.evidence import NASTY

CLIENT, SENDER = "192.0.2.7", "fan.example"
OF_ONE = Late(("spf_mailfrom",), CLIENT, SENDER)


def crowded(count: int, client: str = CLIENT, sender: str = SENDER) -> Congestion:
    congestion = Congestion()
    for _ in range(count):
        congestion.crowded_out(client, sender)
    return congestion


def judged(late: int, in_time: int = 0) -> Congestion:
    congestion = Congestion()
    for number in range(late + in_time):
        congestion.judged(OF_ONE if number < late else NOTHING_LATE)
    return congestion


def spread(count: int) -> Congestion:
    """Each of another client and sender."""
    congestion = Congestion()
    for number in range(count):
        congestion.crowded_out(f"192.0.2.{number}", f"s{number}.example")
    return congestion


def only(alarms: list[Alarm]) -> Alarm:
    (alarm,) = alarms
    return alarm


def test_questions_and_whose_they_were() -> None:
    congestion = crowded(MIN_QUESTIONS)
    congestion.crowded_out("192.0.2.8", "")
    alarm = only(congestion.due_alarms(12.0))
    assert (alarm.name, alarm.repeats) == (CROWDED_OUT, True)
    assert alarm.text.startswith(f"{MIN_QUESTIONS + 1} DNS questions were dropped within 12 s because")
    named = f"client {CLIENT} ({MIN_QUESTIONS}) and for sender domain {SENDER} ({MIN_QUESTIONS})"
    assert f", most often for {named}. Other clients" in alarm.text
    assert "dns.max_outstanding" in alarm.text


def test_questions_of_no_sender() -> None:
    text = only(crowded(MIN_QUESTIONS, "2001:db8::/64", "").due_alarms(1.0)).text
    assert f", most often for client 2001:db8::/64 ({MIN_QUESTIONS}). Other clients" in text


def test_nobody_is_named_who_is_one_of_many() -> None:
    congestion = Congestion()
    for number in range(MIN_QUESTIONS):
        congestion.crowded_out(f"192.0.2.{number}", SENDER if number % 2 else "")
    text = only(congestion.due_alarms(1.0)).text
    assert f", most often for sender domain {SENDER} ({MIN_QUESTIONS // 2}). Other clients" in text
    for text in (
        only(crowded(MIN_QUESTIONS, "", "").due_alarms(1.0)).text,
        only(spread(MIN_QUESTIONS).due_alarms(1.0)).text,
    ):
        assert ", for many clients and senders. Other clients" in text


def test_messages_and_whose_they_were() -> None:
    alarm = only(judged(MIN_MESSAGES, 5).due_alarms(3.0))
    assert (alarm.name, alarm.repeats) == (FACTS_LATE, True)
    assert alarm.text.startswith(
        f"{MIN_MESSAGES} of {MIN_MESSAGES + 5} messages within 3 s were judged without some facts"
    )
    assert f"(spf_mailfrom {MIN_MESSAGES}), most often for client {CLIENT}" in alarm.text


@pytest.mark.parametrize(
    "few",
    [
        crowded(MIN_QUESTIONS - 1),
        judged(MIN_MESSAGES - 1),
        judged(MIN_MESSAGES, MIN_MESSAGES * 100 // MIN_LATE_PERCENT - MIN_MESSAGES + 1),
        judged(0, 1000),
        Congestion(),
    ],
    ids=["questions", "messages", "one-in-ten", "none-late", "nothing"],
)
def test_few_are_no_alarm(few: Congestion) -> None:
    assert few.due_alarms(1.0) == []


def test_what_comes_slowly_is_forgotten() -> None:
    congestion = crowded(MIN_QUESTIONS - 1)
    assert congestion.due_alarms(PERIOD) == []
    congestion.crowded_out(CLIENT, SENDER)
    assert congestion.due_alarms(PERIOD + 1) == []


def test_told_again_after_a_period_with_all_that_came_meanwhile() -> None:
    congestion = Congestion()
    told = []
    for second in range(int(3 * PERIOD)):
        for _ in range(MIN_QUESTIONS):
            congestion.crowded_out(CLIENT, SENDER)
        congestion.judged(OF_ONE)
        told += [(second, alarm) for alarm in congestion.due_alarms(float(second))]
    for name, first in ((CROWDED_OUT, 0), (FACTS_LATE, MIN_MESSAGES - 1)):
        assert [second for second, alarm in told if alarm.name == name] == [first + int(PERIOD) * n for n in range(3)]
    second_time = [alarm.text for _, alarm in told if alarm.name == CROWDED_OUT][1]
    assert second_time.startswith(f"{MIN_QUESTIONS * int(PERIOD)} DNS questions were dropped within {int(PERIOD)} s")


@pytest.mark.parametrize("most", [1, 1000])
def test_names_without_end_take_no_memory(most: int) -> None:
    """And the client that has the most is still found."""
    congestion = Congestion()
    for number in range(20 * NAMES):
        congestion.crowded_out(f"10.0.{number // 256}.{number % 256}", f"s{number}.example")
        for _ in range(most // NAMES):
            congestion.crowded_out(CLIENT, SENDER)
    window = congestion._crowded_out
    assert max(len(window.clients), len(window.senders)) <= 2 * NAMES
    text = only(congestion.due_alarms(1.0)).text
    assert (f"client {CLIENT} (" in text) == (most > NAMES)


def test_the_documentation_has_the_bounds() -> None:
    assert f"At least {MIN_QUESTIONS} DNS" in MEANINGS[CROWDED_OUT]
    assert f"At least {MIN_MESSAGES} messages, and at least a tenth of all" in MEANINGS[FACTS_LATE]
    assert MIN_LATE_PERCENT == 10


@given(st.text() | NASTY, st.text() | NASTY)
def test_names_are_fit_for_the_log(client: str, sender: str) -> None:
    text = only(crowded(MIN_QUESTIONS, client, sender).due_alarms(1.0)).text
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 700


# Which facts were late


def pending(value: object, *statuses: Status) -> PendingFact[object]:
    found: PendingFact[object] = PendingFact(value)
    found.trail = tuple(Answer(Question("x.example", "A"), status) for status in statuses)
    return found


@pytest.mark.parametrize(
    ("value", "statuses", "late"),
    [
        (ReverseName(Iprev("temperror", "deadline"), GenericFact("none")), ("ok", "deadline"), True),
        (ReverseName(Iprev("pass", "confirmed"), GenericFact("no")), ("ok", "deadline"), False),
        (ReverseName(Iprev("temperror", "timeout"), GenericFact("none")), ("timeout",), False),
        (HeloResult("temperror", "deadline"), ("deadline",), True),
        (Spf("temperror"), ("ok", "deadline"), True),
        (Spf("temperror"), ("servfail",), False),
        (Spf("fail"), ("ok", "deadline"), False),
        (None, (), False),
    ],
)
def test_late(value: object, statuses: tuple[Status, ...], late: bool) -> None:
    found = pending(value, *statuses)
    assert late_facts({"a": found}, ()) == (("a",) if late else ())
    assert late_facts({"a": found, "b": pending(None)}, {"b"}) == (("a", "b") if late else ("b",))
