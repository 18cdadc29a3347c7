"""Silent zones: found at the right level and forgotten at the first answer. A client cannot make another zone silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.resolver.admission.silent_zones import (
    BRANCHES,
    HOLDS,
    MAX_LEVELS,
    MAX_ZONES,
    PROBE,
    SilentZones,
    zone_of,
)

NOW = 1000.0


def silent(*names: str, now: float = NOW) -> SilentZones:
    """Return the zones after a query about the first name has timed out, and then queries about all of the names."""
    zones = SilentZones()
    for name in names[:1]:
        zones.unanswered(name, now, now)
    for name in names:
        zones.unanswered(name, now, now)
    return zones


def below(zone: str, count: int = BRANCHES) -> list[str]:
    return [f"h{number}.{zone}" for number in range(count)]


def covers(zones: SilentZones, name: str, now: float = NOW) -> bool:
    """Return whether queries about a name are held back, apart from the one query that probes the zone."""
    zones.covers(name, now)
    return zones.covers(name, now)


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
    zones = silent(*below("asleep.example"))
    assert covers(zones, "x.asleep.example")
    assert covers(zones, "y.x.asleep.example")
    assert covers(zones, "asleep.example")
    assert not covers(zones, "awake.example")


def test_one_name_does_not_make_its_zone_silent() -> None:
    assert not covers(silent(*["x.asleep.example"] * 50), "y.asleep.example")


def test_unique_names_many_labels_below() -> None:
    """Names as the term `a:N.%{h}.asleep.example` makes them."""
    names = [f"{n}.h{client}.fan.example.asleep.example" for client in range(BRANCHES) for n in range(BRANCHES)]
    zones = silent(*names)
    assert covers(zones, "1.h99.fan.example.asleep.example")
    assert not covers(zones, "www.asleep.example")  # a branch that has not been asked


def test_a_dead_branch_does_not_make_its_parent_look_dead() -> None:
    zones = silent(*below("dead.victim.example", 100))
    assert covers(zones, "x.dead.victim.example")
    assert not covers(zones, "victim.example")
    assert not covers(zones, "mail.victim.example")


def test_a_public_suffix_is_never_silent() -> None:
    names = [name for zone in range(20) for name in below(f"dead{zone}.co.uk")]
    assert not covers(silent(*names), "alive.co.uk")
    addresses = [f"{host}.{net}.0.192.in-addr.arpa" for net in range(20) for host in range(10)]
    assert not covers(silent(*addresses), "1.99.0.192.in-addr.arpa")


def test_queries_in_progress_at_the_same_time_do_not_count() -> None:
    """Queries about dead branches of a zone that are in progress together all time out, without an answer in between."""
    zones = SilentZones()
    for name in below("case.example", 50):
        zones.unanswered(name, NOW, NOW + 1)
    assert not covers(zones, "x.case.example", NOW + 1)
    for name in below("case.example"):
        zones.unanswered(name, NOW + 1, NOW + 2)
    assert covers(zones, "x.case.example", NOW + 2)


def test_any_answer_ends_the_silence() -> None:
    zones = silent(*below("asleep.example"))
    zones.answered("other.asleep.example")
    assert not zones.covers("x.asleep.example", NOW)
    assert not zones


def test_one_query_a_second_is_sent() -> None:
    zones = silent(*below("asleep.example"))
    asked = [zones.covers("x.asleep.example", NOW + step * PROBE / 4) for step in range(12)]
    assert asked == [step % 4 != 0 for step in range(12)]


def test_silence_is_forgotten() -> None:
    zones = silent(*below("asleep.example"))
    assert not covers(zones, "x.asleep.example", NOW + HOLDS)
    zones.unanswered("x.asleep.example", NOW + HOLDS, NOW + HOLDS)
    assert not covers(zones, "y.asleep.example", NOW + HOLDS)


def test_memory_is_bounded() -> None:
    zones = SilentZones()
    deep = ".".join(["a"] * 100)
    zones.unanswered(f"{deep}.deep.example", NOW, NOW)
    assert len(zones._zones) == MAX_LEVELS
    for number in range(2 * MAX_ZONES):
        zones.unanswered(f"x.zone{number}.example", NOW, NOW)
    assert len(zones._zones) == MAX_ZONES
    for number in range(100):
        zones.unanswered(f"x{number}.zone.example", NOW, NOW)
    assert len(zones._zones["zone.example"].branches) == BRANCHES


@given(st.lists(st.sampled_from(["a", "b", "www", "x.y", "deep.er"]), max_size=40), st.integers(0, 5))
def test_no_sender_makes_another_zone_look_silent(labels: list[str], victim: int) -> None:
    zones = silent(*(f"{label}{number}.attacker.example" for number, label in enumerate(labels)))
    assert not zones.covers(f"mail.victim{victim}.example", NOW)
    assert not zones.covers("attacker.example.victim.example", NOW)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_name(one: str, other: str) -> None:
    """A macro can put any local part into a name."""
    zones = silent(one, one)
    zones.covers(other, NOW)
    zones.answered(one)
    assert not zones.covers(one, NOW)
