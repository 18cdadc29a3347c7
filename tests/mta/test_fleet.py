"""packaging/examples/fleet at work: three milters behind HAProxy, each with an unbound, and a Postfix.

While one milter is killed, another restarted, and a third hangs, no mail is lost or refused, and soon every message is judged
again. Prometheus sums up the metrics.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.data import metrics_page
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, children, until
from tests.kit.milter.endpoint import free_port, taken
from tests.kit.milter.load import Load
from tests.kit.mta import examples
from tests.kit.mta.child import Child
from tests.kit.mta.fleet import HERE, NAMES, Fleet, fleet, missing, program
from tests.kit.smtp.smtp_client import Dialogue, send
from tests.mta.attached import (
    BAD,
    BAD_FROM,
    BAD_HELO,
    DEFAULT_RULES,
    GOOD,
    GOOD_FROM,
    GOOD_HELO,
    HOST,
    USER,
    ZONE,
)

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

CLIENTS = 8
SOME = 60


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with (
        NameServer(ZONE) as server,
        fleet(server, DEFAULT_RULES, myhostname=HOST, defer_transports="discard") as started,
    ):
        yield started


class Mail:
    """Messages of a good client; `accepted`: the queue ids of those that were accepted."""

    def __init__(self, running: Fleet) -> None:
        self._running = running
        self.accepted: list[str] = []

    def send(self, number: int) -> int:
        dialogue = send(self._running.postfix.address, GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM, rcpts=[USER])
        if dialogue.accepted:
            self.accepted.append(dialogue.queue_id)
        return dialogue.verdict.code

    def unjudged(self) -> set[str]:
        """Return the messages that Postfix accepted without a decision of the milter."""
        return set(self.accepted) - set().union(*self._running.judged().values())


def processes(daemon: Daemon) -> list[int]:
    return [daemon.pid, *children(daemon.pid)]


def signal_all(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def counts(running: Fleet) -> dict[str, int]:
    return {name: len(ids) for name, ids in running.judged().items()}


def work_of_all(running: Fleet, load: Load) -> None:
    """Send messages until each instance has judged some."""
    before = counts(running)
    load.wait(SOME)
    assert all(counts(running)[name] >= before[name] + SOME / 10 for name in NAMES), (before, counts(running))


def bad(running: Fleet) -> Dialogue:
    return send(running.postfix.address, BAD, helo=BAD_HELO, mailfrom=BAD_FROM, rcpts=[USER])


def test_it_judges(running: Fleet) -> None:
    """Each instance gives the same verdict, with its own unbound."""
    replies = {str(bad(running).verdict) for _ in range(6)}
    assert len(replies) == 1
    assert replies.pop().startswith("550 5.7.25 ")
    (results,) = [
        value
        for name, value in running.postfix.headers(
            send(running.postfix.address, GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM, rcpts=[USER]).queue_id
        )
        if name == "Authentication-Results"
    ]
    authserv_id, *found = results.split(";")
    assert authserv_id == "mx.example.com"
    assert [result.split()[0] for result in found] == ["iprev=pass", "spf=none", "spf=pass"]


def test_one_is_killed_and_another_restarted(running: Fleet) -> None:
    a, b = running.instances["a"].daemon, running.instances["b"].daemon
    mail = Mail(running)
    with Load(mail.send, clients=CLIENTS) as load:
        work_of_all(running, load)
        assert mail.unjudged() == set()

        signal_all(processes(a), signal.SIGKILL)
        assert a.process is not None
        a.process.wait()
        load.wait(SOME)
        running.balancer.wait_for("a", "DOWN")
        load.wait(SOME)
        a.start()
        running.balancer.wait_for("a", "UP")
        work_of_all(running, load)
        cut = mail.unjudged()
        assert len(cut) <= CLIENTS, "more than were amid a message when it died"

        # By the procedure in haproxy.cfg no client notices.
        drain, look, ready = re.findall(r'^# +echo "(.*?)" \| socat', examples.text("fleet/haproxy.cfg"), re.MULTILINE)
        running.balancer.say(drain)
        running.balancer.wait_for("b", "DRAIN")
        until(lambda: ("b", "0") in {(row[1], row[4]) for row in running.balancer.table(look)})
        assert b.terminate() == 0
        load.wait(SOME)
        b.start()
        running.balancer.say(ready)
        running.balancer.wait_for("b", "UP")
        work_of_all(running, load)

        # Without it only the clients that have just connected are cut.
        assert b.terminate() == 0
        b.start()
        running.balancer.wait_for("b", "UP")
        work_of_all(running, load)
    assert load.lost == []
    assert set(load.codes) == {250}
    assert len(mail.accepted) == len(set(mail.accepted)) == load.sent
    queued = {path.name for path in (running.postfix.base / "spool").rglob("*")}
    assert set(mail.accepted) <= queued
    assert cut <= mail.unjudged()
    assert len(mail.unjudged()) <= len(cut) + CLIENTS


def test_one_that_hangs_is_found_out(running: Fleet) -> None:
    """Its port accepts connections: only the negotiation shows that it hangs."""
    mail = Mail(running)
    pids = processes(running.instances["c"].daemon)
    signal_all(pids, signal.SIGSTOP)
    try:
        running.balancer.wait_for("c", "DOWN")
        assert taken(HERE, int(running.instances["c"].daemon.spec.partition(":")[2].partition("@")[0]))
        assert {mail.send(number) for number in range(SOME)} == {250}
        assert mail.unjudged() == set()
    finally:
        signal_all(pids[::-1], signal.SIGCONT)
    running.balancer.wait_for("c", "UP")
    with Load(mail.send, clients=CLIENTS) as load:
        work_of_all(running, load)
    assert set(load.codes) == {250}
    assert mail.unjudged() == set()


class Prometheus:
    """A Prometheus, queried over its HTTP API."""

    def __init__(self, port: int) -> None:
        self._port = port

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{HERE}:{self._port}/-/ready", timeout=10):
            return True
        return False

    def ask(self, expression: str) -> dict[str, float]:
        """Return the values by the labels of the series, as JSON."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{HERE}:{self._port}/api/v1/query?{query}", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return {json.dumps(series["metric"], sort_keys=True): float(series["value"][1]) for series in found}

    def value(self, expression: str) -> float:
        """Return the only value, 0 if there is none."""
        found = self.ask(expression)
        assert len(found) <= 1
        return sum(found.values())


