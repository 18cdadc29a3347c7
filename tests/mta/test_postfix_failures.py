"""What Postfix does when the milter crashes, hangs, or is restarted, under each milter_default_action: the table in
packaging/doc/failures.md.

No mail is lost: the reply is true (accepted means queued, deferred means that the client may try again), no failure of the milter
causes a 5xx, and as soon as it is back, mail is judged as before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.load import Load
from tests.kit.milter.process_group import stopped
from tests.kit.milter.transaction import burst
from tests.kit.mta.postfix import Postfix
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, Smtp
from tests.mta.attached import DEFAULT_RULES, GOOD, GOOD_FROM, GOOD_HELO, HOST, USER

RESULTS = "Authentication-Results"
FORGED = f"{HOST}; spf=pass smtp.mailfrom=bank.example"
HEADERS = [("From", GOOD_FROM), ("To", USER), ("Subject", "test"), (RESULTS, FORGED)]
SETTINGS: dict[str, Any] = {f"milter_{what}_timeout": "2s" for what in ("connect", "command", "content")} | {
    "defer_transports": "discard"
}
# milter_default_action, the reply to the client, whether the message is held.
FATES = {
    "tempfail": ("451 4.7.1", False),
    "accept": ("250 2.0.0", False),
    "quarantine": ("250 2.0.0", True),
    "shutdown": ("451 4.3.5", False),
}
Sites = dict[str, Postfix]


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    with Daemon({"milter": {"deadline": 2.0}}, DEFAULT_RULES, server, workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def sites(daemon: Daemon) -> Iterator[Sites]:
    """A Postfix for each milter_default_action. Accepted messages stay in the queue for inspection."""
    with contextlib.ExitStack() as stack:
        yield {
            action: stack.enter_context(Postfix(daemon.spec, myhostname=HOST, milter_default_action=action, **SETTINGS))
            for action in FATES
        }


def message(site: Postfix, client: Client | None = None, meanwhile: Callable[[], object] = lambda: None) -> Dialogue:
    """Send one message with forged results and call `meanwhile` after MAIL; without a client it is from this host, which is
    exempt."""
    with Smtp(site.address, timeout=60) as smtp:
        if client is not None:
            smtp.xclient(client)
        smtp.helo(GOOD_HELO)
        if smtp.mail(GOOD_FROM).ok:
            meanwhile()
            if smtp.rcpt(USER).ok:
                smtp.data(HEADERS, b"text\r\n")
        smtp.command("QUIT", "quit")
        return smtp.dialogue


def at_all(sites: Sites, **how: object) -> dict[str, Dialogue]:
    """Send the same message at each site, at once. No failure causes a permanent refusal."""
    dialogues = dict(zip(sites, burst([partial(message, site, **how) for site in sites.values()]), strict=True))  # type: ignore[arg-type]
    assert [str(reply) for dialogue in dialogues.values() for _, reply in dialogue.steps if reply.code >= 500] == []
    return dialogues


def check_fates(sites: Sites, dialogues: dict[str, Dialogue]) -> None:
    """Check the results of a milter failure: as in `FATES`, and every accepted message is in the queue."""
    for action, (told, held) in FATES.items():
        dialogue, site = dialogues[action], sites[action]
        verdict = dialogue.verdict
        assert f"{verdict.code} {verdict.enhanced}" == told, action
        assert dialogue.accepted == told.startswith("250")
        if dialogue.accepted:
            assert (dialogue.queue_id in site.held()) == held
            assert FORGED in dict_of(site, dialogue)[RESULTS]


def check_judged(sites: Sites) -> None:
    """Check that the milter works: the results are ours, forged ones are removed."""
    for action, dialogue in at_all(sites, client=GOOD).items():
        site = sites[action]
        assert dialogue.accepted
        assert dialogue.queue_id not in site.held()
        (results,) = dict_of(site, dialogue)[RESULTS]
        assert results.startswith(f"{HOST};\n\tiprev=pass policy.iprev={GOOD.address}")


def dict_of(site: Postfix, dialogue: Dialogue) -> dict[str, list[str]]:
    """Return the header of the message as queued."""
    fields: dict[str, list[str]] = {}
    for name, value in site.headers(dialogue.queue_id):
        fields.setdefault(name, []).append(value)
    return fields


def processes(daemon: Daemon) -> list[int]:
    return [daemon.pid, *daemon.wait_for_workers(2)]


def signal_all(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, what)


def stop_all(pids: list[int]) -> None:
    """Stop all processes, and wait until they have stopped: a busy process continues to answer until one of its threads handles the
    signal."""
    signal_all(pids, signal.SIGSTOP)
    until = time.monotonic() + 20
    while not all(stopped(pid) for pid in pids):
        assert time.monotonic() < until, pids
        time.sleep(0.01)


class OnceForAll:
    """Call `what` once, when all clients are in the middle of their messages; then they go on."""

    def __init__(self, count: int, what: Callable[[], None]) -> None:
        self._barrier = threading.Barrier(count, action=what)

    def __call__(self) -> None:
        self._barrier.wait(60)


def test_crash(daemon: Daemon, sites: Sites) -> None:
    """All its processes are killed by kill -9 in the middle of a message; then the milter is down until it is started."""
    check_judged(sites)
    pids = processes(daemon)
    check_fates(sites, at_all(sites, meanwhile=OnceForAll(len(sites), lambda: signal_all(pids, signal.SIGKILL))))
    check_fates(sites, at_all(sites))
    assert daemon.process is not None
    daemon.process.wait(20)
    daemon.output.write_text("")
    daemon.start()
    check_judged(sites)


def test_hang(daemon: Daemon, sites: Sites) -> None:
    """All its processes are stopped: in the middle of a message, and before the client connects. They are not replaced."""
    check_judged(sites)
    pids = processes(daemon)
    try:
        check_fates(sites, at_all(sites, meanwhile=OnceForAll(len(sites), lambda: stop_all(pids))))
        check_fates(sites, at_all(sites))
    finally:
        signal_all(pids[::-1], signal.SIGCONT)
    check_judged(sites)
    assert processes(daemon) == pids


def test_restart(daemon: Daemon, sites: Sites) -> None:
    """TERM and a new start while clients send: each gets a reply, and every accepted message is in the queue."""
    check_judged(sites)
    dialogues: list[tuple[str, Dialogue]] = []

    def send(number: int) -> int:
        action = [*FATES][number % len(FATES)]
        dialogue = message(sites[action], client=GOOD)
        dialogues.append((action, dialogue))
        return dialogue.verdict.code

    with Load(send, clients=8) as load:
        for _ in range(2):
            load.wait(16)
            assert daemon.terminate() == 0
            load.wait(8)
            daemon.output.write_text("")
            daemon.start()
        load.wait(16)
    assert load.lost == []
    assert set(load.codes) <= {250, 451}
    queued = {action: {path.name for path in (site.base / "spool").rglob("*")} for action, site in sites.items()}
    for action, dialogue in dialogues:
        told, held = FATES[action]
        assert f"{dialogue.verdict.code} {dialogue.verdict.enhanced}" in ("250 2.0.0", told)
        assert not dialogue.accepted or dialogue.queue_id in queued[action]
        assert held or dialogue.queue_id not in sites[action].held()
    check_judged(sites)


def test_the_documentation_says_so() -> None:
    rows = {documents.code(row[0])[0]: row for row in documents.table("`milter_default_action`")}
    assert {action: documents.code(row[1])[0] for action, row in rows.items()} == {
        action: told for action, (told, _) in FATES.items()
    }
    assert {action for action, row in rows.items() if "forged" in row[2]} == {
        action for action, (told, _) in FATES.items() if told.startswith("250")
    }
    assert {action for action, row in rows.items() if "hold queue" in row[2]} == {
        action for action, (_, held) in FATES.items() if held
    }
