"""What a Prometheus server would make of our text: read by prometheus-client's own parser, and asked by name and labels.

page = scraped(fetch(port, "/metrics").text)
assert page.value("messages_total") == 3
assert page.value("decisions_total", action="reject") == 2      # all rules together
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from rdns_milter.monitoring.definitions import PREFIX
from tests.kit.milter.daemon import Daemon, children, until

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An HTTP answer."""

    status: int
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: name without PREFIX, labels, value."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Page:
    """All samples, and for each family its kind and its help."""

    samples: tuple[Sample, ...]
    kinds: Mapping[str, str]
    helps: Mapping[str, str]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels; 0 without any."""
        return sum(s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())

    def named(self, name: str, **labels: str) -> list[Sample]:
        """These samples themselves."""
        return [s for s in self.samples if s.name == name and labels.items() <= s.labels.items()]


def scraped(text: str) -> Page:
    """The page of such a text. Raises ValueError for what is no Prometheus text, and AssertionError for a name of another's."""
    families = list(text_string_to_metric_families(text))
    samples = []
    for family in families:
        for sample in family.samples:
            assert sample.name.startswith(PREFIX), sample.name
            samples.append(Sample(sample.name.removeprefix(PREFIX), dict(sample.labels), sample.value))
    names = [family.name.removeprefix(PREFIX) for family in families]
    return Page(
        tuple(samples),
        dict(zip(names, (family.type for family in families), strict=True)),
        dict(zip(names, (family.documentation for family in families), strict=True)),
    )


def fetch(port: int, path: str = "/metrics", method: str = "GET") -> Fetched:
    """One request to a server on 127.0.0.1. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return Fetched(answer.status, answer.getheader("Content-Type", ""), answer.read().decode())
    finally:
        connection.close()


def page(port: int) -> Page:
    """What is at /metrics there."""
    return scraped(fetch(port).text)


def healthy(port: int) -> bool:
    """Whether /healthz there says so; False while nobody listens."""
    try:
        return fetch(port, "/healthz").status == 200
    except OSError:
        return False


def exporter(daemon: Daemon) -> int:
    """The process that serves the metrics: the one child with a single thread."""
    return until(lambda: next((pid for pid in children(daemon.pid) if _threads(pid) == 1), None))


def workers(daemon: Daemon) -> list[int]:
    """All children but that one."""
    return [pid for pid in children(daemon.pid) if _threads(pid) > 1]


def _threads(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    except OSError:
        return 0
