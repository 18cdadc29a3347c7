"""Cancelled checks: the task ends, the questions leave the queue, and nothing stays in memory."""

from __future__ import annotations

import gc
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.resolver.bounded_lookup import MAX_AT_ONCE
from rdns_milter.session.check_runner import PendingFact
from tests.kit.dns.zone import Zone
from tests.kit.dns.zone_resolver import CONFIG, SimulatedWorker

CLIENT = ip_address("192.0.2.1")
FAN = "\n".join(f"m{n}.fan.example MX {k} h{k}.m{n}.fan.example" for n in range(10) for k in range(10))
ZONE = Zone(
    f"fan.example TXT v=spf1 {' '.join(f'mx:m{n}.fan.example' for n in range(10))} -all\n{FAN}\n"
    "good.example TXT v=spf1 a:mail.good.example -all\nmail.good.example A 192.0.2.1\n192.0.2.1 PTR mail.good.example\n"
)
FEW = replace(CONFIG, dns=replace(CONFIG.dns, max_outstanding=10))


def begin(worker: SimulatedWorker, domain: str = "fan.example", client: str = "192.0.2.1") -> PendingFact[Any]:
    return worker.check_runner.start_spf(ip_address(client), Mailbox("a", domain), "helo.example", CONFIG)


def result(pending: PendingFact[Any]) -> str:
    assert pending.value is not None
    return str(pending.value.result)


def tasks(worker: SimulatedWorker) -> int:
    return len(worker.check_runner._tasks)


def test_a_cancelled_check_ends() -> None:
    with SimulatedWorker(ZONE, delay=lambda question: 1.0) as worker:
        pending = begin(worker)
        worker.loop.advance(1.5)
        assert (tasks(worker), len(worker.resolver.asked)) == (1, 11)
        worker.check_runner.cancel(pending)
        worker.loop.advance(60)
        assert (tasks(worker), len(worker.resolver.asked), worker.resolver.outstanding) == (0, 11, 0)
        assert pending.value is None
        # Queries that were in progress have been answered, and the answers are cached.
        again = begin(worker)
        worker.loop.advance(0.5)
        assert len(worker.resolver.asked) == 11 + MAX_AT_ONCE
        worker.check_runner.cancel(again)


def test_cancelled_before_it_starts() -> None:
    with SimulatedWorker(ZONE) as worker:
        pending = begin(worker)
        worker.check_runner.cancel(pending)
        worker.check_runner.cancel(pending)
        worker.loop.advance(10)
        assert (worker.resolver.asked, tasks(worker), pending.value) == ([], 0, None)


def test_a_known_fact_is_not_dropped() -> None:
    with SimulatedWorker(ZONE) as worker:
        pending = begin(worker, "good.example")
        worker.settle([pending])
        worker.check_runner.cancel(pending, PendingFact())
        worker.loop.advance(1)
        assert result(pending) == "pass"
        assert begin(worker, "good.example").value == pending.value


def test_questions_that_another_check_needs_go_on() -> None:
    with SimulatedWorker(ZONE, delay=lambda question: 1.0) as worker:
        dropped, kept = begin(worker, "good.example"), begin(worker, "good.example", "192.0.2.2")
        worker.loop.advance(0.5)
        worker.check_runner.cancel(dropped)
        worker.settle([kept])
        assert result(kept) == "fail"
        assert [question.name for question in worker.resolver.asked] == ["good.example", "mail.good.example"]


def test_waiting_questions_leave_the_queue() -> None:
    with SimulatedWorker(ZONE, delay=lambda question: 1.0, config=FEW) as worker:
        floods = [begin(worker, "fan.example", f"198.51.100.{number}") for number in range(20)]
        worker.loop.advance(3.5)
        assert worker.resolver._queue.waiting > 0
        worker.check_runner.cancel(*floods)
        worker.loop.advance(0.01)
        assert (worker.resolver._queue.waiting, tasks(worker)) == (0, 0)
        worker.loop.advance(2)
        assert (worker.resolver.outstanding, worker.resolver._queue.running) == (0, 0)
        good = begin(worker, "good.example")
        worker.settle([good])
        assert result(good) == "pass"


def test_a_question_outlives_the_check_that_asked_it_first() -> None:
    """A question stays in the queue as long as one check waits for it, even if the check that asked first is cancelled."""
    with SimulatedWorker(ZONE, delay=lambda question: 1.0, config=FEW) as worker:
        flood = [begin(worker, f"x{number}.example", "198.51.100.1") for number in range(8)]
        first = begin(worker, "good.example", "198.51.100.1")
        worker.loop.advance(0.1)
        assert worker.resolver._queue.waiting > 0
        other = begin(worker, "good.example", "192.0.2.1")
        worker.loop.advance(0.1)
        worker.check_runner.cancel(first, *flood)
        worker.settle([other])
        assert result(other) == "pass"


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 2.5])
def test_nothing_is_left_in_memory(seconds: float) -> None:
    """A cancelled check is freed without the garbage collector, at whatever step it was cancelled."""
    gc.collect()
    gc.disable()
    try:
        with SimulatedWorker(ZONE, delay=lambda question: 1.0) as worker:
            pendings = [begin(worker), worker.check_runner.start_reverse_name(CLIENT, CONFIG)]
            worker.loop.advance(seconds)
            worker.check_runner.cancel(*pendings)
            worker.loop.advance(60)
            del pendings
            assert not [each for each in gc.get_objects() if isinstance(each, PendingFact) and each.value is None]
            assert worker.resolver._queries == {}
    finally:
        gc.enable()
