"""SPF records made to be costly or misleading, through the running milter, while another client sends.

Each gets its result within the deadline, replies and header fields have no raw text of it, and the other client is hardly
delayed. The evaluation alone, and more records: tests/unit/checks/test_spf_bombs.py.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest

from rdns_milter.config.load import parse as parse_config
from rdns_milter.net.endpoints import parse_nameserver
from rdns_milter.net.mailboxes import parse_mailbox
from rdns_milter.session.dns_thread import DnsThread
from tests.kit.dns.nameserver_process import NameServerProcess
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.milter.transaction import Outcome, deliver
from tests.kit.smtp.client_identity import Client

Records = dict[str, list[Any]]
DEADLINE = 10.0  # so long that no answer to the other client is late on a busy machine
DNS_TIMEOUT = 4.0
QUIET_MESSAGES = 20
AT_ONCE = 6
# How many times longer another client's message may take during costly ones than during ordinary ones, on average. Measured: 0.5
# times at most; 90 times if each evaluation of a costly record takes 0.2 s of CPU time.
SLOWER = 10
STRETCH = (
    1000  # times the CPU time for which an ordinary check blocks the event loop; without the limits it is far more
)
LETTERS = b"%{s}%{l}%{o}%{d}%{i}%{p}%{v}%{h}"


def policy(*terms: str | bytes) -> list[Any]:
    """Return the data of a name with one SPF record."""
    return [("TXT", b" ".join((b"v=spf1", *(term.encode() if isinstance(term, str) else term for term in terms))))]


def included(name: str, *terms: str) -> Records:
    """Return a record that includes ten others, all alike; `@` in them stands for their number."""
    return {name: policy(*(f"include:i{n}.{name}" for n in range(10)), "-all")} | {
        f"i{n}.{name}": policy(*(term.replace("@", str(n)) for term in terms)) for n in range(10)
    }


def exchangers(name: str, hosts: str, count: int = 10) -> Records:
    """Return ten times `mx`, each with this many hosts; `hosts`: the mechanisms for their addresses."""
    tree: Records = {name: policy(*(f"mx:m{n}.{name}" for n in range(10)), "-all")}
    for n in range(10):
        tree[f"m{n}.{name}"] = [("MX", f"{k} h{k}.m{n}.{name}.") for k in range(count)]
        tree |= {f"h{k}.m{n}.{name}": [hosts] for k in range(count)}
    return tree


def explained(name: str, text: bytes) -> Records:
    """Return a fail with that explanation."""
    return {name: policy("-all", f"exp=why.{name}"), f"why.{name}": [("TXT", text)]}


def chained(name: str, word: str, length: int) -> Records:
    """Return records each of which leads to the next."""
    chain = {f"n{n}.{name}": policy(f"{word}n{n + 1}.{name}") for n in range(length)}
    return {name: policy(f"{word}n0.{name}"), f"n{length}.{name}": policy("-all")} | chain


SLOW = [f"exists:x{n}%{{d}}{'.a' * 230}.com" for n in range(7)]  # the slowest terms that are evaluated
# The records of a sender's domain, and the expected result.
COSTLY: Mapping[str, tuple[Callable[[str], Records], str]] = {
    "term-20k": (lambda d: {d: policy("a:b." + "a" * 20_000 + "!")}, "permerror"),
    "term-40k": (lambda d: {d: policy("exists:%{d}" + ".a" * 20_000)}, "permerror"),
    "text-60k": (lambda d: {d: policy("ip4:10.0.0.1 " * 4600)}, "permerror"),
    "text-60k-else": (lambda d: {d: [*policy("-all"), ("TXT", b"w" * 60_000)]}, "fail"),
    "spaces-60k": (lambda d: {d: policy(" " * 60_000)}, "permerror"),
    "slow-terms": (lambda d: included(d, *SLOW, "?all"), "permerror"),
    "slow-modifiers": (lambda d: included(d, *(f"x{n}=%{{d}}{'.a' * 240}" for n in range(7))), "fail"),
    "many-ip4": (lambda d: included(d, *(f"ip4:10.{n // 250}.{n % 250}.@" for n in range(280))), "fail"),
    "many-texts": (lambda d: {d: [*policy("-all"), *(("TXT", f"x{n}") for n in range(3000))]}, "fail"),
    "many-policies": (lambda d: {d: [("TXT", f"v=spf1 a{n}=x -all") for n in range(1500)]}, "permerror"),
    "digits-macro-5000": (lambda d: {d: policy(f"a:%{{d{'1' * 5000}}}.example")}, "permerror"),
    "digits-macro-3900": (lambda d: {d: policy(f"a:%{{d{'1' * 3900}}}.example")}, "permerror"),
    "digits-macro-400": (lambda d: {d: policy(f"a:%{{d{'1' * 400}}}", "-all")}, "fail"),
    "digits-prefix-5000": (lambda d: {d: policy("a/" + "1" * 5000, "-all")}, "permerror"),
    "digits-prefix-490": (lambda d: {d: policy("a/" + "1" * 490, "-all")}, "permerror"),
    "digits-prefix-6": (lambda d: {d: policy("ip6:::/" + "1" * 490, "-all")}, "permerror"),
    "include-deep": (lambda d: chained(d, "include:", 30), "permerror"),
    "include-loop": (lambda d: {d: policy(f"include:l.{d}"), f"l.{d}": policy(f"include:{d}")}, "permerror"),
    "include-self": (lambda d: {d: policy(*[f"include:{d}"] * 20, "-all")}, "permerror"),
    "include-dead": (lambda d: {d: policy(*(f"include:i{n}.{d}" for n in range(10)), "-all"), f"*.{d}": ["SILENT"]}, "temperror"),
    "include-dead-exp": (lambda d: included(d, "-all", f"exp=e@.{d}") | {f"e{n}.{d}": ["SILENT"] for n in range(10)}, "fail"),
    "redirect-deep": (lambda d: chained(d, "redirect=", 30), "permerror"),
    "redirect-loop": (lambda d: {d: policy(f"redirect=l.{d}"), f"l.{d}": policy(f"redirect={d}")}, "permerror"),
    "redirect-self": (lambda d: {d: policy(f"redirect={d}")}, "permerror"),
    "mx-10-10": (lambda d: exchangers(d, "A 10.9.8.7"), "fail"),
    "mx-10-10-dead": (lambda d: exchangers(d, "SILENT"), "temperror"),
    "mx-10-10-huge": (lambda d: exchangers(d, "A!HUGE 60"), "permerror"),
    "mx-11": (lambda d: exchangers(d, "A 10.9.8.7", 11), "permerror"),
    "void": (lambda d: {d: policy(*(f"a:v{n}.{d}" for n in range(9)), "-all")}, "permerror"),
    "names": (lambda d: {d: policy("ptr:x.example", "exists:%{p}.%{d}", "-all")}, "fail"),
    "exp-dead": (lambda d: {d: policy("-all", f"exp=e.{d}"), f"e.{d}": ["SILENT"]}, "fail"),
    "exp-60k": (lambda d: explained(d, b"x" * 60_000), "fail"),
    "exp-lines": (lambda d: explained(d, b"no\r\nX-Injected: yes\r\n\r\n.\r\n"), "fail"),
    "exp-octets": (lambda d: explained(d, bytes(range(256))), "fail"),
    "exp-forged": (lambda d: explained(d, b'"; spf=pass smtp.mailfrom=bank.example (\\" action=accept %{c} %{r} %{t}'), "fail"),
    "exp-macros": (lambda d: explained(d, LETTERS * 12), "fail"),
    "nul": (lambda d: {d: policy(b"ip4:192.0.2.9\0", "-all")}, "permerror"),
    "lines": (lambda d: {d: policy(b"a:x\r\nX-Injected:yes", "-all")}, "permerror"),
    "high": (lambda d: {d: policy(b"a:\xff\xfe.example", "-all")}, "permerror"),
    "forged": (lambda d: {d: policy('include:"(;spf=pass".bank.example', "-all")}, "permerror"),
    "forged-mechanism": (lambda d: {d: policy("-exists:a);spf=pass(.l." + d), f"*.l.{d}": ["A 127.0.0.2"]}, "fail"),
}  # fmt: skip


@dataclass(frozen=True)
class CostlyClient:
    """A client whose sender's domain has costly records; its other records are correct."""

    number: int
    name: str

    @property
    def address(self) -> str:
        """The client's address."""
        return str(ip_address("198.18.1.0") + self.number)

    @property
    def domain(self) -> str:
        """The sender's domain."""
        return f"b{self.number}.example"

    def records(self) -> Records:
        """All records of the client and its domain."""
        host = f"mail.{self.domain}"
        in_order: Records = {self.address: [("PTR", host)], host: [("A", self.address), ("TXT", "v=spf1 a -all")]}
        return in_order | COSTLY[self.name][0](self.domain)


