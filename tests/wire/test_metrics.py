"""/metrics and /healthz of the running milter: they tell the truth, whatever is killed, hung, or sent."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rdns_milter.checks.evidence import FACTS
from rdns_milter.monitoring.http import MAX_CONNECTIONS, MAX_HEAD
from tests.kit.data.metrics_page import Page, exporter, fetch, healthy, page, scraped, workers
from tests.kit.data.scenario import GOOD, GOOD_FROM, GOOD_HELO, LATE, LIAR, NAMELESS, POOL, TROUBLED
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import ROOT, Daemon, children, command, until
from tests.kit.milter.endpoint import free_port, taken
from tests.kit.milter.transaction import Conversation, burst, deliver
from tests.kit.smtp.client_identity import Client

RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "perhaps", "when": {"generic": "yes"}, "action": "reject", "shadow": True},
    {"name": "unconfirmed", "when": {"iprev": ["fail", "permerror"]}, "action": "reject"},
    {"name": "pool", "when": {"generic": "yes"}, "action": "tag"},
]
CLIENTS = (GOOD, LIAR, NAMELESS, POOL, TROUBLED, LATE, Client("127.0.0.1"))
EX_UNAVAILABLE = 69


class Measured(Daemon):
    """A milter that serves its metrics at `port`."""

    def __init__(self, server: NameServer, workers: int = 1, rules: list[dict[str, Any]] = RULES) -> None:
        self.port = free_port()
        super().__init__(self.config(), rules, server, workers)

    def config(self, **others: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Its sections, and others."""
        ours: dict[str, dict[str, Any]] = {
            "metrics": {"listen": f"127.0.0.1:{self.port}"},
            "dns": {"timeout": 0.3, "tries": 1},
        }
        return ours | others

    def page(self) -> Page:
        """What it tells now."""
        until(lambda: taken("127.0.0.1", self.port))
        return page(self.port)

    def told(self, name: str, value: float, **labels: str) -> Page:
        """What it tells once that has that value. Gauges are up to a second old."""
        return until(lambda: found if (found := self.page()).value(name, **labels) == value else None)


@pytest.fixture
def daemon(server: NameServer) -> Iterator[Measured]:
    with Measured(server) as running:
        until(lambda: healthy(running.port))
        yield running
        assert [line for line in running.lines() if "internal error" in line] == []


@pytest.fixture(scope="module")
def standing(server: NameServer) -> Iterator[Measured]:
    """One for all tests that do not care what it has counted."""
    with Measured(server) as running:
        until(lambda: healthy(running.port))
        yield running
        assert [line for line in running.lines() if "cannot be served" in line or "internal error" in line] == []


def send(daemon: Daemon, client: Client = GOOD, **message: Any) -> int:
    """One message of a client; the code of the last reply."""
    return deliver(daemon.spec, client=client, helo=GOOD_HELO, mailfrom=GOOD_FROM, **message).verdict.code


# Counts


def test_the_sums_over_the_workers_are_what_the_log_has(server: NameServer) -> None:
    with Measured(server, workers=3) as daemon:
        until(lambda: healthy(daemon.port))
        sent = [client for client in CLIENTS for _ in range(9)]
        burst([partial(send, daemon, client) for client in sent])
        decisions = daemon.wait_for_decisions(len(sent))
        told = daemon.told("messages_total", len(sent))
        assert told.value("decisions_total") == len(decisions) == len(sent)
        for (action, rule), count in Counter((line["action"], line["rule"]) for line in decisions).items():
            assert told.value("decisions_total", action=action, rule=rule) == count
        for fact in FACTS:
            words = Counter(line[fact] for line in decisions)
            for sample in told.named("facts_total", fact=fact):
                if sample.labels["value"] != "none":
                    assert sample.value == words[sample.labels["value"]], sample
        # What nobody had to know stands as "none" in the log, and is not counted.
        assert told.value("facts_total", fact="iprev", value="none") == 9
        assert told.value("shadow_hits_total", rule="perhaps") == told.value("would_total", action="reject") == 9
        assert told.value("workers_alive") == 3
        assert told.value("dns_query_seconds_count") == told.value("dns_queries_total") > 0


