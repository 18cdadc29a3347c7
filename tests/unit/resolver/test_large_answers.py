"""Large datagrams are taken one at a time, and whatever else the loop has to do comes between them."""

from __future__ import annotations

import asyncio

from rdns_milter.resolver.transport import Turns


def test_others_come_between() -> None:
    done: list[str] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        turns = Turns(loop)
        for number in range(50):
            turns.take(lambda number=number: done.append(f"large {number}"))  # type: ignore[misc]
        await asyncio.sleep(0)
        loop.call_soon(done.append, "small")
        await asyncio.sleep(0.05)

    asyncio.run(scene())
    assert [each for each in done if each != "small"] == [f"large {number}" for number in range(50)]
    assert done.index("small") <= 3


def test_one_that_breaks_does_not_stop_the_others() -> None:
    done: list[int] = []
    broken: list[object] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: broken.append(context["exception"]))
        turns = Turns(loop)
        turns.take(lambda: done.append(1))
        turns.take(lambda: done.append(1 // 0))
        turns.take(lambda: turns.take(lambda: done.append(3)))
        await asyncio.sleep(0.05)

    asyncio.run(scene())
    assert done == [1, 3]
    assert [type(error) for error in broken] == [ZeroDivisionError]


def test_no_more_wait_than_there_is_room_for() -> None:
    done: list[int] = []

    async def scene() -> None:
        turns = Turns(asyncio.get_running_loop())
        for number in range(3000):
            turns.take(lambda number=number: done.append(number))  # type: ignore[misc]
        assert 0 < len(done) < 3000
        await asyncio.sleep(0.2)

    asyncio.run(scene())
    assert sorted(done) == list(range(3000))