CASES = [CostlyClient(number, name) for number, name in enumerate(COSTLY)]
HEALTHY = {
    "192.0.2.1": [("PTR", "mail.healthy.example")],
    "mail.healthy.example": [("A", "192.0.2.1"), ("TXT", "v=spf1 a -all")],
    "*.healthy.example": [("TXT", "v=spf1 a:mail.healthy.example -all")],
}
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "spf", "unless": {"spf_mailfrom": "pass"}, "action": "reject"},
]
CONFIG: dict[str, dict[str, Any]] = {
    "milter": {"deadline": DEADLINE},
    "dns": {"timeout": DNS_TIMEOUT, "tries": 1},
    "headers": {"received_spf": True},
}


class OtherClient(threading.Thread):
    """A good client that sends all the time, each message from another domain. `seconds`: the time of each message."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._spec = daemon.spec
        self._over = threading.Event()
        self.seconds: list[float] = []
        self.refused = 0

    def run(self) -> None:
        while not self._over.is_set():
            sender = f"a@n{len(self.seconds)}.{self.name}.healthy.example"
            outcome = deliver(self._spec, client=Client("192.0.2.1"), helo="mail.healthy.example", mailfrom=sender)
            self.seconds.append(outcome.seconds())
            self.refused += not outcome.accepted

    def end(self) -> None:
        """Stop, and wait for the last message."""
        self._over.set()
        self.join(30)


@dataclass(frozen=True)
class Results:
    """The outcomes of the costly clients, and the other client's times without and with them."""

    outcomes: Mapping[CostlyClient, Outcome]
    decisions: Mapping[str, dict[str, str]]
    lines: list[str]
    quiet: OtherClient
    beside: OtherClient