def test_waits_are_those_of_the_log(daemon: Measured) -> None:
    assert send(daemon, LATE) == 0
    (line,) = daemon.wait_for_decisions(1)
    told = daemon.page()
    seconds = told.value("wait_seconds_sum")
    assert seconds * 1000 == pytest.approx(float(line["waited_ms"]), abs=2)
    assert told.value("wait_seconds_count", stage="rcpt") == 1
    assert told.value("fact_waits_total", stage="rcpt", fact="iprev") == 1
    assert 0.1 < told.value("fact_wait_seconds_total", stage="rcpt", fact="iprev") <= seconds
    assert send(daemon, GOOD) == 0
    again = daemon.told("messages_total", 2)
    assert again.value("dns_cache_hits_total") > told.value("dns_cache_hits_total")


def test_connections_and_questions_under_way(daemon: Measured) -> None:
    with ExitStack() as open_ones:
        for _ in range(3):
            dialogue = open_ones.enter_context(Conversation(daemon.spec))
            dialogue.connect(GOOD.hostname, GOOD.address)
        daemon.told("connections_open", 3)
    daemon.told("connections_open", 0)
    assert daemon.page().value("dns_outstanding") == 0


def test_a_killed_worker_takes_no_count_with_it(server: NameServer) -> None:
    with Measured(server, workers=2) as daemon:
        until(lambda: healthy(daemon.port))
        for _ in range(10):
            send(daemon)
        before = daemon.told("messages_total", 10)
        held = Conversation(daemon.spec)
        held.connect(GOOD.hostname, GOOD.address)
        daemon.told("connections_open", 1)
        for pid in workers(daemon):
            os.kill(pid, signal.SIGKILL)
        after = daemon.told("worker_restarts_total", 2)
        assert after.value("messages_total") == 10
        assert after.value("decisions_total") == before.value("decisions_total")
        assert after.value("dns_queries_total") >= before.value("dns_queries_total") > 0
        assert after.value("connections_open") == 0
        held.close()
        until(lambda: healthy(daemon.port))
        for _ in range(5):
            send(daemon)
        daemon.told("messages_total", 15)


def test_reload(daemon: Measured) -> None:
    digest = daemon.page().named("policy_info")[0].labels["digest"]
    assert send(daemon, LIAR) == 550
    daemon.told("decisions_total", 1, action="reject", rule="unconfirmed")
    daemon.reload(daemon.config(milter={"mode": "observe"}), [*RULES[:2], {"name": "new", "action": "reject"}])
    until(lambda: send(daemon, LIAR) == 0)
    told = daemon.told("decisions_total", 1, action="accept", rule="new")
    assert told.value("would_total", action="reject") == 1
    assert told.value("decisions_total", action="reject", rule="unconfirmed") >= 1
    (info,) = told.named("policy_info")
    assert info.labels["mode"] == "observe"
    assert info.labels["digest"] != digest
    assert [told.value("reloads_total", outcome=word) for word in ("good", "bad")] == [1, 0]
    daemon.reload(daemon.config(), "nonsense")
    told = daemon.told("reloads_total", 1, outcome="bad")
    assert told.value("reloads_total", outcome="good") == 1
    assert told.named("policy_info") == [info]


HOSTILE = (
    b"x" * 3000,
    b'"} 1\n# evil\nrdns_milter_messages_total 7\n',
    "mäil.例え".encode(),
    bytes(range(1, 32)),
    b"\xff\xfe{}=,",
    b"",
)


def test_nothing_that_is_sent_becomes_a_series(daemon: Measured) -> None:
    send(daemon)
    before = {(s.name, *sorted(s.labels.items())) for s in daemon.page().samples}
    for number, octets in enumerate(HOSTILE):
        client = Client(f"192.0.2.{100 + number}", name="evil.example")
        deliver(
            daemon.spec, client=client, helo=octets, mailfrom=octets + b"@evil.example", rcpts=[octets + b"@b.example"]
        )
        deliver(daemon.spec, client=GOOD, helo=GOOD_HELO, headers=[("Authentication-Results", octets)])
    told = daemon.told("messages_total", 1 + 2 * len(HOSTILE))
    assert {(s.name, *sorted(s.labels.items())) for s in told.samples} == before


