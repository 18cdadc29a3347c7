"""Clients and MTAs that break the protocol: any bytes anywhere, any order, any end. The milter answers, keeps nothing, and goes
on.

Single values from a table: tests/wire/test_odd_bytes.py. The long run of the last test: `python -m tests.bench.fuzz`.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest

from rdns_milter.logs.decision_line import MAX_LINE, parse
from tests.bench import fuzz
from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, LIAR, NAMELESS, SILENT, TROUBLED
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter import packet_fuzz
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.packets import packet, strings
from tests.kit.milter.transaction import Conversation, Outcome, deliver
from tests.kit.mta.process_usage import figures
from tests.kit.smtp.client_identity import Client

CLIENTS = (GOOD, LIAR, NAMELESS, TROUBLED)
CODES = {GOOD: 0, LIAR: 550, NAMELESS: 550, TROUBLED: 451}
NEGOTIATION = packet(b"O", bytes.fromhex("00000006 000001ff 001fffff"))


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    """Whatever it receives, the same worker serves to the end, logs no internal error, and ends on TERM."""
    with Daemon(fuzz.CONFIG, fuzz.RULES, server) as running:
        workers = until(running.workers)
        yield running
        assert running.workers() == workers
        assert running.terminate() == 0
        for line in running.lines():
            assert re.fullmatch("[ -~]+", line)
            assert len(line) <= MAX_LINE
            assert parse(line) or line.startswith("rdns-milter: ")
            assert "internal error" not in line


def serves(daemon: Daemon) -> None:
    """Check that a good client's message is accepted and a bad one's refused."""
    outcome = deliver(daemon.spec, client=GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM)
    assert outcome.accepted
    (results,) = outcome.header("Authentication-Results")
    assert "iprev=pass" in results
    assert results.count("spf=pass") == 2
    assert deliver(daemon.spec, client=NAMELESS).verdict.code == 550


def clean(outcome: Outcome) -> None:
    """Check that no text for client and message has raw bytes."""
    for reply in outcome.rcpts:
        assert re.fullmatch("[ -~]*", reply.text)
    for change in outcome.changes:
        assert re.fullmatch("[ -~]*", change.value.replace("\n\t", " "))


# Any bytes


def any_bytes(rng: Random) -> bytes:
    """Any bytes that the protocol can carry: NUL ends a string."""
    return packet_fuzz.octets(rng, 300).replace(b"\0", b"")


@pytest.mark.parametrize("seed", range(60))
def test_any_bytes_everywhere(daemon: Daemon, seed: int) -> None:
    rng = Random(seed)
    client = rng.choice(CLIENTS)
    macros = {name: any_bytes(rng) for name in ("j", "i", "v", "tls_version", "auth_authen", "daemon_addr", "_")}
    outcome = deliver(
        daemon.spec,
        client=client,
        helo=any_bytes(rng),
        mailfrom=any_bytes(rng),
        mail_args=[any_bytes(rng) for _ in range(3)],
        rcpts=["<postmaster@rcpt.example>", *(any_bytes(rng) for _ in range(3))],
        headers=[(b"X" + any_bytes(rng), any_bytes(rng)), ("Authentication-Results", any_bytes(rng))],
        macros=dict(rng.sample(sorted(macros.items()), 3)),
    )
    assert outcome.accepted
    assert len(outcome.rcpts) == 4
    assert client != TROUBLED or not any(reply.rejects for reply in outcome.rcpts)
    clean(outcome)


def test_what_is_long_is_not_kept(daemon: Daemon) -> None:
    """A thousand different senders of 60,000 bytes do not leave 60 MB in memory."""
    fill = b"x" * 60_000

    def flood(begin: int, count: int) -> None:
        for number in range(begin, begin + count):
            with Conversation(daemon.spec) as talk:
                talk.connect(GOOD.hostname, GOOD.address)
                talk.helo(fill + b"%d.example" % number)
                talk.mail(fill + b"%d@good.example" % number)
                talk.rcpt(fill + b"%d@rcpt.example" % number)

    flood(0, 100)
    before = figures(daemon.workers())
    flood(100, 1000)
    assert figures(daemon.workers()).memory - before.memory < 20_000


# Any order

STEPS = {
    "C": packet(b"C", strings("[192.0.2.1]") + b"4\x82\x35" + strings("192.0.2.1")),
    "H": packet(b"H", strings(GOOD_HELO)),
    "M": packet(b"M", strings("<a@good.example>")),
    "R": packet(b"R", strings("<b@rcpt.example>")),
    "L": packet(b"L", strings("Authentication-Results", "mx.test.example; spf=pass")),
    "E": packet(b"E"),
    "A": packet(b"A"),
    "K": packet(b"K"),
    "U": packet(b"U", strings("XYZZY")),
    "O": NEGOTIATION,
}


@pytest.mark.parametrize("begun", ["", "O", "OC", "OCH", "OCHM", "OCHMR", "OCHMRE"])
def test_any_order(daemon: Daemon, begun: str) -> None:
    """Each pair of commands after each beginning, with a whole message after it."""
    for more in itertools.product(STEPS, repeat=2):
        for ending in ("", "CHMRLE"):
            packet_fuzz.send(daemon.spec, [STEPS[step] for step in (*begun, *more, *ending)])
    serves(daemon)


def test_hundred_messages_over_one_connection(daemon: Daemon) -> None:
    """Each is judged by itself: nothing of the one before is kept."""
    with Conversation(daemon.spec) as talk:
        talk.connect(LIAR.hostname, LIAR.address)
        talk.helo("hundred.liar.example")
        for number in range(100):
            assert talk.mail(f"a{number}@{'liar' if number % 2 else 'good'}.example").goes_on
            assert talk.rcpt("postmaster@rcpt.example").goes_on
            assert talk.rcpt(f"b{number}@rcpt.example").code == 550
            if number % 3 == 0:
                talk.abort()
                continue
            talk.header("Authentication-Results", "mx.test.example; forged")
            end = talk.end()
            assert end.reply.goes_on
            assert [change.kind for change in end.changes] == ["change", "insert", "insert"]

    def decisions() -> list[dict[str, str]]:
        return [each for each in daemon.decisions() if each["helo_name"] == "hundred.liar.example"]

    until(lambda: len(decisions()) == 66 * 2 + 34)
    refused = [decision for decision in decisions() if decision["action"] == "reject"]
    assert [decision["mailfrom"][:-13] for decision in refused] == [f"a{number}" for number in range(100)]
    assert {decision["mailfrom"][-12:]: decision["spf_mailfrom"] for decision in refused} == {
        "liar.example": "softfail",
        "good.example": "fail",
    }


# Any end


def dialogue(client: Client) -> Sequence[bytes]:
    """Return all packets of an MTA's session."""
    address = strings(client.address)
    return [
        NEGOTIATION,
        packet(b"D", b"C" + strings("j", "mx.test.example")),
        packet(b"C", strings("unknown") + b"4\x82\x35" + address),
        *(STEPS[step] for step in "HMRRLLE"),
        packet(b"M", strings("<c@good.example>")),
        *(STEPS[step] for step in "RE"),
    ]


