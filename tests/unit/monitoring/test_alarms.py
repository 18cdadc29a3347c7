"""When the milter says that its own surroundings look wrong, and when it holds its tongue."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import Evidence, Helo, exempted
from rdns_milter.monitoring.alarms import (
    CLOCK_JUMPED,
    CROWDED_OUT,
    DETECTORS,
    FACTS_LATE,
    LIST_REFUSED,
    MEANINGS,
    MIN_DECISIONS,
    MIN_JUMP,
    MIN_SECONDS,
    PERIOD,
    Alarm,
    Alarms,
)
from tests.kit.data.evidence import GOOD, NO_PTR, NOT_CONFIRMED, PTR_TIMEOUT

START = 5000.0
STEP = MIN_SECONDS / 100


def clients(evidence: Evidence, count: int = 2 * MIN_DECISIONS) -> list[Evidence]:
    """So many like that one, each with another address."""
    return [replace(evidence, client=ip_address(0x0B000000 + number)) for number in range(count)]


def heard(decisions: list[Evidence], step: float = STEP) -> list[str]:
    """The names of the alarms that they set off, one decision after the other, so many seconds apart."""
    alarms = Alarms(0.0, START)
    found = [alarms.decided(evidence, START + number * step) for number, evidence in enumerate(decisions)]
    return [alarm.name for alarm in found if alarm is not None]


NO_GREETING = replace(GOOD, helo=Helo("missing", "no", "none", "none"))
ODD = {
    "all-exempt": clients(exempted(GOOD, "network")),
    "one-address": [GOOD] * 2 * MIN_DECISIONS,
    "no-reverse-names": clients(replace(GOOD, iprev=NO_PTR)),
    "no-greetings": clients(NO_GREETING),
    "relays-name-no-client": clients(exempted(replace(GOOD, via=ip_address("203.0.113.5")), "relay")),
    "translated-clients": [
        replace(each, client=ip_address(0x64FF9B << 96 | n)) for n, each in enumerate(clients(GOOD))
    ],
}


def test_every_alarm_has_its_case() -> None:
    assert set(ODD) == set(DETECTORS)
    assert {*ODD, CLOCK_JUMPED, CROWDED_OUT, FACTS_LATE, LIST_REFUSED} == set(MEANINGS)


def test_a_list_that_refuses_is_reported_at_once_and_again() -> None:
    refused = replace(GOOD, dnslist=(("bl", "none"), ("wl", "refused"), ("zl", "refused")))
    alarms = Alarms(0.0, START)
    assert alarms.decided(replace(GOOD, dnslist=(("wl", "temperror"),)), START) is None
    raised = []
    for second in (0.0, 1.0, 2.0, PERIOD - 1, PERIOD, PERIOD + 1, PERIOD + 2):
        alarm = alarms.decided(refused, START + second)
        if alarm is not None:
            assert (alarm.name, alarm.repeats) == (LIST_REFUSED, True)
            assert alarm.text.startswith("your resolver is refused by the list: use your own. The DNS list ")
            raised.append((second, alarm.text.split("The DNS list ")[1][:2]))
    assert raised == [(0.0, "wl"), (1.0, "zl"), (PERIOD, "wl"), (PERIOD + 1, "zl")]


@pytest.mark.parametrize("name", ODD)
def test_said_once(name: str) -> None:
    assert heard(ODD[name]) == [name]
    assert heard(ODD[name] * 3) == [name]


@pytest.mark.parametrize("name", ODD)
def test_not_before_it_is_sure(name: str) -> None:
    assert heard(ODD[name][: MIN_DECISIONS - 1]) == []
    # Many, but in a short time: a single sender with a newsletter, or a wave of spam.
    assert heard(ODD[name], step=MIN_SECONDS / (2 * MIN_DECISIONS + 1)) == []
    assert heard(ODD[name][:MIN_DECISIONS], step=MIN_SECONDS / (MIN_DECISIONS - 1)) == [name]


def test_translated_clients_come_among_others() -> None:
    """Only the IPv4 clients of a host with both kinds are translated."""
    usual = replace(GOOD, client=ip_address("2001:db8::99"))
    assert heard([each for odd in ODD["translated-clients"] for each in (odd, usual)]) == ["translated-clients"]


@pytest.mark.parametrize("name", sorted(ODD.keys() - {"translated-clients"}))
def test_one_exception_is_enough(name: str) -> None:
    usual = replace(GOOD, client=ip_address("192.0.2.99"), via=ODD[name][0].via)
    odd = ODD[name][: MIN_DECISIONS - 1]
    assert heard([*odd, usual, *odd]) == []


def test_what_says_nothing_neither_counts_nor_clears() -> None:
    nameless = ODD["no-reverse-names"]
    unknown = replace(GOOD, iprev=PTR_TIMEOUT)
    assert heard(clients(unknown)) == []
    mixed = [
        each for pair in zip(nameless[:MIN_DECISIONS], clients(unknown, MIN_DECISIONS), strict=True) for each in pair
    ]
    assert heard(mixed) == ["no-reverse-names"]
    assert heard(mixed[: 2 * MIN_DECISIONS - 3]) == []
    both = [replace(each, iprev=[NO_PTR, NOT_CONFIRMED][number % 2]) for number, each in enumerate(nameless)]
    assert heard(both) == ["no-reverse-names"]
    # Our own clients say nothing about those outside.
    own = [exempted(each, "authenticated") for each in clients(NO_GREETING)]
    assert heard(own) == []


@given(st.lists(st.sampled_from([*(each[0] for each in ODD.values()), GOOD]), max_size=MIN_DECISIONS - 1))
def test_few_never_set_off_anything(decisions: list[Evidence]) -> None:
    assert heard(decisions, step=MIN_SECONDS) == []


def test_the_sentences_say_what_to_do() -> None:
    for detector in DETECTORS.values():
        assert str(MIN_DECISIONS) in detector.text
        assert detector.text.isascii()
        assert "\n" not in detector.text
        assert 100 < len(detector.text) < 400


# The clock


def looks(*jumps: float) -> list[Alarm]:
    """What is said when the clock, looked at each second, is off by so much more each time."""
    wall, now = 1_800_000_000.0, START
    alarms = Alarms(wall, now)
    found = []
    for jump in jumps:
        wall, now = wall + 1 + jump, now + 1
        found.append(alarms.check_clock(wall, now))
    return [alarm for alarm in found if alarm is not None]


@pytest.mark.parametrize("jump", [MIN_JUMP + 1, -MIN_JUMP - 1, 86_400.0 * 365])
def test_a_jump(jump: float) -> None:
    (alarm,) = looks(0, 0, jump, 0, 0)
    assert alarm.name == CLOCK_JUMPED
    assert f"jumped by {jump:+.0f} s:" in alarm.text
    assert len(looks(jump, 0, -jump, jump)) == 1


def test_a_clock_that_is_being_corrected_does_not_jump() -> None:
    assert looks(*[0.0005] * 1000, *[-0.5] * 1000) == []
    assert looks(0, MIN_JUMP - 1, 0, 1 - MIN_JUMP) == []
