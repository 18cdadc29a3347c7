"""A soak test with a mixture of good, bad and hostile messages: `python -m tests.bench.soak --messages 200000`.

Reports the workers' use of memory, threads and descriptors in ten rows, and at the end its growth since the first row and all
errors: a missing or wrong reply, a refusal that depends on a temporary error, a log line that cannot be parsed, a worker that has
ended. Exit status 1 after any error, or if memory has grown by more than five percent. Growth is an error only in runs of at least
100,000 messages, because caches fill during the first 10,000. `--attacks 5`: five percent of the messages are attacks on the
milter's time and memory.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from rdns_milter.logs.decision_line import parse
from tests.kit.data.scenario import GOOD_HELO, ZONE
from tests.kit.dns.nameserver_process import NameServerProcess
from tests.kit.dns.zone import Zone
from tests.kit.milter import packet_fuzz
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.packets import packet, strings
from tests.kit.mta.process_usage import Figures, figures

AT_ONCE = 24
ROWS = 10
MOST_GROWTH = 5.0  # percent
ENOUGH = 100_000  # messages of a run in which growth is an error
FAULTS_KEPT = 20
FEW = 200  # kinds of odd bytes; few, so that all are in the caches within the first tenth of the run
CONFIG: dict[str, dict[str, Any]] = {
    "milter": {"deadline": 3.0},
    "dns": {"timeout": 0.8, "tries": 1, "cache_entries": 1000},
    "headers": {"received_spf": True},
}
TEXT = "{client} {helo} {mailfrom} {ptr} {reason} {advice}"
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "iprev", "unless": {"iprev": "pass"}, "action": "reject", "text": TEXT},
    {"name": "spf_mailfrom", "when": {"spf_mailfrom": ["fail", "permerror"]}, "action": "reject", "text": TEXT},
    {"name": "marked", "unless": {"spf_mailfrom": "pass"}, "action": "tag"},
]
REFUSING = {"iprev": {"fail", "permerror"}, "spf_mailfrom": {"fail", "permerror"}}

# Addresses 198.18.N.1 to .19 have this behaviour.
BEHAVIOURS = (
    "servfail", "refused", "nxdomain", "silent", "wrong-id", "garbage", "comp-loop", "bad-counts", "mutate 1", "cname-loop",
    "cname-chain 17", "cname-step 20", "truncate", "truncate-reset", "truncate-half", "target-bytes 0a", "target localhost",
    "huge 60", "flap", "lost", "edns-drop", "wrong-class", "servfail-ede", "duplicate",
)  # fmt: skip
COSTLY: Mapping[str, list[Any]] = {
    "*.loop.example": ["TXT v=spf1 include:x.loop.example -all"],
    "*.long.example": [("TXT", "v=spf1 exists:%{d}" + ".a" * 15_000)],
    "*.digits.example": [("TXT", "v=spf1 a:%{d" + "1" * 3900 + "}")],
    "*.mx.example": [("TXT", "v=spf1 " + " ".join(f"mx:m{n}.hosts.example" for n in range(10)) + " -all")],
    "*.hosts.example": [*(("MX", f"{k} h{k}.mxhosts.example.") for k in range(10))],
    "*.mxhosts.example": ["A 10.9.8.7"],
    "*.lines.example": [("TXT", "v=spf1 -all exp=why.lines.example")],
    "*.mxsilent.example": [
        ("TXT", "v=spf1 " + " ".join(f"mx:m{n}.%{{d}}.mxhosts.asleep.example" for n in range(10)) + " -all")
    ],
    "*.fan.example": [("TXT", "v=spf1 " + " ".join(f"a:{n}.%{{h}}.asleep.example" for n in range(10)) + " -all")],
    "*.mxhosts.asleep.example": [*(("MX", f"{k} h{k}.silent.asleep.example.") for k in range(10))],
    "*.silent.asleep.example": ["SILENT"],
    "*.asleep.example": ["SILENT"],
    "why.lines.example": [("TXT", b"no\r\nX-Injected: yes\0\xff")],
}
NEGOTIATION = packet(b"O", bytes.fromhex("00000006 000001ff 001fffff"))

Packets = list[bytes]
# Kinds of messages, and the reply codes that RCPT may have: 0 for "continue"; empty if there may be no reply.
Made = tuple[Packets, frozenset[int]]
TAKEN, REFUSED, DEFERRED = frozenset((0,)), frozenset((550,)), frozenset((451,))


def message(address: str, helo: str | bytes, sender: str | bytes, *fields: tuple[str | bytes, str | bytes]) -> Packets:
    """Return the packets of an MTA for one message."""
    return [
        packet(b"D", b"C" + strings("j", "mx.test.example", "{client_addr}", address)),
        packet(b"C", strings(f"[{address}]") + b"4\x82\x35" + strings(address)),
        packet(b"H", strings(helo)),
        *transaction(sender, *fields),
    ]


def transaction(sender: str | bytes, *fields: tuple[str | bytes, str | bytes]) -> Packets:
    """Return the packets from MAIL to the end of the message."""
    macros = packet(b"D", b"E" + strings("i", "4SoakQ0001"))
    wires = [packet(b"L", strings(*each)) for each in fields]
    envelope = [packet(b"M", strings(sender)), packet(b"R", strings("<b@rcpt.example>")), packet(b"T")]
    return [*envelope, *wires, packet(b"N"), macros, packet(b"E")]


def good(rng: Random, number: int) -> Made:
    """Return the packets of a good client, with a new domain each time."""
    fields = ("Subject", "soak"), ("Authentication-Results", "mx.test.example; spf=pass")
    return message("192.0.2.1", GOOD_HELO, f"<a@n{number}.good.example>", *fields), TAKEN


def known(rng: Random, number: int) -> Made:
    """Return the packets of a good client with the same domain each time."""
    return message("192.0.2.1", GOOD_HELO, "<a@good.example>"), TAKEN


def bad(rng: Random, number: int) -> Made:
    """Return the packets of a client without a reverse name, or with one that resolves to another address."""
    return message(rng.choice(("192.0.2.7", "192.0.2.8")), "mx.liar.example", "<a@liar.example>"), REFUSED


def troubled(rng: Random, number: int) -> Made:
    """Return the packets of a client for which DNS answers SERVFAIL, or does not answer."""
    return message(rng.choice(("192.0.2.66", "192.0.2.77")), "mail.trouble.example", "<a@trouble.example>"), DEFERRED


def misled(rng: Random, number: int) -> Made:
    """Return the packets of a client whose DNS misbehaves."""
    address = f"198.18.{rng.randrange(len(BEHAVIOURS))}.{rng.randrange(1, 20)}"
    return message(address, f"n{number}.example", f"<a@n{number}.good.example>"), TAKEN | REFUSED | DEFERRED


def costly_spf(rng: Random, number: int) -> Made:
    """Return the packets of a sender with a costly SPF record. On a busy machine facts may be missing at the deadline."""
    word = rng.choice(("loop", "long", "digits", "mx", "lines"))
    return message("192.0.2.1", GOOD_HELO, f"<a@n{number}.{word}.example>"), REFUSED | TAKEN


def odd(rng: Random, number: int) -> Made:
    """Return packets whose texts match no grammar."""
    rng = Random(number % FEW)
    one, other, *rest = (packet_fuzz.octets(rng, 300).replace(b"\0", b"") for _ in range(4))
    return message("192.0.2.1", one, other, ("Authentication-Results", rest[0]), (b"X" + rest[1], one)), frozenset()


def many(rng: Random, number: int) -> Made:
    """Return the packets of ten messages over one connection."""
    return [*message("192.0.2.1", GOOD_HELO, "<a@good.example>"), *transaction("<a@good.example>") * 9], TAKEN


def lost(rng: Random, number: int) -> Made:
    """Return packets that stop somewhere, because the MTA closes the connection."""
    packets = message("192.0.2.1", GOOD_HELO, f"<a@n{number}.good.example>")
    del packets[rng.randrange(len(packets)) :]
    return packets, frozenset()


def malformed(rng: Random, number: int) -> Made:
    """Return random packets with their own negotiation."""
    return packet_fuzz.session(Random(number % FEW)), frozenset()


def forger(rng: Random, number: int) -> Made:
    """Return a message with 10,500 forged results under the milter's authserv-id."""
    return message("192.0.2.1", GOOD_HELO, "<a@good.example>", *[FORGED] * 10_500), TAKEN | REFUSED


