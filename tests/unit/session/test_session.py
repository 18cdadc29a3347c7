"""The waits that a session reports."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest

from rdns_milter.net.names import parse_address
from rdns_milter.session.latch import Latch
from rdns_milter.session.service import Service, SessionEvents
from rdns_milter.session.session import Session
from tests.kit.data.evidence import GOOD
from tests.kit.data.session_steps import TODAY, ScriptedFacts
from tests.unit.session.test_early_reply import DEFAULT


@pytest.mark.parametrize("seed", range(40))
def test_a_fact_given_up_at_the_first_recipient_is_not_counted_at_the_second(seed: int) -> None:
    """The first recipient must not wait, as if too many sessions waited. For the second, facts arrive until the reply is settled;
    the facts that are missing then are not waits, because the reply does not need them."""
    facts = ScriptedFacts(GOOD, Random(seed))
    counted: list[str] = []
    waits = iter((False,))

    def wait(latch: Latch, seconds: float, is_over: Callable[[], bool]) -> bool:
        if not next(waits, True):
            return False
        while facts.coming:
            facts.settle(1)
            if latch.wait(0, is_over):
                return True
        return False

    events = SessionEvents(waited_for=lambda stage, fact, ms: counted.append(fact))
    session = Session(
        Service(DEFAULT, cast(Any, facts), lambda decision: None, lambda: TODAY, lambda: 0.0, "mx", wait, events=events)
    )
    session.connect(parse_address("192.0.2.7"), "mx.example.org")
    session.helo("mail.example.com")
    session.mail("<a@example.com>")
    session.rcpt("<b@example.org>")
    counted.clear()
    session.rcpt("<c@example.org>")
    known = {name for name, fact in facts.latest.items() if fact.value is not None}
    assert set(counted) <= known