def test_nothing_is_left_behind(server: NameServer) -> None:
    with Measured(server) as daemon:
        until(lambda: healthy(daemon.port))
        send(daemon)
        daemon.page()
        assert {path.name for path in daemon.directory.iterdir()} == {daemon.path.name, daemon.output.name}
        pids = children(daemon.pid)
        assert len(pids) == 2
        assert daemon.terminate() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert not taken("127.0.0.1", daemon.port)


# The process


def test_without_an_address_there_is_no_such_process(server: NameServer) -> None:
    with Daemon(rules=RULES, nameserver=server, workers=2) as daemon:
        until(lambda: len(workers(daemon)) == 2)
        assert send(daemon) == 0
        assert len(children(daemon.pid)) == 2


def test_it_is_replaced(daemon: Measured) -> None:
    send(daemon)
    killed = exporter(daemon)
    os.kill(killed, signal.SIGKILL)
    until(lambda: any("the metrics process ended (signal SIGKILL); restart in " in line for line in daemon.notices()))
    until(lambda: killed not in children(daemon.pid) and exporter(daemon))
    told = daemon.page()
    assert told.value("messages_total") == 1
    assert told.value("worker_restarts_total") == 0


def test_it_ends_with_the_parent(server: NameServer) -> None:
    daemon = Measured(server)
    with daemon:
        pid = exporter(daemon)
        until(lambda: healthy(daemon.port))
        os.kill(daemon.pid, signal.SIGKILL)
        until(lambda: not taken("127.0.0.1", daemon.port))
        assert daemon.process is not None
        daemon.process.wait()
        until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_holds_nothing_of_the_mail(daemon: Measured) -> None:
    """Else connections would wait in the queue of a milter that has stopped."""
    listening = {Path(f"/proc/{daemon.pid}/fd/{fd}").readlink() for fd in os.listdir(f"/proc/{daemon.pid}/fd")}
    pid = exporter(daemon)
    until(lambda: healthy(daemon.port))
    held = {Path(f"/proc/{pid}/fd/{fd}").readlink() for fd in os.listdir(f"/proc/{pid}/fd")}
    shared = {str(link) for link in listening & held if str(link).startswith("socket:")}
    assert len(shared) == 1  # its own
    (worker,) = workers(daemon)
    theirs = {str(Path(f"/proc/{worker}/fd/{fd}").readlink()) for fd in os.listdir(f"/proc/{worker}/fd")}
    assert not theirs & shared


def test_a_reload_moves_it(daemon: Measured) -> None:
    old = daemon.port
    daemon.port = free_port()
    daemon.reload(daemon.config(), RULES)
    until(lambda: healthy(daemon.port))
    assert not taken("127.0.0.1", old)
    with socket.create_server(("127.0.0.1", old)):
        there, daemon.port = daemon.port, old
        daemon.reload(daemon.config(), RULES)
        until(lambda: any(f"metrics.listen: cannot listen at 127.0.0.1:{old}: " in line for line in daemon.notices()))
    assert healthy(there)
    daemon.reload({}, RULES)
    until(lambda: not taken("127.0.0.1", there))
    until(lambda: len(children(daemon.pid)) == 1)
    assert send(daemon) == 0


