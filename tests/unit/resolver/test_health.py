"""When a name server is in doubt, down, and up again: tables of events, and properties of all sequences of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.resolver.lookup import UNRESOLVED, Question, Status
from rdns_milter.resolver.servers.health import LOCAL, MISSES, RECURSIVE, SUSPECT, ServerHealth

A, B, C = (Question(f"{letter}.example", "A") for letter in "abc")
TXT_A = Question("a.example", "TXT")
# Events. An answer about a name: "a" "b" "c". No answer: "A" "B" "C", and "T" for the TXT of a. A missed probe: "!".
QUESTIONS = {"A": A, "B": B, "C": C, "T": TXT_A}
# Events; then three booleans: a probe is due after the last query without an answer, the server is down, it is in doubt.
CASES: list[tuple[str, str, bool, bool, bool]] = [
    ("nothing yet", "", False, False, False),
    ("one name silent", "A", False, False, False),
    ("one name, again and again", "AAAAAAAA", False, False, False),
    ("one name, several types", "ATAT", False, False, False),
    ("two names silent", "AB", True, False, False),
    ("two names, an answer between", "AbB", False, False, False),
    ("many dead zones among living ones", "aAbBcCaAbBcC", False, False, False),
    ("two names, then an answer", "ABc", True, False, False),
    ("suspect, one probe missed", "AB!", True, False, True),
    ("suspect, one probe missed, an answer", "AB!c", True, False, False),
    ("suspect, an answer between two misses", "AB!c!", True, False, True),
    ("two probes missed", "AB!!", True, True, True),
    ("many probes missed", "AB!!!!!!", True, True, True),
    ("down, and further silence", "AB!!CAB", False, True, True),
    ("down, and an answer", "AB!!c", True, False, False),
    ("down, an answer, one name silent", "AB!!cA", False, False, False),
    ("down, back, down again", "AB!!cAB!!", True, True, True),
    ("answers first, then silent", "abcAB!!", True, True, True),
]


def after(events: str) -> tuple[ServerHealth, bool, list[str]]:
    """Return the health after these events, True if a probe is due after the last query without an answer, and the changes ("down",
    "up")."""
    health, due, changes = ServerHealth(), False, []
    for event in events:
        if event == "!":
            changes += ["down"] * health.missed()
        elif event.islower():
            changes += ["up"] * health.answered(QUESTIONS[event.upper()])
        else:
            due = health.unanswered(QUESTIONS[event])
    return health, due, changes


@pytest.mark.parametrize(("events", "due", "down", "in_doubt"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_events(events: str, due: bool, down: bool, in_doubt: bool) -> None:
    health, was_due, _ = after(events)
    assert (was_due, health.down, health.in_doubt) == (due, down, in_doubt)


@pytest.mark.parametrize(
    ("events", "changes"),
    [
        ("", []),
        ("aAbB", []),
        ("AB!c", []),
        ("AB!!", ["down"]),
        ("AB!!!!!", ["down"]),
        ("AB!!aaa", ["down", "up"]),
        ("AB!!!aAB!!bcAB!!", ["down", "up", "down", "up", "down"]),
    ],
)
def test_each_change_is_returned_once(events: str, changes: list[str]) -> None:
    assert after(events)[2] == changes


def test_the_constants_are_those_of_the_tables() -> None:
    """The tables above hold for these constants only."""
    assert (SUSPECT, MISSES) == (2, 2)


def test_probes_are_questions_that_were_answered() -> None:
    health = ServerHealth()
    assert health.probe() == LOCAL
    for question in (A, B):
        health.answered(question)
    asked = set()
    for _ in range(4):
        asked.add(health.probe())
        health.answered(C)
    assert asked <= {A, B, C}
    assert len(asked) >= 2


def test_a_sender_cannot_choose_all_probes() -> None:
    """A sender that has only its own names looked up, and then lets them time out, must not make the server appear down."""
    health = ServerHealth()
    for number in range(20):
        health.answered(Question(f"n{number}.evil.example", "TXT"))
    health.unanswered(A)
    assert health.unanswered(B)
    for _ in range(6):
        probe = health.probe()
        if probe == LOCAL:
            health.answered(probe)  # as a working server does
        else:
            assert probe.name.endswith(".evil.example")
            health.missed()
        assert not health.down


def test_one_of_two_probes_finds_that_the_server_is_up_again() -> None:
    """Even if all names that it has answered before time out now."""
    health, _, _ = after("abAB!!")
    assert LOCAL in {(health.probe(), health.missed())[0] for _ in range(2)}


@pytest.mark.parametrize("fault", sorted(UNRESOLVED))
def test_a_server_that_only_refers_is_down(fault: Status) -> None:
    """It may be authoritative for "localhost", so it is probed with a question that only a resolver answers."""
    health = ServerHealth()
    assert not health.unanswered(A, fault)
    assert health.unanswered(B, fault)
    assert health.probe() == RECURSIVE
    assert [health.missed(), health.missed()] == [False, True]
    assert (health.down, health.fault) == (True, fault)
    assert health.answered(RECURSIVE)
    assert (health.down, health.fault, health.probe()) == (False, "timeout", LOCAL)


def test_a_senders_broken_zone_does_not_make_a_server_useless() -> None:
    """All answers so far are about the sender's zone, which now gives referrals. Every second probe is about another name."""
    health = ServerHealth()
    for number in range(20):
        health.answered(Question(f"n{number}.evil.example", "TXT"))
    health.unanswered(A, "referral")
    assert health.unanswered(B, "referral")
    for _ in range(6):
        probe = health.probe()
        if probe in (LOCAL, RECURSIVE):
            health.answered(probe)  # as a resolver does
            health.unanswered(A, "referral")
            health.unanswered(B, "referral")
        else:
            health.missed()
        assert not health.down


def test_the_fixed_probes_are_not_kept() -> None:
    health = ServerHealth()
    for question in (LOCAL, RECURSIVE, A, LOCAL):
        health.answered(question)
    assert {health.probe() for _ in range(4)} == {A}


EVENTS = st.text(alphabet="abcABCT!", max_size=60)


@given(EVENTS)
def test_down_only_without_any_answer(events: str) -> None:
    """A server is up after each answer, and down after two missed probes without an answer."""
    health, _, changes = after(events)
    since = events[max(map(events.rfind, "abc")) + 1 :]
    assert health.down == (since.count("!") >= MISSES)
    assert changes == (["down", "up"] * len(changes))[: len(changes)]


@given(EVENTS)
def test_a_probe_is_due_only_after_different_names(events: str) -> None:
    health, _, _ = after(events)
    since = events[max(map(events.rfind, "abc")) + 1 :]
    names = {QUESTIONS[event].name for event in since if event in QUESTIONS}
    due = health.unanswered(C)
    assert due == (not health.down and len(names | {C.name}) >= SUSPECT)
