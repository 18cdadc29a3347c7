"""Alarms about questions without a place and messages without facts: when they are told, of whom, and within which bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import NOTHING_LATE, Iprev, Late, Spf
from rdns_milter.checks.evidence import Generic as GenericFact
from rdns_milter.monitoring.alarms import CROWDED, LATE, Alarm
from rdns_milter.monitoring.congestion import LATE_PERCENT, MANY_MESSAGES, MANY_QUESTIONS, NAMES, PERIOD, Congestion
from rdns_milter.resolver.lookup import Answer, Question, Status
from rdns_milter.session.check_runner import Greeting, Pending, ReverseName
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
    congestion = crowded(MANY_QUESTIONS)
    congestion.crowded_out("192.0.2.8", "")
    alarm = only(congestion.looked(12.0))
    assert (alarm.name, alarm.again) == (CROWDED, True)
    assert alarm.text.startswith(f"{MANY_QUESTIONS + 1} DNS questions found no place within 12 s;")
    assert f"client {CLIENT} ({MANY_QUESTIONS}) and of the sender's domain {SENDER} ({MANY_QUESTIONS})." in alarm.text
    assert "dns.max_outstanding" in alarm.text


def test_questions_of_no_sender() -> None:
    text = only(crowded(MANY_QUESTIONS, "2001:db8::/64", "").looked(1.0)).text
    assert f"; most often of client 2001:db8::/64 ({MANY_QUESTIONS}). Clients" in text


def test_nobody_is_named_who_is_one_of_many() -> None:
    congestion = Congestion()
    for number in range(MANY_QUESTIONS):
        congestion.crowded_out(f"192.0.2.{number}", SENDER if number % 2 else "")
    text = only(congestion.looked(1.0)).text
    assert f"; most often of the sender's domain {SENDER} ({MANY_QUESTIONS // 2}). Clients" in text
    for text in (only(crowded(MANY_QUESTIONS, "", "").looked(1.0)).text, only(spread(MANY_QUESTIONS).looked(1.0)).text):
        assert "; of many clients and senders. Clients" in text


def test_messages_and_whose_they_were() -> None:
    alarm = only(judged(MANY_MESSAGES, 5).looked(3.0))
    assert (alarm.name, alarm.again) == (LATE, True)
    assert alarm.text.startswith(
        f"{MANY_MESSAGES} of {MANY_MESSAGES + 5} messages within 3 s were judged without facts"
    )
    assert f"(spf_mailfrom {MANY_MESSAGES}); most often of client {CLIENT}" in alarm.text


@pytest.mark.parametrize(
    "few",
    [
        crowded(MANY_QUESTIONS - 1),
        judged(MANY_MESSAGES - 1),
        judged(MANY_MESSAGES, MANY_MESSAGES * 100 // LATE_PERCENT - MANY_MESSAGES + 1),
        judged(0, 1000),
        Congestion(),
    ],
    ids=["questions", "messages", "one-in-ten", "none-late", "nothing"],
)
def test_few_are_no_alarm(few: Congestion) -> None:
    assert few.looked(1.0) == []


def test_what_comes_slowly_is_forgotten() -> None:
    congestion = crowded(MANY_QUESTIONS - 1)
    assert congestion.looked(PERIOD) == []
    congestion.crowded_out(CLIENT, SENDER)
    assert congestion.looked(PERIOD + 1) == []


def test_told_again_after_a_period_with_all_that_came_meanwhile() -> None:
    congestion = Congestion()
    told = []
    for second in range(int(3 * PERIOD)):
        for _ in range(MANY_QUESTIONS):
            congestion.crowded_out(CLIENT, SENDER)
        congestion.judged(OF_ONE)
        told += [(second, alarm) for alarm in congestion.looked(float(second))]
    for name, first in ((CROWDED, 0), (LATE, MANY_MESSAGES - 1)):
        assert [second for second, alarm in told if alarm.name == name] == [first + int(PERIOD) * n for n in range(3)]
    second_time = [alarm.text for _, alarm in told if alarm.name == CROWDED][1]
    assert second_time.startswith(f"{MANY_QUESTIONS * int(PERIOD)} DNS questions found no place within {int(PERIOD)} s")


@pytest.mark.parametrize("most", [1, 1000])
def test_names_without_end_take_no_memory(most: int) -> None:
    """And the client that has the most is still found."""
    congestion = Congestion()
    for number in range(20 * NAMES):
        congestion.crowded_out(f"10.0.{number // 256}.{number % 256}", f"s{number}.example")
        for _ in range(most // NAMES):
            congestion.crowded_out(CLIENT, SENDER)
    toll = congestion._crowded
    assert max(len(toll.clients), len(toll.senders)) <= 2 * NAMES
    text = only(congestion.looked(1.0)).text
    assert (f"client {CLIENT} (" in text) == (most > NAMES)


@given(st.text() | NASTY, st.text() | NASTY)
def test_names_are_fit_for_the_log(client: str, sender: str) -> None:
    text = only(crowded(MANY_QUESTIONS, client, sender).looked(1.0)).text
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 700


# Which facts were late


def pending(value: object, *statuses: Status) -> Pending[object]:
    found: Pending[object] = Pending(value)
    found.trail = tuple(Answer(Question("x.example", "A"), status) for status in statuses)
    return found


@pytest.mark.parametrize(
    ("value", "statuses", "late"),
    [
        (ReverseName(Iprev("temperror", "deadline"), GenericFact("none")), ("ok", "deadline"), True),
        (ReverseName(Iprev("pass", "confirmed"), GenericFact("no")), ("ok", "deadline"), False),
        (ReverseName(Iprev("temperror", "timeout"), GenericFact("none")), ("timeout",), False),
        (Greeting("temperror", "deadline"), ("deadline",), True),
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
