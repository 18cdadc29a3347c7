"""The queue for large datagrams: one is processed in each iteration of the loop, with other work in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from rdns_milter.resolver.transport.sockets import WorkQueue


async def until(condition: Callable[[], bool]) -> None:
    """Run the loop until the condition holds, for at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


def test_other_work_runs_in_between() -> None:
    done: list[str] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        queue = WorkQueue(loop)
        for number in range(50):
            queue.add(partial(done.append, f"large {number}"))
        await asyncio.sleep(0)
        loop.call_soon(done.append, "small")
        await until(lambda: len(done) == 51)

    asyncio.run(scene())
    assert [each for each in done if each != "small"] == [f"large {number}" for number in range(50)]
    assert done.index("small") <= 3


def test_a_job_that_raises_does_not_stop_the_others() -> None:
    done: list[int] = []
    errors: list[object] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: errors.append(context["exception"]))
        queue = WorkQueue(loop)
        queue.add(lambda: done.append(1))
        queue.add(lambda: done.append(1 // 0))
        queue.add(lambda: queue.add(lambda: done.append(3)))
        await until(lambda: len(done) == 2)

    asyncio.run(scene())
    assert done == [1, 3]
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_the_queue_is_bounded() -> None:
    """A datagram is processed at once if the queue is full."""
    done: list[int] = []

    async def scene() -> None:
        queue = WorkQueue(asyncio.get_running_loop())
        for number in range(3000):
            queue.add(partial(done.append, number))
        assert 0 < len(done) < 3000
        await until(lambda: len(done) == 3000)

    asyncio.run(scene())
    assert sorted(done) == list(range(3000))