@pytest.mark.parametrize("client", [GOOD, SILENT], ids=["answered", "waiting"])
@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
def test_lost_at_every_step(daemon: Daemon, client: Client, abrupt: bool) -> None:
    """The MTA closes the connection after each packet, and within each: sessions, threads and descriptors are freed."""
    serves(daemon)
    pids = daemon.workers()
    before = figures(pids)
    packets = dialogue(client)
    for count, packet_ in enumerate(packets):
        for part in (b"", packet_[:2], packet_[:4], packet_[:5], packet_[:-1]):
            packet_fuzz.send(daemon.spec, [*packets[:count], part], abrupt)
    until(lambda: figures(pids).descriptors <= before.descriptors + 2)
    assert figures(pids).threads <= before.threads + 8
    serves(daemon)


def test_open_and_silent(daemon: Daemon, server: NameServer) -> None:
    """Connections that send nothing, or half a packet, delay neither other clients nor the end of the service."""
    with Daemon({"milter": {"deadline": 1.0}}, fuzz.RULES, server) as other:
        idle = [Conversation(other.spec, negotiate=False) for _ in range(40)]
        for number, each in enumerate(idle):
            each.send_raw(NEGOTIATION[: number % len(NEGOTIATION)])
        serves(other)
        assert other.terminate() == 0
        for each in idle:
            each.close()


def test_packets_at_random() -> None:
    report = fuzz.run(3000, seed=int(os.environ.get("FUZZ_SEED", "1")))
    assert report.faults == []
    assert report.packets >= 3000
    assert report.decisions > 20


def test_fields_by_the_thousand(daemon: Daemon) -> None:
    """Each forged result is found among thousands, and removed from the last to the first."""
    fields: list[tuple[str, Any]] = [("Authentication-Results", f"other{n}.example; none") for n in range(3000)]
    fields[7] = fields[2999] = ("Authentication-Results", "mx.test.example; spf=pass")
    outcome = deliver(daemon.spec, client=GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM, headers=fields)
    assert [change.index for change in outcome.changes if change.kind == "change"] == [3000, 8]