def swelling(rng: Random, number: int) -> Made:
    """Return a message with a megabyte of a character that compatibility normalization makes eighteen times as long."""
    fields = [("Authentication-Results", "\ufdfa" * 20_000)] * 17
    return message("192.0.2.1", GOOD_HELO, "<a@good.example>", *fields), TAKEN


def restless(rng: Random, number: int) -> Made:
    """Return MAIL and RSET many times; each sender's SPF record has ten `mx` of ten hosts that do not answer."""
    start = message(attacker(rng), f"n{number}.example", "<>")[:3]
    turns = [(packet(b"M", strings(f"<a@n{number}t{turn}.mxsilent.example>")), packet(b"A")) for turn in range(20)]
    return [*start, *(each for turn in turns for each in turn)], frozenset((0,))


def greeter(rng: Random, number: int) -> Made:
    """Return a hundred HELO commands, each with an SPF record of ten names that do not answer."""
    start = message(attacker(rng), "x", "<>")[:2]
    return [*start, *(packet(b"H", strings(f"h{number}-{turn}.fan.example")) for turn in range(100))], frozenset((0,))


def crowd(rng: Random, number: int) -> Made:
    """Return a message with a thousand recipients, all of which are refused."""
    packets = message("192.0.2.7", "mx.liar.example", "<a@liar.example>")
    return [
        *packets[:4],
        *(packet(b"R", strings(f"<b{each}@rcpt.example>")) for each in range(1000)),
        packet(b"A"),
    ], REFUSED


