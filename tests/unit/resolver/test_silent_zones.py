"""Zones that do not answer: found where they are, forgotten as soon as they answer, and never somebody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.resolver.admission.silent_zones import BRANCHES, HOLDS, MAX_LEVELS, MAX_ZONES, PROBE, Silence, zone_of

NOW = 1000.0


def silent(*names: str, now: float = NOW) -> Silence:
    """After these had no answer, all of them asked after the first that had none."""
    silence = Silence()
    for name in names[:1]:
        silence.unanswered(name, now, now)
    for name in names:
        silence.unanswered(name, now, now)
    return silence


def below(zone: str, count: int = BRANCHES) -> list[str]:
    return [f"h{number}.{zone}" for number in range(count)]


def covers(silence: Silence, name: str, now: float = NOW) -> bool:
    """Whether it is not asked, once the question has been let through that tries."""
    silence.covers(name, now)
    return silence.covers(name, now)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("_spf.example.com", "example.com"),
        ("com", "com"),
        ("co.uk", "co.uk"),
        ("5.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"),
        ("5.4.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"),
        ("2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"),
        ("1." + "0." * 19 + "1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
        ("a\\\\b..x", ".x"),
        ("\xff.example", "\xff.example"),
        ("x", "x"),
    ],
)
def test_zone_of(name: str, zone: str) -> None:
    assert zone_of(name) == zone


def test_a_zone_is_silent_after_some_branches() -> None:
    assert not covers(silent(*below("asleep.example", BRANCHES - 1)), "x.asleep.example")
    silence = silent(*below("asleep.example"))
    assert covers(silence, "x.asleep.example")
    assert covers(silence, "y.x.asleep.example")
    assert covers(silence, "asleep.example")
    assert not covers(silence, "awake.example")


def test_the_same_name_again_and_again_says_nothing_of_the_zone() -> None:
    assert not covers(silent(*["x.asleep.example"] * 50), "y.asleep.example")


def test_unique_names_far_below() -> None:
    """As `a:N.%{h}.asleep.example` makes them."""
    names = [f"{n}.h{client}.fan.example.asleep.example" for client in range(BRANCHES) for n in range(BRANCHES)]
    silence = silent(*names)
    assert covers(silence, "1.h99.fan.example.asleep.example")
    assert not covers(silence, "www.asleep.example")  # another branch, of which nothing is known


def test_a_dead_branch_does_not_make_its_parent_look_dead() -> None:
    silence = silent(*below("dead.victim.example", 100))
    assert covers(silence, "x.dead.victim.example")
    assert not covers(silence, "victim.example")
    assert not covers(silence, "mail.victim.example")


def test_a_public_suffix_is_never_silent() -> None:
    names = [name for zone in range(20) for name in below(f"dead{zone}.co.uk")]
    assert not covers(silent(*names), "alive.co.uk")
    addresses = [f"{host}.{net}.0.192.in-addr.arpa" for net in range(20) for host in range(10)]
    assert not covers(silent(*addresses), "1.99.0.192.in-addr.arpa")


def test_questions_that_were_under_way_together_say_nothing() -> None:
    """A zone with dead branches, asked for many names at once: the others answer at once, the dead ones end together later."""
    silence = Silence()
    for name in below("case.example", 50):
        silence.unanswered(name, NOW, NOW + 1)
    assert not covers(silence, "x.case.example", NOW + 1)
    for name in below("case.example"):
        silence.unanswered(name, NOW + 1, NOW + 2)
    assert covers(silence, "x.case.example", NOW + 2)


def test_any_answer_ends_it() -> None:
    silence = silent(*below("asleep.example"))
    silence.answered("other.asleep.example")
    assert not silence.covers("x.asleep.example", NOW)
    assert not silence


def test_one_question_at_a_time_tries() -> None:
    silence = silent(*below("asleep.example"))
    asked = [silence.covers("x.asleep.example", NOW + step * PROBE / 4) for step in range(12)]
    assert asked == [step % 4 != 0 for step in range(12)]


def test_it_is_forgotten() -> None:
    silence = silent(*below("asleep.example"))
    assert not covers(silence, "x.asleep.example", NOW + HOLDS)
    silence.unanswered("x.asleep.example", NOW + HOLDS, NOW + HOLDS)
    assert not covers(silence, "y.asleep.example", NOW + HOLDS)


def test_memory_is_bounded() -> None:
    silence = Silence()
    deep = ".".join(["a"] * 100)
    silence.unanswered(f"{deep}.deep.example", NOW, NOW)
    assert len(silence._zones) == MAX_LEVELS
    for number in range(2 * MAX_ZONES):
        silence.unanswered(f"x.zone{number}.example", NOW, NOW)
    assert len(silence._zones) == MAX_ZONES
    for number in range(100):
        silence.unanswered(f"x{number}.zone.example", NOW, NOW)
    assert len(silence._zones["zone.example"].branches) == BRANCHES


@given(st.lists(st.sampled_from(["a", "b", "www", "x.y", "deep.er"]), max_size=40), st.integers(0, 5))
def test_nobody_makes_another_zone_look_silent(labels: list[str], victim: int) -> None:
    silence = silent(*(f"{label}{number}.attacker.example" for number, label in enumerate(labels)))
    assert not silence.covers(f"mail.victim{victim}.example", NOW)
    assert not silence.covers("attacker.example.victim.example", NOW)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_name(one: str, other: str) -> None:
    """What a macro makes of a hostile local part is a name, too."""
    silence = silent(one, one)
    silence.covers(other, NOW)
    silence.answered(one)
    assert not silence.covers(one, NOW)
