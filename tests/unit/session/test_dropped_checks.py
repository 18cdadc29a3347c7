"""A check that nobody needs any more: its task ends, its questions leave the queue, and nothing of it is kept."""

from __future__ import annotations

import gc
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.resolver.bounded_lookup import MAX_AT_ONCE
from rdns_milter.session.check_runner import Pending
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_resolver import CONFIG, Stage

CLIENT = ip_address("192.0.2.1")
FAN = "\n".join(f"m{n}.fan.example MX {k} h{k}.m{n}.fan.example" for n in range(10) for k in range(10))
ZONE = Zone(
    f"fan.example TXT v=spf1 {' '.join(f'mx:m{n}.fan.example' for n in range(10))} -all\n{FAN}\n"
    "good.example TXT v=spf1 a:mail.good.example -all\nmail.good.example A 192.0.2.1\n192.0.2.1 PTR mail.good.example\n"
)
FEW = replace(CONFIG, dns=replace(CONFIG.dns, max_outstanding=10))


def begin(stage: Stage, domain: str = "fan.example", client: str = "192.0.2.1") -> Pending[Any]:
    return stage.finder.spf(ip_address(client), Mailbox("a", domain), "helo.example", CONFIG)


def result(pending: Pending[Any]) -> str:
    assert pending.value is not None
    return str(pending.value.result)


def tasks(stage: Stage) -> int:
    return len(stage.finder._tasks)


def test_a_check_that_nobody_needs_ends() -> None:
    with Stage(ZONE, delay=lambda question: 1.0) as stage:
        pending = begin(stage)
        stage.loop.advance(1.5)
        assert (tasks(stage), len(stage.resolver.asked)) == (1, 11)
        stage.finder.drop(pending)
        stage.loop.advance(60)
        assert (tasks(stage), len(stage.resolver.asked), stage.resolver.outstanding) == (0, 11, 0)
        assert pending.value is None
        # What was under way has been answered, and is remembered.
        again = begin(stage)
        stage.loop.advance(0.5)
        assert len(stage.resolver.asked) == 11 + MAX_AT_ONCE
        stage.finder.drop(again)


def test_dropped_before_it_began() -> None:
    with Stage(ZONE) as stage:
        pending = begin(stage)
        stage.finder.drop(pending)
        stage.finder.drop(pending)
        stage.loop.advance(10)
        assert (stage.resolver.asked, tasks(stage), pending.value) == ([], 0, None)


def test_what_was_found_is_not_dropped() -> None:
    with Stage(ZONE) as stage:
        pending = begin(stage, "good.example")
        stage.settle([pending])
        stage.finder.drop(pending, Pending())
        stage.loop.advance(1)
        assert result(pending) == "pass"
        assert begin(stage, "good.example").value == pending.value


def test_what_somebody_else_needs_goes_on() -> None:
    with Stage(ZONE, delay=lambda question: 1.0) as stage:
        dropped, kept = begin(stage, "good.example"), begin(stage, "good.example", "192.0.2.2")
        stage.loop.advance(0.5)
        stage.finder.drop(dropped)
        stage.settle([kept])
        assert result(kept) == "fail"
        assert [question.name for question in stage.resolver.asked] == ["good.example", "mail.good.example"]


def test_questions_that_wait_leave_the_queue() -> None:
    with Stage(ZONE, delay=lambda question: 1.0, config=FEW) as stage:
        floods = [begin(stage, "fan.example", f"198.51.100.{number}") for number in range(20)]
        stage.loop.advance(3.5)
        assert stage.resolver._queue.waiting > 0
        stage.finder.drop(*floods)
        stage.loop.advance(0.01)
        assert (stage.resolver._queue.waiting, tasks(stage)) == (0, 0)
        stage.loop.advance(2)
        assert (stage.resolver.outstanding, stage.resolver._queue.running) == (0, 0)
        good = begin(stage, "good.example")
        stage.settle([good])
        assert result(good) == "pass"


def test_a_waiter_that_was_there_first_is_told() -> None:
    """The queue serves a question for whoever wants it, though the one who wanted it first has left."""
    with Stage(ZONE, delay=lambda question: 1.0, config=FEW) as stage:
        flood = [begin(stage, f"x{number}.example", "198.51.100.1") for number in range(8)]
        first = begin(stage, "good.example", "198.51.100.1")
        stage.loop.advance(0.1)
        assert stage.resolver._queue.waiting > 0
        other = begin(stage, "good.example", "192.0.2.1")
        stage.loop.advance(0.1)
        stage.finder.drop(first, *flood)
        stage.settle([other])
        assert result(other) == "pass"


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 2.5])
def test_nothing_is_left_in_memory(seconds: float) -> None:
    """However far it has come, a dropped check is gone without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        with Stage(ZONE, delay=lambda question: 1.0) as stage:
            pendings = [begin(stage), stage.finder.reverse_name(CLIENT, CONFIG)]
            stage.loop.advance(seconds)
            stage.finder.drop(*pendings)
            stage.loop.advance(60)
            del pendings
            assert not [each for each in gc.get_objects() if isinstance(each, Pending) and each.value is None]
            assert stage.resolver._flights == {}
    finally:
        gc.enable()
