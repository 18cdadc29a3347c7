"""Word between two threads: however the telling and the waiting fall together."""

from __future__ import annotations

import threading

from rdns_milter.session.latch import News

ENOUGH = 20.0


def test_told_before_anybody_waits() -> None:
    news = News()
    assert not news.told
    news.tell()
    assert news.told
    assert news.wait(ENOUGH)


def test_told_while_somebody_waits() -> None:
    for _ in range(100):
        news = News()
        teller = threading.Thread(target=news.tell)
        teller.start()
        assert news.wait(ENOUGH)
        teller.join()


def test_told_by_two_at_once() -> None:
    for _ in range(200):
        news, gate = News(), threading.Barrier(2)
        broken: list[Exception] = []

        def tell(news: News = news, gate: threading.Barrier = gate, broken: list[Exception] = broken) -> None:
            gate.wait(ENOUGH)
            try:
                news.tell()
            except Exception as error:  # noqa: BLE001 - whatever it is
                broken.append(error)

        tellers = [threading.Thread(target=tell) for _ in range(2)]
        for teller in tellers:
            teller.start()
        assert news.wait(ENOUGH)
        for teller in tellers:
            teller.join()
        assert broken == []


def test_never_told() -> None:
    assert not News().wait(0.001)


def test_told_again_and_too_late() -> None:
    news = News()
    assert not news.wait(0.001)
    for _ in range(3):
        news.tell()
    assert news.told
