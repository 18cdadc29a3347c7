"""Checks that hold behind a Postfix and a Sendmail alike, and that the tests of both run."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial

from tests.kit.milter.transaction import burst
from tests.kit.smtp.client_identity import Client
from tests.mta.attached import DEADLINE, Attached, AttachedSendmail, facts

# Title, client, HELO, MAIL FROM, the reply to RCPT TO (a regular expression), facts in the log line.
Kind = tuple[str, Client, str | None, str | bytes, str, str]


def check_observed(running: Attached | AttachedSendmail, kinds: Sequence[Kind]) -> None:
    """Check that each of these, which a rule would refuse, is accepted in observe mode, and that the log names the rule."""
    for kind in kinds:
        dialogue = running.send(kind[1], kind[2], kind[3])
        assert dialogue.accepted
        (decision,) = running.new_decisions()
        rule = re.search(r"rule=\S+", kind[5])
        assert rule
        expected = f"action=accept {rule[0]} qid={dialogue.queue_id} mode=observe would=reject shadow_rule="
        assert facts(decision, expected) == expected
        assert decision["reply"] == f"(observe mode: accepted although rule {decision['rule']} would reject)"


def check_burst(running: Attached | AttachedSendmail) -> None:
    """Check that fifty clients at once whose DNS is silent are all accepted, and that none waits for the deadline of another."""
    clients = [Client(f"198.18.100.{number}") for number in range(1, 51)]
    began = time.monotonic()
    assert running.send(Client("198.18.100.51"), "mail.asleep.example", "otto@asleep.example").accepted
    alone = time.monotonic() - began
    running.new_decisions(1)
    began = time.monotonic()
    jobs = [partial(running.send, client, "mail.asleep.example", "otto@asleep.example") for client in clients]
    dialogues = burst(jobs)
    took = time.monotonic() - began
    assert all(dialogue.accepted for dialogue in dialogues), "DNS trouble never bounces mail"
    decisions = running.new_decisions(50)
    assert {decision["client"] for decision in decisions} == {client.address for client in clients}
    assert {decision["action"] for decision in decisions} == {"accept"}
    assert max(float(decision["waited_ms"]) for decision in decisions) < 2 * 1000 * DEADLINE
    # Two at a time would take as long as 25 messages one after the other.
    assert took < 25 / 2 * alone