def attacker(rng: Random) -> str:
    """Return the address of one of the clients that attack by DNS."""
    return f"198.18.200.{rng.randrange(1, 20)}"


ATTACKS = (forger, swelling, restless, greeter, crowd)
FORGED = ("Authentication-Results", "mx.test.example; spf=pass")
KINDS: Mapping[Callable[[Random, int], Made], int] = {
    good: 40, known: 20, bad: 10, troubled: 5, misled: 8, costly_spf: 4, odd: 5, many: 2, lost: 3, malformed: 3
}  # fmt: skip


@dataclass
class Soak:
    """A run. `rows`: messages sent, seconds, figures of the workers."""

    daemon: Daemon
    seed: int
    attacks: float = 0.0
    sent: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    rows: list[tuple[int, float, Figures]] = field(default_factory=list)

    def send(self, count: int) -> None:
        """Send this many messages from several threads."""
        numbers = itertools.count(self.sent.total())
        until_ = self.sent.total() + count

        def sender() -> None:
            while (number := next(numbers)) < until_:
                try:
                    self._one(number)
                except Exception as error:  # noqa: BLE001 - told at the end
                    self.fault(f"message {number}: {error!r}")

        threads = [threading.Thread(target=sender) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def fault(self, text: str) -> None:
        """Record an error."""
        self.faults.append(text)

    def _one(self, number: int) -> None:
        rng = Random(f"{self.seed}/{number}")
        kinds = ATTACKS if rng.random() < self.attacks else KINDS
        (kind,) = rng.choices(list(kinds), None if kinds is ATTACKS else list(KINDS.values()))
        packets, codes = kind(rng, number)
        said = packet_fuzz.send(self.daemon.spec, packets if kind is malformed else [NEGOTIATION, *packets])
        self.sent[kind.__name__] += 1
        if not codes:
            return
        replies = [(command, data) for command, data in packet_fuzz.frames(said) if command in b"cytra"]
        expected = sum(each[4:5] in b"CHMRTE" for each in packets)
        given = {int(data[:3]) for command, data in replies if command == b"y"} or {0}
        if len(replies) != expected or not given <= codes:
            self.fault(f"message {number} ({kind.__name__}): {len(replies)} replies, {given} instead of {set(codes)}")

    def rest(self, pids: Sequence[int], began: float) -> None:
        """Wait until all connections are closed, and record the figures of the workers."""
        time.sleep(0.5)
        self.rows.append((self.sent.total(), time.monotonic() - began, figures(pids)))

    def read_log(self) -> int:
        """Read the log, record errors in it, and return the number of decisions."""
        decisions = 0
        with self.daemon.output.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = parse(line)
                if fields is None:
                    if not line.startswith("rdns-milter: ") or "internal error" in line or " ended (" in line:
                        self.fault(f"log: {line[:300]!r}")
                    continue
                decisions += 1
                if fields["rule"] == "limit:forged-results":
                    continue
                if fields["action"] == "reject" and fields[fields["rule"]] not in REFUSING[fields["rule"]]:
                    self.fault(f"refused for trouble: {line[:300]!r}")
        return decisions


def run(
    messages: int, seed: int = 1, workers: int = 2, attacks: float = 0.0, say: Callable[[str], None] = print
) -> int:
    """Run the test. Return the exit status."""
    zone = Zone(
        ZONE,
        "*.good.example TXT v=spf1 ip4:192.0.2.1 -all",
        "\n".join(f"*.{n}.18.198.in-addr.arpa PTR!{behaviour}" for n, behaviour in enumerate(BEHAVIOURS)),
        COSTLY,
    )
    with NameServerProcess(zone) as server, Daemon(CONFIG, RULES, server.hostport, workers) as daemon:
        pids = until(lambda: found if len(found := daemon.workers()) == workers else [])
        soak, began = Soak(daemon, seed, attacks / 100), time.monotonic()
        say(
            f"{'messages':>9} {'seconds':>8} {'a second':>8} {'memory KiB':>10} {'threads':>7} {'descriptors':>11} {'growth %':>8}"
        )
        for _ in range(ROWS):
            soak.send(messages // ROWS)
            soak.rest(pids, began)
            sent, seconds, taken = soak.rows[-1]
            growth = taken.growth(soak.rows[0][2])
            say(
                f"{sent:9} {seconds:8.1f} {sent / seconds:8.0f} {taken.memory:10} {taken.threads:7}"
                f" {taken.descriptors:11} {growth:8.1f}"
            )
        if daemon.workers() != pids:
            soak.fault(f"workers {pids} became {daemon.workers()}")
        if daemon.terminate() != 0:
            soak.fault(f"exit status {daemon.status}")
        decisions = soak.read_log()
    first, last = soak.rows[0][2], soak.rows[-1][2]
    say(
        f"{decisions} decisions logged; sent: "
        + ", ".join(f"{count} {kind}" for kind, count in soak.sent.most_common())
    )
    say(f"memory after the first tenth: {last.growth(first):+.1f} %")
    say(f"faults: {len(soak.faults)}")
    for fault in soak.faults[:FAULTS_KEPT]:
        say(f"  {fault}")
    return 1 if soak.faults or (messages >= ENOUGH and last.growth(first) > MOST_GROWTH) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--attacks", type=float, default=0.0, metavar="PERCENT")
    chosen = parser.parse_args(arguments)
    return run(chosen.messages, chosen.seed, chosen.workers, chosen.attacks)


if __name__ == "__main__":
    sys.exit(main())
