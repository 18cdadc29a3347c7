"""Word between two threads: however the telling and the waiting fall together."""

from __future__ import annotations

import threading

from rdns_milter.news import News

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


def test_never_told() -> None:
    assert not News().wait(0.001)


def test_told_again_and_too_late() -> None:
    news = News()
    assert not news.wait(0.001)
    for _ in range(3):
        news.tell()
    assert news.told
