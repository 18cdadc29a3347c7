"""Ten thousand forged results in one message, behind a real Postfix and a real Sendmail: the message is refused, and other mail
goes on.

Postfix's cleanup would end with a panic at 10,500 removals. RFC 8601 5.
"""

from __future__ import annotations

import threading

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.mta.attached import (
    GOOD,
    GOOD_FROM,
    GOOD_HELO,
    HOST,
    Attached,
    AttachedSendmail,
    attached,
    attached_sendmail,
)

FIELD = ("Authentication-Results", f"{HOST}; spf=pass")
MANY = 10_500
FEWER = 500  # Sendmail itself refuses a header of more than 32,768 bytes
SUBJECT = [("From", GOOD_FROM), ("Subject", "ours")]


def sent_while_the_attack_runs(running: Attached | AttachedSendmail, fields: int, attacks: int = 3) -> int:
    """Send messages with this many forged fields one after the other, and good mail beside them. Return how many good messages
    were accepted during the attack; all must be."""
    over = threading.Event()
    verdicts = []

    def attack() -> None:
        try:
            for _ in range(attacks):
                verdicts.append(running.send(GOOD, GOOD_HELO, GOOD_FROM, headers=[*SUBJECT, *[FIELD] * fields]).verdict)
        finally:
            over.set()

    attacker = threading.Thread(target=attack)
    attacker.start()
    accepted = 0
    try:
        while not over.is_set():
            assert running.send(GOOD, GOOD_HELO, GOOD_FROM, headers=SUBJECT).accepted
            accepted += 1
    finally:
        attacker.join()
    assert [verdict.code for verdict in verdicts] == [550] * attacks
    assert all("5.7.0" in verdict.text for verdict in verdicts)
    return accepted


def decided(running: Attached | AttachedSendmail, attacks: int, proper: int) -> None:
    """Return the log's decisions on both kinds."""
    decisions = running.daemon.wait_for_decisions(attacks + proper)
    refused = [decision for decision in decisions if decision["action"] == "reject"]
    assert [(each["rule"], each["forged"]) for each in refused] == [("limit:forged-results", "101")] * attacks
    assert all(each["qid"] != "NOQUEUE" for each in refused)
    assert sum(each["action"] != "reject" for each in decisions) == proper


@pytest.mark.parametrize("socket", ["unix", "inet"])
def test_postfix(server: NameServer, socket: str) -> None:
    with attached(server, socket=socket) as running:
        proper = sent_while_the_attack_runs(running, MANY)
        assert running.send(GOOD, GOOD_HELO, GOOD_FROM, headers=SUBJECT).accepted
        decided(running, 3, proper + 1)
        log = running.postfix.log()
    assert "panic" not in log
    assert "throttling" not in log


def test_postfix_in_observe_mode(server: NameServer) -> None:
    with attached(server, milter={"mode": "observe"}) as running:
        dialogue = running.send(GOOD, GOOD_HELO, GOOD_FROM, headers=[*SUBJECT, *[FIELD] * MANY])
        assert dialogue.accepted
        (decision,) = running.new_decisions()
        assert (decision["rule"], decision["would"]) == ("limit:forged-results", "reject")
        assert "panic" not in running.postfix.log()


def test_sendmail(names: NameServer) -> None:
    with attached_sendmail(names) as running:
        proper = sent_while_the_attack_runs(running, FEWER)
        assert running.send(GOOD, GOOD_HELO, GOOD_FROM, headers=SUBJECT).accepted
        decided(running, 3, proper + 1)