@pytest.fixture
def prometheus(running: Fleet) -> Iterator[Prometheus]:
    binary = program("prometheus")
    if binary is None:
        pytest.skip("Prometheus is not installed")
    port = free_port()
    changes = {f"10.0.0.1{n}:9415": f"{HERE}:{running.instances[name].metrics}" for n, name in enumerate(NAMES, 1)}
    changes |= {"_interval: 15s": "_interval: 1s"}
    with Child("prometheus") as child:
        path = child.write("prometheus.yml", examples.changed("fleet/prometheus.yml", changes))
        alerts = examples.DIRECTORY.parent / "prometheus" / "rules.yml"
        child.write("rdns-milter.yml", alerts.read_text("utf-8"))
        child.write("rdns-milter-fleet.yml", examples.text("fleet/fleet-rules.yml"))
        where = [f"--storage.tsdb.path={child.directory}/data", f"--web.listen-address={HERE}:{port}"]
        found = Prometheus(port)
        child.start([binary, f"--config.file={path}", *where], found.is_ready)
        yield found


def test_prometheus_adds_it_up(running: Fleet, prometheus: Prometheus) -> None:
    def pages(name: str, **labels: str) -> float:
        return sum(metrics_page.page(one.metrics).value(name, **labels) for one in running.instances.values())

    mail = Mail(running)
    with Load(mail.send, clients=CLIENTS) as load:
        until(lambda: prometheus.value("job:rdns_milter_messages:rate5m") > 0, 40)
        until(lambda: prometheus.value("job:rdns_milter_connections:sum") > 0, 40)
        load.wait(SOME)
    bad(running)
    until(lambda: prometheus.value('sum(up{job="rdns-milter"})') == len(NAMES))
    until(lambda: prometheus.value("sum(rdns_milter_messages_total)") == pages("messages_total") > 0)
    refused = 'sum(rdns_milter_decisions_total{action="reject"})'
    until(lambda: prometheus.value(refused) == pages("decisions_total", action="reject") > 0)
    by_rule = prometheus.ask("job_action_rule:rdns_milter_decisions:rate5m")
    assert {json.loads(labels)["action"] for labels in by_rule} >= {"accept", "reject"}
    assert all(json.loads(labels)["job"] == "rdns-milter" for labels in by_rule)


def test_alerts_of_the_fleet(running: Fleet, prometheus: Prometheus) -> None:
    """Prometheus finds rules that differ between instances; that an alert fires after some minutes is not tested here."""
    differ = next(
        line.partition("expr: ")[2]
        for line in examples.text("fleet/fleet-rules.yml").splitlines()
        if "rdns_milter_policy_info" in line and "expr" in line
    )
    until(lambda: prometheus.value("count(rdns_milter_policy_info)") == len(NAMES))
    assert prometheus.ask(differ) == {}
    daemon = running.instances["b"].daemon
    before = daemon.path.read_text()
    try:
        daemon.path.write_text(before.replace('"tag"', '"accept"'))
        os.kill(daemon.pid, signal.SIGHUP)
        until(lambda: prometheus.value(differ) == 2)
    finally:
        daemon.path.write_text(before)
        os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: prometheus.ask(differ) == {})
    assert Path(daemon.path).read_text() == before