@pytest.fixture(scope="module")
def server() -> Iterator[NameServerProcess]:
    with NameServerProcess(Zone(HEALTHY, *(case.records() for case in CASES))) as running:
        yield running


@pytest.fixture(scope="module")
def observed(server: NameServerProcess) -> Results:
    with Daemon(CONFIG, RULES, server.hostport) as daemon:
        quiet, *others = (OtherClient(daemon, f"quiet{number}") for number in range(1 + AT_ONCE))
        for client in (quiet, *others):
            client.start()
        until(lambda: len(quiet.seconds) >= QUIET_MESSAGES)
        for client in (quiet, *others):
            client.end()
        beside = OtherClient(daemon, "beside")
        beside.start()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = dict(zip(CASES, pool.map(lambda case: send_costly(daemon, case), CASES), strict=True))
        beside.end()
        count = 2 * len(CASES) + sum(len(client.seconds) for client in (quiet, *others, beside))
        decisions = {each["client"]: each for each in daemon.wait_for_decisions(count) if each["rcpt"].startswith("b@")}
        assert daemon.terminate() == 0
        return Results(outcomes, decisions, daemon.lines(), quiet, beside)


def send_costly(daemon: Daemon, case: CostlyClient) -> Outcome:
    """Send a message of this client. Its first recipient is always accepted, so that the header is written."""
    return deliver(
        daemon.spec,
        client=Client(case.address),
        helo=f"mail.{case.domain}",
        mailfrom=f"{'long.' * 12}x@{case.domain}",
        rcpts=["postmaster@rcpt.example", "b@rcpt.example"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_costly_record(observed: Results, case: CostlyClient) -> None:
    outcome, decision = observed.outcomes[case], observed.decisions[case.address]
    _, judged = outcome.rcpts
    assert (decision["iprev"], decision["spf_helo"]) == ("pass", "pass")
    assert decision["spf_mailfrom"] == COSTLY[case.name][1]
    assert judged.code == (451 if decision["spf_mailfrom"] == "temperror" else 550)
    for text in (judged.line, *(change.value.replace("\n\t", " ") for change in outcome.changes)):
        assert re.fullmatch("[ -~]+", text)
    results = outcome.header("Authentication-Results")[0].replace("\n\t", " ")
    assert re.sub(r"\([^()]*\)", "", results).count("spf=") == 2
    assert "spf=pass smtp.mailfrom" not in results


def test_log(observed: Results) -> None:
    assert all(re.fullmatch("[ -~]+", line) for line in observed.lines)
    assert [line for line in observed.lines if "internal error" in line] == []


def test_other_client(observed: Results, record_property: Callable[[str, object], None]) -> None:
    """A good client is served all the time, hardly slower than during messages of as many ordinary clients."""
    for who in (observed.quiet, observed.beside):
        times = sorted(who.seconds)
        figures = (
            f"{len(times)} messages, mean {statistics.mean(times) * 1000:.1f} ms, longest {times[-1] * 1000:.1f} ms"
        )
        record_property(who.name, figures)
        print(who.name, figures)
        assert who.refused == 0
    assert statistics.mean(observed.beside.seconds) < SLOWER * statistics.mean(observed.quiet.seconds)


def test_stretch(server: NameServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the longest time for which the event loop is blocked, by the CPU clock of its thread."""
    config = parse_config(f"[dns]\nnameservers = ['{server.hostport}']\ntimeout = 0.5\ntries = 1\n", "")
    run = asyncio.Handle._run
    loops: set[asyncio.AbstractEventLoop] = set()
    stretches: list[tuple[float, str]] = []

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        if handle._loop in loops:  # type: ignore[attr-defined]
            stretches.append((time.thread_time() - began, repr(handle)))

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    bugs: list[object] = []
    endpoint = parse_nameserver(server.hostport)
    with DnsThread(config, (endpoint,), lambda *bug: bugs.append(bug)) as dns_thread:
        loops.add(dns_thread.loop)

        def check(address: str, helo: str, mailfrom: str) -> tuple[float, str]:
            """Check SPF, and return the longest stretch."""
            stretches.clear()
            over = threading.Event()
            pending = dns_thread.check_runner.start_spf(ip_address(address), parse_mailbox(mailfrom), helo, config)
            pending.add_callback(over.set)
            assert over.wait(20)
            return max(stretches)

        ordinary = min(check("192.0.2.1", "mail.healthy.example", f"a@n{n}.healthy.example")[0] for n in range(5))
        longest, where = max(check(case.address, f"mail.{case.domain}", f"a@{case.domain}") for case in CASES)
    assert bugs == []
    print(
        f"the longest stretch: {longest * 1000:.1f} ms, of an ordinary check {ordinary * 1000:.1f} ms; in {where[:200]}"
    )
    assert longest < STRETCH * ordinary
