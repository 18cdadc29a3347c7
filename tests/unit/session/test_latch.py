"""The latch between two threads: set before, during and after the wait of the other thread."""

from __future__ import annotations

import threading

from rdns_milter.session.latch import Latch

ENOUGH = 20.0


def test_set_before_the_wait() -> None:
    latch = Latch()
    latch.set()
    assert latch.wait(ENOUGH)


def test_set_during_the_wait() -> None:
    for _ in range(100):
        latch = Latch()
        setter = threading.Thread(target=latch.set)
        setter.start()
        assert latch.wait(ENOUGH)
        setter.join()


def test_set_by_two_threads_at_once() -> None:
    for _ in range(200):
        latch, gate = Latch(), threading.Barrier(2)
        errors: list[Exception] = []

        def set_it(latch: Latch = latch, gate: threading.Barrier = gate, errors: list[Exception] = errors) -> None:
            gate.wait(ENOUGH)
            try:
                latch.set()
            except Exception as error:  # noqa: BLE001 - the test is about any exception
                errors.append(error)

        setters = [threading.Thread(target=set_it) for _ in range(2)]
        for setter in setters:
            setter.start()
        assert latch.wait(ENOUGH)
        for setter in setters:
            setter.join()
        assert errors == []


def test_never_set() -> None:
    assert not Latch().wait(0)
    assert not Latch().wait(0.001)


def test_a_wait_goes_on_until_it_is_over() -> None:
    """Another thread opens the latch again each time that it has been found open too early."""
    latch, found, answers = Latch(), threading.Semaphore(0), iter((False, False, True))

    def is_over() -> bool:
        found.release()
        return next(answers)

    def set_it() -> None:
        for _ in range(3):
            latch.set()
            assert found.acquire(timeout=ENOUGH)

    setter = threading.Thread(target=set_it)
    setter.start()
    assert latch.wait(ENOUGH, is_over)
    setter.join()
    assert list(answers) == []


def test_open_and_not_over() -> None:
    latch = Latch()
    latch.set()
    assert not latch.wait(0, lambda: False)
    assert not latch.wait(0)


def test_a_wait_closes_the_latch() -> None:
    """One wait closes the latch even if it was set several times. It can be set again, also after a wait that timed out."""
    latch = Latch()
    for _ in range(3):
        assert not latch.wait(0.001)
        for _ in range(3):
            latch.set()
        assert latch.wait(0)
        assert not latch.wait(0)
