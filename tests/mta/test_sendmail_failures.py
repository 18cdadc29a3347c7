"""What Sendmail does when the milter crashes, hangs, or is restarted, with each F= flag: the tables in packaging/doc/failures.md
and in sendmail.mc.

What a client is told is true (accepted means queued), and as soon as the milter is back mail is judged as before.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.load import Load
from tests.kit.milter.transaction import burst
from tests.kit.mta.sendmail import EXAMPLE, Sendmail
from tests.kit.smtp.smtp_client import Dialogue
from tests.mta.attached import DEFAULT_RULES, GOOD, GOOD_FROM, GOOD_HELO, HOST, USER
from tests.mta.test_postfix_failures import FORGED, HEADERS, RESULTS, OnceForAll, processes, signal_all

# The letter after F=, and the codes of the deciding reply.
FATES = {"": (250,), "T": (451,), "4": (421,), "R": (550, 554)}
TIMEOUTS = "C:2s;S:2s;R:2s;E:2s"
MOMENTS = ("mail", "rcpt")  # after which of its commands the milter fails
Sites = dict[str, Sendmail]


@pytest.fixture(scope="module")
def daemon(names: NameServer) -> Iterator[Daemon]:
    with Daemon({"milter": {"deadline": 1.0}}, DEFAULT_RULES, names, workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def sites(daemon: Daemon) -> Iterator[Sites]:
    """A Sendmail for each flag."""
    with contextlib.ExitStack() as stack:
        yield {
            flag: stack.enter_context(Sendmail(daemon.spec, host=HOST, flags=flag, timeouts=TIMEOUTS)) for flag in FATES
        }


def message(site: Sendmail, moment: str = "", meanwhile: Callable[[], object] = lambda: None) -> Dialogue:
    """Send one message with forged results and call `meanwhile` after the command of that name. A closed connection ends it,
    too."""
    with site.connect_as(GOOD, 60) as smtp:
        steps: list[tuple[str, Callable[[], object]]] = [
            ("helo", lambda: smtp.helo(GOOD_HELO)),
            ("mail", lambda: smtp.mail(GOOD_FROM)),
            ("rcpt", lambda: smtp.rcpt(USER)),
            ("data", lambda: smtp.data(HEADERS, b"text\r\n")),
            ("quit", lambda: smtp.command("QUIT", "quit")),
        ]
        with contextlib.suppress(ConnectionError):
            for name, step in steps:
                if name == "quit" or smtp.steps[-1][1].ok:
                    step()
                if name == moment:
                    meanwhile()
        return smtp.dialogue


def at_all(sites: Sites, moment: str = "", meanwhile: Callable[[], object] = lambda: None) -> dict[str, Dialogue]:
    """Send the same message at each site, at once."""
    dialogues = burst([partial(message, site, moment, meanwhile) for site in sites.values()])
    return dict(zip(sites, dialogues, strict=True))


def results(site: Sendmail, dialogue: Dialogue) -> list[str]:
    assert dialogue.queue_id in site.queued()
    return [value for name, value in site.headers(dialogue.queue_id) if name == RESULTS]


def check_fates(sites: Sites, dialogues: dict[str, Dialogue]) -> None:
    """Check the results of a milter failure: as in `FATES`, and every accepted message is in the queue."""
    for flag, codes in FATES.items():
        dialogue = dialogues[flag]
        assert dialogue.verdict.code in codes, flag
        assert dialogue.accepted == (codes == (250,))
        if dialogue.accepted:
            assert results(sites[flag], dialogue) == [FORGED]


def check_judged(sites: Sites) -> None:
    """Check that the milter works: the results are ours, forged ones are removed."""
    for flag, dialogue in at_all(sites).items():
        assert dialogue.accepted
        (value,) = results(sites[flag], dialogue)
        assert value.startswith(f"{HOST};\n\tiprev=pass policy.iprev={GOOD.address}")


def start_again(daemon: Daemon) -> None:
    assert daemon.process is not None
    daemon.process.wait(20)
    daemon.output.write_text("")
    daemon.start()


@pytest.mark.parametrize("moment", MOMENTS)
def test_crash(daemon: Daemon, sites: Sites, moment: str) -> None:
    """All its processes are killed by kill -9 in the middle of a message; then the milter is down until it is started."""
    check_judged(sites)
    pids = processes(daemon)
    check_fates(sites, at_all(sites, moment, OnceForAll(len(sites), lambda: signal_all(pids, signal.SIGKILL))))
    check_fates(sites, at_all(sites))
    start_again(daemon)
    check_judged(sites)


@pytest.mark.parametrize("moment", MOMENTS)
def test_hang(daemon: Daemon, sites: Sites, moment: str) -> None:
    """All its processes are stopped: in the middle of a message, and before the client connects."""
    check_judged(sites)
    pids = processes(daemon)
    try:
        check_fates(sites, at_all(sites, moment, OnceForAll(len(sites), lambda: signal_all(pids, signal.SIGSTOP))))
        check_fates(sites, at_all(sites))
    finally:
        signal_all(pids[::-1], signal.SIGCONT)
    check_judged(sites)
    assert processes(daemon) == pids


def test_restart(daemon: Daemon, sites: Sites) -> None:
    """TERM and a new start while clients send: each gets a reply, and every accepted message is in the queue."""
    check_judged(sites)
    flags = [flag for flag in FATES if flag != "R"]
    dialogues: list[tuple[str, Dialogue]] = []

    def send(number: int) -> int:
        flag = flags[number % len(flags)]
        dialogue = message(sites[flag])
        dialogues.append((flag, dialogue))
        return dialogue.verdict.code

    with Load(send, clients=6) as load:
        load.wait(12)
        assert daemon.terminate() == 0
        load.wait(6)
        daemon.output.write_text("")
        daemon.start()
        load.wait(12)
    assert load.lost == []
    for flag, dialogue in dialogues:
        assert dialogue.verdict.code in (250, *FATES[flag])
        assert not dialogue.accepted or dialogue.queue_id in sites[flag].queued()
    check_judged(sites)


def test_readme_and_the_example_say_so() -> None:
    rows = {(documents.code(row[0]) or [""])[0].removeprefix("F="): row for row in documents.table("`F=`")}
    said = {flag: tuple(int(reply[:3]) for reply in documents.code(row[1])) for flag, row in rows.items()}
    assert said == FATES
    assert {flag for flag, row in rows.items() if "forged" in row[2]} == {""}
    assert all(f"F={flag}" in EXAMPLE.read_text() for flag in FATES)
    assert os.path.relpath(EXAMPLE, documents.ROOT) in documents.text()