def test_a_port_that_is_taken(server: NameServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon = Measured(server)
        daemon.port = other.getsockname()[1]
        daemon.write(daemon.config(), RULES)
        for arguments in (("run",), ("run", "-n")):
            done = command(*arguments, "-c", str(daemon.path))
            assert done.returncode == EX_UNAVAILABLE
            assert f"metrics.listen: cannot listen at 127.0.0.1:{daemon.port}: " in done.stderr.decode()
        daemon.stop()


# Health


def test_a_silent_name_server_is_no_illness() -> None:
    with NameServer(Zone("")) as nobody:
        daemon = Measured(nobody)
    with daemon:
        until(lambda: healthy(daemon.port))
        for number in range(4):
            deliver(daemon.spec, client=Client(f"192.0.2.{number}"), helo=f"mail{number}.good.example")
        told = daemon.told("resolver_up", 0)
        assert len(told.named("resolver_up")) == 1
        assert told.value("facts_total", fact="iprev", value="temperror") == 4
        assert fetch(daemon.port, "/healthz").status == 200


def test_a_worker_that_hangs_is_an_illness(daemon: Measured) -> None:
    (worker,) = workers(daemon)
    os.kill(worker, signal.SIGSTOP)
    sick = until(lambda: answer if (answer := fetch(daemon.port, "/healthz")).status == 503 else None)
    assert sick.text.startswith(("no answer to a negotiation at inet:", "the event loop of worker 0 has not run"))
    assert sick.text.count("\n") == 1
    os.kill(worker, signal.SIGCONT)
    until(lambda: healthy(daemon.port))


def test_one_of_several_that_hangs_is_an_illness(server: NameServer) -> None:
    """The others go on answering."""
    with Measured(server, workers=2) as daemon:
        until(lambda: healthy(daemon.port))
        os.kill(workers(daemon)[0], signal.SIGSTOP)
        sick = until(lambda: answer if "has not run for" in (answer := fetch(daemon.port, "/healthz")).text else None)
        assert sick.status == 503
        until(lambda: healthy(daemon.port))  # the parent has killed and replaced it
        assert daemon.page().value("worker_restarts_total") == 1


# Those who ask


def raw(port: int, octets: bytes) -> bytes:
    """What comes back for any octets, until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(octets)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def test_pages(standing: Measured) -> None:
    answer = fetch(standing.port)
    assert answer.status == 200
    assert answer.type.startswith("text/plain; version=")
    assert scraped(answer.text).value("workers_alive") == 1
    assert fetch(standing.port, "/metrics?name=x").status == 200
    assert fetch(standing.port, "/metrics", "HEAD").text == ""
    assert fetch(standing.port, "/healthz").text.startswith("alive: ")
    assert fetch(standing.port, "/").status == 404
    assert fetch(standing.port, "/../../etc/passwd").text == "there are /metrics and /healthz\n"
    assert fetch(standing.port, "/metrics", "POST").status == 405


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"GET /metrics SMTP/1.0\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\xff\xfe\r\n\r\n", b"400"),
        (b"GET /\xff\x00 HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n", b"431"),
        (b"G" * 4 * MAX_HEAD, b"431"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /healthz HTTP/1.1\r\nHost: [\xff\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", b"200"),
    ],
)
def test_odd_requests(standing: Measured, octets: bytes, status: bytes) -> None:
    answer = raw(standing.port, octets)
    # Octets that nobody reads any more may make the kernel reset the connection before the answer is through.
    assert answer.startswith(b"HTTP/1.1 " + status) or (not answer and status == b"431")
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert healthy(standing.port)


def test_those_who_hold_the_line_hold_up_nobody(standing: Measured) -> None:
    with ExitStack() as held:
        for number in range(3 * MAX_CONNECTIONS):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", standing.port), 10))
            connection.sendall(b"GET /met"[: number % 9])
        assert fetch(standing.port).status == 200
        assert fetch(standing.port, "/healthz").status == 200
        pid = exporter(standing)
        assert len(os.listdir(f"/proc/{pid}/fd")) < MAX_CONNECTIONS + 20
        # And in the end they are let go.
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 20)


def test_those_who_do_not_read_are_let_go(standing: Measured) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect(("127.0.0.1", standing.port))
        deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        pid = exporter(standing)
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 20)
        assert fetch(standing.port).status == 200


# Alarms

HASTY = "import rdns_milter.monitoring.alarms as alarms\nalarms.MIN_DECISIONS, alarms.MIN_SECONDS = 5, 0.0\n"


def test_an_alarm_is_said_by_one_worker_once(
    server: NameServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With workers that are sure of it sooner than usual."""
    (tmp_path / "sitecustomize.py").write_text(HASTY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with Measured(server, workers=2) as daemon:
        until(lambda: healthy(daemon.port))
        burst([partial(send, daemon) for _ in range(60)])
        daemon.told("messages_total", 60)
        said = until(lambda: [line for line in daemon.notices() if "clients" in line])
        assert [line.split(": ")[:2] for line in said] == [["rdns-milter", "one-address"]]
        told = daemon.page()
        assert told.value("alarms_total", alarm="one-address") == told.value("alarms_total") == 1
