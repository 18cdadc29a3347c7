"""Sessions that wait for facts in the pool waker, which lets only a number of them wait at the same time."""

from __future__ import annotations

import threading
from random import Random
from typing import Any, cast

import pytest

from rdns_milter.config.load import BUILT_IN, parse
from rdns_milter.daemon.pool_waker import PoolWaker
from rdns_milter.policy.decide import reply_is_settled
from rdns_milter.session.latch import Latch
from rdns_milter.session.service import Service
from rdns_milter.session.session import Session
from tests.kit.data.evidence import GOOD
from tests.kit.data.session_steps import CLIENT, TODAY, ScriptedFacts

ENOUGH = 20.0  # seconds; reached only if something is broken
STRICT = parse('[[rule]]\nname = "strict"\nunless = {iprev = "pass"}\naction = "reject"\n', BUILT_IN)


class LatchWithNotice(Latch):
    """A latch that reports the begin of a wait."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def wait(self, *arguments: Any) -> bool:
        """See Latch."""
        self.begun.set()
        return super().wait(*arguments)


def test_a_session_keeps_its_place_until_its_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """One session may wait. A fact wakes it, and does not settle the reply. While it judges, another session wants to wait."""
    turned_away: list[int] = []  # threads
    waker = PoolWaker(
        lambda: None, lambda: 7, 1, lambda: 1, lambda: 0, lambda limit: turned_away.append(threading.get_ident())
    )
    waker.update_limit()
    latch = LatchWithNotice()
    other = threading.Thread(target=waker.wait, args=(latch, ENOUGH, lambda: True))
    settled: list[bool] = []

    def judge(*arguments: Any) -> bool:
        """Judge, and let the other session come after the first fact."""
        settled.append(reply_is_settled(*arguments))
        if len(settled) == 2:
            other.start()
            assert latch.begun.wait(ENOUGH)
        return settled[-1]

    monkeypatch.setattr("rdns_milter.session.session.reply_is_settled", judge)
    facts = ScriptedFacts(GOOD, Random(0), at_once=("helo", "spf_helo"))
    service = Service(STRICT, cast(Any, facts), lambda decision: None, lambda: TODAY, lambda: 0.0, "mx", waker.wait)
    session = Session(service)
    session.connect(CLIENT)
    session.helo("mx.example.com")
    session.mail("a@example.com")
    replies: list[object] = []
    waiting = threading.Thread(target=lambda: replies.append(session.rcpt("b@example.net")))
    waiting.start()
    while not waker.waiting and waiting.is_alive():
        waiting.join(0.001)
    facts.arrive("spf_mailfrom")
    while not turned_away and waiting.is_alive():
        waiting.join(0.001)
    facts.arrive("iprev")
    waiting.join(ENOUGH)
    latch.set()
    other.join(ENOUGH)
    assert turned_away == [other.ident]
    assert replies == [None]
    assert settled[:3] == [False, False, True]
